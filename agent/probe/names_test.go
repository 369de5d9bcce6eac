package probe

import (
	"net/netip"
	"testing"
)

func TestProgramsAreNamedAsPeopleKnowThem(t *testing.T) {
	for _, c := range []struct {
		comm, exe string
		args      []string
		want      string
	}{
		{"redis-server", "/usr/bin/redis-check-rdb", []string{"/usr/bin/redis-server 127.0.0.1:6379"}, "redis-server"},
		{"redis-sentinel", "/usr/bin/redis-check-rdb", []string{"/usr/bin/redis-sentinel *:26379 [sentinel]"}, "redis-sentinel"},
		{"valkey-server", "/usr/bin/valkey-check-aof", []string{"/usr/bin/valkey-server", "/etc/valkey.conf"}, "valkey-server"},
		{"syslogd", "/bin/busybox", []string{"/sbin/syslogd", "-n"}, "syslogd"},
		{"kvm", "/usr/bin/qemu-system-x86_64", []string{"/usr/bin/kvm", "-id", "101"}, "kvm"},
		{"a-name-of-very-", "/opt/multi", []string{"/opt/a-name-of-very-many-letters"}, "a-name-of-very-many-letters"},
		{"systemd", "/usr/lib/systemd/systemd", []string{"/sbin/init"}, "systemd"},
		{"mariadbd", "/usr/sbin/mariadbd", []string{"/usr/sbin/mariadbd"}, "mariadbd"},
		{"nginx", "/usr/sbin/nginx", []string{"nginx: master process /usr/sbin/nginx"}, "nginx"},
		{"php-fpm8.2", "/usr/sbin/php-fpm8.2", []string{"php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"}, "php-fpm8.2"},
		{"renamed", "/usr/bin/real", []string{"/usr/bin/real"}, "real"},
		{"postgres", "/usr/lib/postgresql/15/bin/postgres", []string{"postgres: walwriter "}, "postgres"},
		{"sshd", "/usr/sbin/sshd", []string{"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"}, "sshd"},
		{"bash", "/usr/bin/bash", []string{"-bash"}, "bash"},

		{"python3", "/usr/bin/python3.11", []string{"python3", "/opt/shop/app.py", "--port", "8000"}, "app.py"},
		{"app.py", "/usr/bin/python3.11", []string{"/usr/bin/python3", "/opt/shop/app.py"}, "app.py"},
		{"python3", "/usr/bin/python3.11", []string{"python3", "-u", "-W", "ignore", "-m", "http.server", "80"}, "http.server"},
		{"gunicorn", "/usr/bin/python3.11", []string{"/usr/bin/python3", "/usr/bin/gunicorn", "shop:app"}, "gunicorn"},
		{"python3", "/usr/bin/python3.11", []string{"python3", "-c", "import time; time.sleep(9)"}, "python3.11"},
		{"python3", "/usr/bin/python3.11", []string{"python3"}, "python3.11"},
		{"python3", "", []string{"/usr/bin/python3", "/opt/shop/app.py"}, "app.py"},
		{"perl", "/usr/bin/perl", []string{"/usr/bin/perl", "-wT", "/usr/sbin/munin-node"}, "munin-node"},
		{"perl", "/usr/bin/perl", []string{"perl", "-e", "sleep 1"}, "perl"},
		{"ruby", "/usr/bin/ruby3.1", []string{"ruby", "-I", "lib", "/usr/bin/sidekiq"}, "sidekiq"},
		{"node", "/usr/bin/node", []string{"node", "--max-old-space-size=4096", "-r", "dotenv/config", "/srv/api/server.js"}, "server.js"},
		{"node", "/usr/bin/node", []string{"node", "-e", "x()"}, "node"},
		{"deno", "/usr/bin/deno", []string{"deno", "run", "--allow-net", "main.ts"}, "main.ts"},
		{"php", "/usr/bin/php8.2", []string{"php", "/var/www/artisan", "queue:work"}, "artisan"},
		{"php", "/usr/bin/php8.2", []string{"php", "-S", "0.0.0.0:80"}, "php8.2"},
		{"run.sh", "/usr/bin/dash", []string{"/bin/sh", "/opt/x/run.sh", "secret"}, "run.sh"},
		{"sh", "/usr/bin/dash", []string{"sh", "-c", "curl -u u:p http://x"}, "dash"},
		{"bash", "/usr/bin/bash", []string{"bash", "-e", "/opt/y.sh"}, "y.sh"},
		{"java", "/usr/lib/jvm/17/bin/java", []string{"java", "-Xmx1g", "-cp", "/a:/b", "-Dx=y", "kafka.Kafka", "server.properties"}, "kafka.Kafka"},
		{"java", "/usr/lib/jvm/17/bin/java", []string{"java", "--add-opens", "java.base/java.lang=ALL-UNNAMED", "-jar", "/opt/app/shop.jar"}, "shop.jar"},
		{"java", "/usr/lib/jvm/17/bin/java", []string{"java", "-m", "shop.core/org.shop.Main"}, "org.shop.Main"},
		{"dotnet", "/usr/bin/dotnet", []string{"dotnet", "exec", "--depsfile", "a.json", "/srv/Shop.dll"}, "Shop.dll"},
		{"python3", "/usr/bin/python3.11", []string{"python3", "token=abc def"}, "python3.11"},
	} {
		p := &Proc{PID: 9, Name: c.comm, Exe: c.exe, Args: c.args}
		if got := p.Program(); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.exe, c.args, got, c.want)
		}
	}
	redis := &Proc{Name: "redis-server", Exe: "/usr/bin/redis-check-rdb", Args: []string{"/usr/bin/redis-server 127.0.0.1:6379"}}
	if got := Recognise(redis); got.Name != "redis" && got.Name != "Redis" {
		t.Errorf("redis is recognised as %+v", got)
	}
}

