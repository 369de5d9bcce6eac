package probe_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/watchbill/watchbill/agent/probe"
)

func TestScrubHidesSecrets(t *testing.T) {
	for _, args := range [][]string{
		{"app", "--password=HUSH-1"}, {"app", "--password", "HUSH-1"}, {"app", "-password", "HUSH-1"}, {"app", "--db-passwd=HUSH-1"},
		{"app", "--token", "HUSH-1"}, {"app", "--api-key=HUSH-1"}, {"app", "--apikey", "HUSH-1"}, {"app", "--client.secret=HUSH-1"},
		{"app", "DB_PASSWORD=HUSH-1"}, {"env", "AWS_SECRET_ACCESS_KEY=HUSH-1", "app"}, {"app", "-e", "PGPASSWORD=HUSH-1"},
		{"mysql", "-uroot", "-pHUSH-1"}, {"mysql", "-p", "HUSH-1"}, {"/usr/bin/mysqldump", "-pHUSH-1", "db"}, {"sshpass", "-p", "HUSH-1", "ssh", "x"},
		{"curl", "-u", "me:HUSH-1", "https://x"}, {"curl", "-ume:HUSH-1"}, {"curl", "https://me:HUSH-1@x/y"}, {"redis-cli", "-a", "HUSH-1"},
		{"app", "postgres://u:HUSH-1@db/x?sslmode=off"}, {"app", "--url", "amqp://u:HUSH-1@mq//"}, {"app", "https://x/?token=HUSH-1&a=b"},
		{"curl", "-H", "Authorization: Bearer HUSH-1HUSH-1"}, {"curl", "-H", "X-Api-Key: HUSH-1"}, {"app", "Bearer", "HUSH-1HUSH-1"},
		{"java", "-Dspring.datasource.password=HUSH-1", "-jar", "x.jar"}, {"java", "-Djavax.net.ssl.keyStorePassword=HUSH-1"},
		{"app", `{"password": "HUSH-1"}`}, {"app", `{'db_token':'HUSH-1'}`}, {"app", "--set", "auth.password=HUSH-1"}, {"worker: password=HUSH-1 running"},
		{"app", "eyJHUSH-1.eyJHUSH-1xyz.sig"}, {"app", "ghp_HUSH1HUSH1HUSH1HUSH1"}, {"app", "AKIAHUSH1HUSH1HUSH1"}, {"ldapsearch", "-w", "HUSH-1"},
		{"app", "Server=db;User=sa;Password=HUSH-1;"}, {"app", "--connection-string", "HUSH-1"}, {"openssl", "enc", "-k", "HUSH-1"},
		{"sudo", "mysql", "-pHUSH-1"}, {"env", "A=1", "mysqlpump", "-pHUSH-1"}, {"sh", "-c", "mysqldump -u root -pHUSH-1 db | gzip"}, {"sh", "-c", "export DB_PASSWORD=HUSH-1; run"},
		{"python3", "x.py", "-pHUSH1-1"}, {"app", "-p", "HUSH1-1"}, {"app", "--auth", "me:HUSH-1"}, {"app", "--auth.basic=me:HUSH-1"}, {"app", "--user=me:HUSH-1"}, {"app", "--proxy-user", "me:HUSH-1"},
		{"app", "--key", "HUSH-1"}, {"app", "KEY=HUSH-1"}, {"app", "--session=HUSH-1"}, {"app", "--pw", "HUSH-1"}, {"app", "--creds", "HUSH-1"}, {"app", "--jwt=HUSH-1"}, {"app", "--secret-key", "HUSH-1"},
		{"redis-server *:6379", "--masterauth", "HUSH-1"}, {"app", "--credentials=HUSH-1"}, {"app", "https://hooks.slack.com/services/T0/B0/HUSH-1"}, {"java", "jdbc:oracle:thin:me/HUSH-1@h:1521:x"},
		{"sqlplus", "me/HUSH-1@db"}, {"sh", "-c", "curl -u me:HUSH-1 https://x"},
		{"app", "AccountName=x;AccountKey=HUSH-1=="}, {"app", "https://x.blob/y?sv=1&sig=HUSH-1"},
	} {
		if got := probe.Scrub(args); strings.Contains(got, "HUSH") {
			t.Errorf("%q: the secret is left in %q", args, got)
		}
	}
}

func TestScrubKeepsWhatIsNoSecret(t *testing.T) {
	for _, args := range [][]string{
		{"prometheus", "--config.file=/etc/p.yml", "--web.listen-address=:9090"}, {"app", "--token-file=/run/token"}, {"app", "--password-file", "/x"},
		{"nginx: master process /usr/sbin/nginx -g daemon on;"}, {"postgres: 15/main: walwriter"}, {"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"},
		{"mysqld", "--port=3306"}, {"mysql", "--port=3306", "-P3306"}, {"docker", "run", "-p", "8080:80", "x"}, {"tar", "-p", "x"}, {"app", "--bypass=all", "--key=7"},
		{"app", "--key=/etc/tls/x.key", "--tls-key", "server.key"}, {"docker", "run", "--user=1000:1000", "-p", "127.0.0.1:80:80/tcp", "-p8080:80"}, {"ssh", "-p", "2222", "h"}, {"cc", "-pthread", "-pipe"},
		{"sh", "-c", "while true; do date; sleep 60; done"}, {"app", "--user=www-data", "--session", "/run/x"},
		{"java", "-Xmx1g", "-cp", "/a.jar:/b.jar", "kafka.Kafka", "server.properties"}, {"app", "https://user@host/x"}, {"app", "--author=me"},
	} {
		if got, want := probe.Scrub(args), strings.Join(args, " "); got != want {
			t.Errorf("%q became %q", args, got)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("--password", "x\x00y")
	f.Add("DB_TOKEN=a b", "\xff\xfe")
	f.Fuzz(func(t *testing.T, a, b string) {
		got := probe.Scrub([]string{"app", a, b})
		if !utf8.ValidString(got) || len(got) > 1100 || strings.ContainsAny(got, "\n\x00") {
			t.Errorf("%q", got)
		}
		// Whatever surrounds it, the value of an option named as a secret goes.
		if got := probe.Scrub([]string{"app", a, "--password=HUSHHUSH", b}); strings.Contains(got, "HUSHHUSH") {
			t.Errorf("%q %q: %q", a, b, got)
		}
	})
}
