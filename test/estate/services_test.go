package estate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const haproxyConfig = `global
  maxconn 200
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout check 1s
frontend www
  bind :80
  bind :::80 v6only
  default_backend web
backend web
  option httpchk GET /alive
  server web1 10.88.0.21:80 check inter 1s fall 2 rise 1
  server web2 10.88.0.22:80 check inter 1s fall 2 rise 1
listen postgres
  mode tcp
  bind :5432
  server db1 10.88.0.51:5432 check inter 1s fall 2 rise 1
frontend stats
  bind :8404
  http-request use-service prometheus-exporter if { path /metrics }
`

// nginxConfig balances over the applications, one of which it reaches by IPv6.
const nginxConfig = `daemon off;
user root;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  upstream app { server 10.88.0.31:8000 max_fails=1 fail_timeout=2s; server [fd00:88::32]:8000 max_fails=1 fail_timeout=2s; }
  server {
    listen 80; listen [::]:80;
    location = /alive { return 200; }
    location / { proxy_pass http://app; proxy_connect_timeout 1s; }
  }
}
`

func (h *host) haproxy() {
	h.start("haproxy.service", "haproxy -f "+h.write("haproxy.cfg", haproxyConfig))
}

func (h *host) nginx() {
	h.start("nginx.service", "nginx -c "+h.write("nginx.conf", fmt.Sprintf(nginxConfig, filepath.Join(h.dir, "data"))))
}

func (h *host) redis() {
	h.start("redis-server.service", "redis-server --bind 0.0.0.0 :: --port 6379 --protected-mode no --save '' --dir "+filepath.Join(h.dir, "data"))
}

// postgres keeps its cluster on a disk of its own, as its own user.
func (h *host) postgres() {
	h.e.t.Helper()
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(programs) == 0 {
		h.e.t.Fatalf("no PostgreSQL in /usr/lib/postgresql: %v", err)
	}
	bin, data := programs[len(programs)-1], filepath.Join(h.dir, "data", "pg")
	as := "cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "
	h.run(as + bin + "/initdb -D " + data + " -A trust -U app --no-sync")
	h.run("echo 'host all all 0.0.0.0/0 trust' >> " + data + "/pg_hba.conf")
	h.start("postgresql@15-main.service", "setpriv --reuid=postgres --regid=postgres --clear-groups "+bin+"/postgres -D "+data+" -c listen_addresses=* -c unix_socket_directories= -c fsync=off")
}

func (h *host) mariadb() {
	data := filepath.Join(h.dir, "data", "my")
	h.run("mariadb-install-db --no-defaults --user=root --datadir=" + data + " --skip-test-db >/dev/null")
	h.start("mariadb.service", "mariadbd --no-defaults --user=root --skip-grant-tables --skip-name-resolve --bind-address=0.0.0.0 --port=3306 --datadir="+data+" --socket="+h.dir+"/my.sock --pid-file="+h.dir+"/my.pid")
}

func (h *host) mosquitto() {
	h.start("mosquitto.service", "mosquitto -c "+h.write("mosquitto.conf", "listener 1883\nallow_anonymous true\nuser root\n"))
}

func (h *host) dnsmasq() {
	h.start("dnsmasq.service", "dnsmasq -k --conf-file=/dev/null --no-resolv --no-hosts --address=/app.test/10.88.0.11 --user=root --pid-file=")
}

func (h *host) app(args string) {
	h.start("app.service", filepath.Join(h.e.dir, "bin", "app")+" "+args)
}

// gateway lets what is behind a host out under its address, and one port in.
func (h *host) gateway(inside *host) {
	h.run("sysctl -qw net.ipv4.ip_forward=1")
	h.run("nft -f " + h.write("nat.nft", `table ip nat {
  chain pre { type nat hook prerouting priority -100; tcp dport 8080 dnat to `+inside.address+`:8000; }
  chain post { type nat hook postrouting priority 100; ip saddr 10.89.0.0/24 oifname "eth0" masquerade; }
}
`))
}

// visitor is a machine without an agent that uses the site, by both protocols.
func (h *host) visitor() {
	h.start("visitor.service", `sh -c 'while :; do curl -s -m 2 -o /dev/null http://10.88.0.11/; curl -s -m 2 -o /dev/null "http://[fd00:88::11]/"; curl -s -m 2 -o /dev/null http://10.88.0.71:8080/; sleep 0.5; done'`)
}

// jobs are what cron starts: clients that live for a moment.
func (h *host) jobs() {
	h.start("cron.service", `sh -c 'while :; do psql -qAt -h 10.88.0.51 -U app -d postgres -c "select 1"; mariadb --no-defaults -h 10.88.0.52 -u root -e "select 1"; sleep 15; done'`)
}