func TestArchivesAreNamedByTheirLastVersion(t *testing.T) {
	for file, want := range map[string][2]string{
		"log4j-1.2-api-2.17.1.jar": {"log4j-1.2-api", "2.17.1"}, "log4j-1.2.17.jar": {"log4j", "1.2.17"}, "guava-31.1-jre.jar": {"guava", "31.1-jre"}, "guava-33.0.0-android.jar": {"guava", "33.0.0-android"},
		"scala-library_2.13-2.13.8.jar": {"scala-library_2.13", "2.13.8"}, "spark-core_2.12-3.1.1.jar": {"spark-core_2.12", "3.1.1"}, "servlet-api-2.5-6.1.14.jar": {"servlet-api-2.5", "6.1.14"},
		"shadow-app-3.2.0-all.jar": {"shadow-app", "3.2.0"}, "x-1.0-jar-with-dependencies.jar": {"x", "1.0"}, "x-1.0-SNAPSHOT.jar": {"x", "1.0-SNAPSHOT"}, "x-1.0-20190101.123456-1.jar": {"x", "1.0-20190101.123456-1"},
		"x-1.0.0-SNAPSHOT-exec.jar": {"x", "1.0.0-SNAPSHOT"}, "netty-tcnative-2.0.54.Final-linux-x86_64.jar": {"netty-tcnative", "2.0.54.Final"}, "jsr305-3.0.2.jar": {"jsr305", "3.0.2"}, "h2-1.4.200.jar": {"h2", "1.4.200"},
		"json-20220320.jar": {"json", "20220320"}, "bcprov-jdk15on-1.70.jar": {"bcprov-jdk15on", "1.70"}, "x-1.0-rc-2.jar": {"x", "1.0-rc-2"}, "hibernate-5.6.0.Final.jar": {"hibernate", "5.6.0.Final"}, "plain.jar": {"plain", ""},
		"org.eclipse.core_3.15.0.v2019.jar": {"org.eclipse.core", "3.15.0.v2019"}, "boot.war": {"boot", ""}, "geronimo-jta_1.1_spec-1.1.1.jar": {"geronimo-jta_1.1_spec", "1.1.1"}, "x-1.2.3-custom.jar": {"x", "1.2.3"}, "jsp-api-2.1-glassfish-2.1.v20091210.jar": {"jsp-api-2.1-glassfish", "2.1.v20091210"},
		"my-app.jar": {"my-app", ""}, "log4j-1.2-api-2.17.1-sources.jar": {"log4j-1.2-api", "2.17.1"},
	} {
		if name, version := jarName(file); name != want[0] || version != want[1] {
			t.Errorf("%s: %q %q, want %q", file, name, version, want)
		}
	}
}

func TestSocketUnitsNameTheirService(t *testing.T) {
	parse := func(name, text string) []activation { return parseSocketUnit(name, text) }
	units := append(parse("mariadb.socket", "[Socket]\nListenStream=/run/mysqld/mysqld.sock\nListenStream=3306\n"),
		append(parse("ssh.socket", "[Socket]\nListenStream=22\nAccept=no\n\nListenStream=\nListenStream=0.0.0.0:2222\nListenStream=[::]:2222\n"),
			append(parse("sshd.socket", "ListenStream=23\nAccept=yes\n"),
				append(parse("libvirtd-tcp.socket", "ListenStream = 16509\nService = libvirtd.service\n"), parse("x.socket", "ListenDatagram=127.0.0.1:514\nListenStream=127.0.0.1:631\n")...)...)...)...)
	any6, any4, loop := netip.MustParseAddr("::"), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		protocol string
		address  netip.Addr
		port     uint16
		want     string
	}{
		{"tcp6", any6, 3306, "mariadb.service"}, {"tcp", any4, 3306, "mariadb.service"}, {"tcp", any4, 2222, "ssh.service"}, {"tcp6", any6, 2222, "ssh.service"}, {"tcp", any4, 22, ""}, {"tcp6", any6, 23, "sshd.socket"},
		{"tcp6", any6, 16509, "libvirtd.service"}, {"udp", loop, 514, "x.service"}, {"tcp", loop, 514, ""}, {"tcp", loop, 631, "x.service"},
	} {
		if got := activated(units, c.protocol, c.address, c.port); got != c.want {
			t.Errorf("%s %s %d: %q, want %q", c.protocol, c.address, c.port, got, c.want)
		}
	}
}

func TestServiceManagerIsTheLastHolder(t *testing.T) {
	init, service := &Proc{PID: 1, Start: 1}, &Proc{PID: 900, Start: 500}
	if !init.manages() || service.manages() || !(&Proc{PID: 1200, Home: Home{Unit: "init.scope"}}).manages() {
		t.Error("who manages services is not told apart")
	}
}

func TestPipLeavesNoPackage(t *testing.T) {
	for entry, want := range map[string]bool{"0umpy-1.19.0.dist-info": true, "numpy-1.19.0.dist-info": false, "2to3-1.0.dist-info": false, "7zip-1.dist-info": false} {
		name := map[string]string{"0umpy-1.19.0.dist-info": "numpy", "numpy-1.19.0.dist-info": "numpy", "2to3-1.0.dist-info": "2to3", "7zip-1.dist-info": "7zip"}[entry]
		if got := leftOver(entry, name); got != want {
			t.Errorf("%s: %v", entry, got)
		}
	}
}