func (h *host) nodeExporter() {
	h.start("prometheus-node-exporter.service", "prometheus-node-exporter --web.listen-address=:9100 --collector.disable-defaults --collector.loadavg")
}

const rules = `groups:
- name: estate
  interval: 2s
  rules:
  - {alert: HostDown, expr: 'up{job="node"} == 0', for: 4s, labels: {severity: critical}, annotations: {summary: 'The node exporter of {{ $labels.instance }} does not answer'}}
  - {alert: AppDown, expr: 'up{job="app"} == 0', for: 4s, labels: {severity: critical}}
  - {alert: AppErrors, expr: 'rate(app_failures_total[20s]) / rate(app_requests_total[20s]) > 0.3', for: 4s, labels: {severity: critical}}
  - {alert: AppCacheAway, expr: 'app_cache_up == 0', for: 4s, labels: {severity: error}}
  - {alert: AppDatabaseAway, expr: 'app_database_up == 0', for: 4s, labels: {severity: error}}
  - {alert: HaproxyServerDown, expr: 'haproxy_server_status{state="UP"} == 0', for: 4s, labels: {severity: warning}}
  - {alert: HaproxyBackendDown, expr: 'haproxy_backend_active_servers == 0', for: 4s, labels: {severity: critical}}
`

// monitoring starts Watchbill, Alertmanager and Prometheus on a host, and returns
// when the server is ready. The rhythm is that of a test; nothing else is special.
func (h *host) monitoring(watched []*host) {
	h.e.t.Helper()
	config := h.write("watchbill.yml", `correlation: {hold: {critical: 6s, error: 10s, warning: 20s}, hold_down: 6s, reopen_window: 2s}
agents: {sample_interval: 5s, report_interval: 10s, full_interval: 1h, stale_after: 10m, gone_after: 1h}
`)
	h.start("watchbill.service", fmt.Sprintf("env WATCHBILL_ADMIN_TOKEN=%s %s/bin/watchbill server --web.listen-address=%s:7470 --storage.path=%s --config.file=%s --log.level=info",
		adminToken, h.e.dir, h.address, filepath.Join(h.dir, "data", "watchbill"), config))
	h.e.until("the server is ready", func() error { return h.e.call("GET", "/api/v1/cis?limit=1", nil, nil) })
	am := h.write("alertmanager.yml", `route: {receiver: watchbill, group_by: [alertname], group_wait: 1s, group_interval: 5s, repeat_interval: 1h}
receivers:
- name: watchbill
  webhook_configs:
  - url: http://`+h.address+`:7470/api/v1/ingest/alertmanager
    http_config: {authorization: {credentials: `+h.e.token("ingest")+`}}
`)
	h.start("prometheus-alertmanager.service", "prometheus-alertmanager --config.file="+am+" --storage.path="+h.dir+"/data/am --web.listen-address="+h.address+":9093 --cluster.listen-address=")
	h.write("rules.yml", rules)
	var node, app []string
	for _, w := range watched {
		node = append(node, w.address+":9100")
		if strings.HasPrefix(w.name, "app") {
			app = append(app, w.address+":8000")
		}
	}
	prom := h.write("prometheus.yml", fmt.Sprintf(`global: {scrape_interval: 2s, scrape_timeout: 1s, evaluation_interval: 2s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['%s:9093']}]}]}
scrape_configs:
- {job_name: node, static_configs: [{targets: [%s]}]}
- {job_name: app, static_configs: [{targets: [%s]}]}
- {job_name: haproxy, static_configs: [{targets: ['10.88.0.11:8404']}]}
`, h.address, strings.Join(node, ", "), strings.Join(app, ", ")))
	h.start("prometheus.service", "prometheus --config.file="+prom+" --storage.tsdb.path="+h.dir+"/data/tsdb --web.listen-address="+h.address+":9090")
}

// agent enrols a host with the join token, in the mesh where it can be reached by the others.
func (h *host) agent(join, key string, meshed bool) {
	h.e.t.Helper()
	config := "language_packages: false\nsections: {packages: false, users: false, modules: false, cron: false, certificates: false}\n"
	if meshed {
		config += fmt.Sprintf("mesh: {site: lab, key_file: %s, join: [10.88.0.5:7471], listen: %s:7471}\n", key, h.address)
	}
	state := filepath.Join(h.dir, "agent")
	if err := os.MkdirAll(state, 0o700); err != nil {
		h.e.t.Fatal(err)
	}
	h.start("watchbill-agent.service", fmt.Sprintf("%s/bin/watchbill-agent --server.url http://10.88.0.5:7470 --token-file %s --state-dir %s --config.file %s",
		h.e.dir, join, state, h.write("agent.yml", config)))
}
