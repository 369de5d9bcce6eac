package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

func TestHomes(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for path, want := range map[string]probe.Home{
		"/system.slice/nginx.service":                                        {Unit: "nginx.service"},
		"/system.slice/system-postgresql.slice/postgresql@15-main.service":   {Unit: "postgresql@15-main.service"},
		"/user.slice/user-1000.slice/session-3.scope":                        {Unit: "session-3.scope"},
		"/system.slice/docker-" + id + ".scope":                              {Container: id, Runtime: "docker"},
		"/docker/" + id:                                                      {Container: id, Runtime: "docker"},
		"/docker/" + id + "/system.slice/inner.service":                      {Container: id, Runtime: "docker"},
		"/machine.slice/libpod-" + id + ".scope/container":                   {Container: id, Runtime: "podman"},
		"/lxc/web/init.scope":                                                {Container: "web", Runtime: "lxc"},
		"/lxc.payload.web/init.scope":                                        {Container: "web", Runtime: "lxc"},
		"/machine.slice/systemd-nspawn@build\\x2dbox.service/payload":        {Unit: "systemd-nspawn@build\\x2dbox.service", Container: "build-box", Runtime: "systemd-nspawn"},
		"/kubepods/besteffort/pod0a1b2c3d-0000-1111-2222-333344445555/" + id: {Container: id, Runtime: "containerd", Pod: "0a1b2c3d-0000-1111-2222-333344445555"},
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_0000_1111_2222_333344445555.slice/crio-" + id + ".scope": {Container: id, Runtime: "cri-o", Pod: "0a1b2c3d-0000-1111-2222-333344445555"},
		"/": {}, "": {},
	} {
		if got := probe.HomeOf(path); got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

func TestContainersFromRuntimeState(t *testing.T) {
	ids := []string{strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64), strings.Repeat("d", 64)}
	machine := tree(t, map[string]string{
		"/var/lib/docker/containers/" + ids[0] + "/config.v2.json":                        `{"ID":"` + ids[0] + `","Name":"/web","Config":{"Image":"nginx:1.25","Env":["SECRET=HUSH"],"Labels":{}},"State":{"Running":true,"StartedAt":"2026-01-02T03:04:05.678Z"}}`,
		"/var/lib/docker/containers/" + ids[1] + "/config.v2.json":                        `{"ID":"` + ids[1] + `","Name":"/old","Config":{"Image":"x"},"State":{"Running":false,"StartedAt":"0001-01-01T00:00:00Z"}}`,
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + ids[2] + "/config.json": `{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.container-name":"api","io.kubernetes.cri.sandbox-name":"api-7d9","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.image-name":"shop/api:3"}}`,
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + ids[3] + "/config.json": `{"annotations":{"io.kubernetes.cri.container-type":"sandbox"}}`,
		"/var/lib/containers/storage/overlay-containers/containers.json":                  `[{"id":"pod1","names":["db"],"metadata":"{\"image-name\":\"postgres:16\"}"}]`,
		"/var/lib/lxc/mail/config": "lxc.uts.name = mail\n",
	})
	procs := []*probe.Proc{
		{PID: 10, Start: 500, Home: probe.Home{Container: ids[0], Runtime: "docker"}}, {PID: 11, Start: 400, Home: probe.Home{Container: ids[2], Runtime: "containerd"}},
		{PID: 12, Start: 300, Home: probe.Home{Container: ids[3], Runtime: "containerd"}}, {PID: 13, Home: probe.Home{Unit: "cron.service"}},
	}
	got, problems := probe.Containers(machine, procs, time.Unix(1700000000, 0))
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	by := map[string]report.Container{}
	for _, c := range got {
		by[c.Name] = c
	}
	if c := by["web"]; c.State != "running" || c.Image != "nginx:1.25" || c.StartedAt.Year() != 2026 || c.Runtime != "docker" {
		t.Errorf("web: %+v", c)
	}
	if c := by["old"]; c.State != "exited" || !c.StartedAt.IsZero() {
		t.Errorf("old: %+v", c)
	}
	if c := by["api"]; c.Pod != "api-7d9" || c.Namespace != "shop" || c.State != "running" || c.StartedAt.Unix() != 1700000004 {
		t.Errorf("api: %+v", c)
	}
	if by["db"].Image != "postgres:16" || by["mail"].Runtime != "lxc" || len(got) != 5 {
		t.Errorf("%d containers: %+v", len(got), got)
	}
}

func TestCron(t *testing.T) {
	machine := tree(t, map[string]string{
		"/etc/crontab":                 "SHELL=/bin/sh\nPATH=/bin:/usr/bin\n# m h\n17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n@reboot www start --token HUSH\n",
		"/etc/cron.d/backup":           "MAILTO=\"x@y\"\n0 3 * * 1-5 backup PGPASSWORD=HUSH pg_dump shop\n",
		"/etc/cron.d/backup.dpkg-old":  "0 0 * * * root never\n",
		"/var/spool/cron/crontabs/ann": "*/5 * * * * /home/ann/check\nFOO=bar\n",
		"/etc/cron.daily/logrotate":    "#!/bin/sh\n",
		"/etc/anacrontab":              "START_HOURS_RANGE=3-22\n7 25 cron.weekly nice run-parts /etc/cron.weekly\n",
	})
	got, problems := probe.Cron(machine)
	var lines []string
	for _, e := range got {
		lines = append(lines, strings.Join([]string{e.File, e.Schedule, e.User, e.Command}, "|"))
	}
	want := []string{
		"/etc/anacrontab|every 7 days|root|nice run-parts /etc/cron.weekly", "/etc/cron.d/backup|0 3 * * 1-5|backup|PGPASSWORD=[scrubbed] pg_dump shop",
		"/etc/cron.daily/logrotate|@daily|root|/etc/cron.daily/logrotate", "/etc/crontab|17 * * * *|root|cd / && run-parts --report /etc/cron.hourly",
		"/etc/crontab|@reboot|www|start --token [scrubbed]", "/var/spool/cron/crontabs/ann|*/5 * * * *|ann|/home/ann/check",
	}
	if !slices.Equal(lines, want) || len(problems) != 0 {
		t.Errorf("%s\nproblems %v", strings.Join(lines, "\n"), problems)
	}
}

func TestUsersThatCanLogIn(t *testing.T) {
	got, _ := probe.Users(tree(t, map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\nann:x:1000:1000:Ann:/home/ann:/bin/zsh\nold:x:5:5::/:\nsync:x:4:4::/bin:/bin/sync\nbroken:x\n+::::::\n",
		"/etc/group":  "root:x:0:\nann:x:1000:\nsudo:x:27:ann,bob\ndocker:x:999:ann\n",
	}))
	if len(got) != 3 || got[0].Name != "ann" || !slices.Equal(got[0].Groups, []string{"ann", "docker", "sudo"}) || got[1].Name != "old" {
		t.Errorf("%+v", got)
	}
}

func TestDisksOfHardware(t *testing.T) {
	got, _ := probe.Disks(tree(t, map[string]string{
		"/sys/block/sda/size": "976773168\n", "/sys/block/sda/queue/rotational": "1\n", "/sys/block/sda/device/vendor": "ATA     \n", "/sys/block/sda/device/model": "ST500DM002-1BD14 \n",
		"/sys/block/sda/device/vpd_pg80": "\x00\x80\x00\x08Z3TXXXX1", "/sys/block/sda/device/wwid": "naa.5000c5001\n",
		"/sys/block/nvme0n1/size": "1000215216\n", "/sys/block/nvme0n1/device/serial": "S5XX    \n", "/sys/block/nvme0n1/device/model": "Samsung SSD 980\n", "/sys/block/nvme0n1/wwid": "eui.00253\n", "/sys/block/nvme0n1/queue/rotational": "0\n",
		"/sys/block/dm-0/size": "100\n", "/sys/block/dm-0/dm/uuid": "LVM-abc\n", "/sys/block/dm-1/size": "100\n", "/sys/block/dm-1/dm/uuid": "CRYPT-LUKS2-x\n",
		"/sys/block/md0/size": "100\n", "/sys/block/loop0/size": "0\n", "/sys/block/vda/size": "100\n", "/sys/block/vda/serial": "vol-1\n", "/sys/block/vda/device/vendor": "0x1af4\n",
	}))
	var lines []string
	for _, d := range got {
		lines = append(lines, strings.Join([]string{d.Name, d.Kind, d.Vendor, d.Model, d.Serial, d.WWN}, "|"))
	}
	want := []string{"dm-0|lvm||||", "dm-1|crypt||||", "md0|raid||||", "nvme0n1|nvme||Samsung SSD 980|S5XX|eui.00253", "sda|hdd|ATA|ST500DM002-1BD14|Z3TXXXX1|naa.5000c5001", "vda|virtual|||vol-1|"}
	if !slices.Equal(lines, want) {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
}

func TestServicesWithoutSystemdSayWhy(t *testing.T) {
	got, problems := probe.Services(t.Context(), tree(t, map[string]string{"/proc/1/comm": "runit\n"}))
	if got == nil || len(got) != 0 || len(problems) != 1 || !strings.Contains(problems[0].Reason, "runit") {
		t.Errorf("%v %v", got, problems)
	}
}

func TestOpenRC(t *testing.T) {
	got, problems := probe.Services(t.Context(), tree(t, map[string]string{
		"/run/openrc/started/nginx": "-> /etc/init.d/nginx", "/run/openrc/failed/db": "-> /etc/init.d/db", "/etc/runlevels/default/nginx": "-> /etc/init.d/nginx",
		"/etc/init.d/nginx": "#!/sbin/openrc-run\ndescription=\"a web server\"\n", "/etc/init.d/db": "#!/sbin/openrc-run\n", "/etc/init.d/functions.sh": "#!/bin/sh\n",
	}))
	if len(got) != 2 || len(problems) != 0 || got[0].State != "failed" || got[1].State != "active" || got[1].Enabled != "enabled" || got[1].Description != "a web server" {
		t.Errorf("%+v %v", got, problems)
	}
}

func selfSigned(t *testing.T, name string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(0x1f), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(1800000000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, both
}

func TestCertificates(t *testing.T) {
	_, both := selfSigned(t, "www.example.org")
	_, anchor := selfSigned(t, "some authority")
	got, problems := probe.CertificateFiles(tree(t, map[string]string{
		"/etc/letsencrypt/live/www/fullchain.pem": both, "/etc/letsencrypt/live/www/privkey.pem": both, "/etc/ssl/certs/ca-certificates.crt": anchor,
		"/usr/share/ca-certificates/x.crt": anchor, "/etc/ssl/certs/x.pem": "-> /usr/share/ca-certificates/x.crt", "/etc/nginx/notes.txt": both, "/etc/nginx/bad.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	}))
	if len(got) != 1 || len(problems) != 0 {
		t.Fatalf("%+v %v", got, problems)
	}
	c := got[0]
	if c.Subject != "CN=www.example.org" || !c.SelfSigned || c.Serial != "1f" || len(c.Fingerprint) != 64 || c.NotAfter.Unix() != 1800000000 || c.Location != "/etc/letsencrypt/live/www/fullchain.pem" {
		t.Errorf("%+v", c)
	}
}

func TestListenerCertificates(t *testing.T) {
	certificate, _ := selfSigned(t, "live.example.org")
	serve := func(l net.Listener, err error) (report.Listener, *atomic.Int32) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		asked := new(atomic.Int32)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				asked.Add(1)
				go func() {
					defer c.Close()
					if c, ok := c.(*tls.Conn); ok {
						_ = c.HandshakeContext(context.Background())
						return
					}
					_, _ = c.Write([]byte("220 plain words\r\n"))
				}()
			}
		}()
		return report.Listener{Protocol: "tcp", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, PID: 7}, asked
	}
	open, _ := serve(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}}))
	// One that wants a certificate of its clients too, in the older protocol's order.
	mutual, _ := serve(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}))
	plain, asked := serve(net.Listen("tcp", "127.0.0.1:0"))
	var c probe.ListenerCertificates
	for range 2 {
		got := c.Collect(t.Context(), []report.Listener{open, mutual, plain})
		if len(got) != 2 || got[0].Subject != "CN=live.example.org" || got[1].Subject != "CN=live.example.org" {
			t.Errorf("%+v", got)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("a listener without TLS was asked %d times, and should be once in its life", n)
	}
}

func TestRecognise(t *testing.T) {
	for name, c := range map[string]struct {
		proc    probe.Proc
		product string
		version string
	}{
		"by program":                {probe.Proc{Exe: "/usr/sbin/nginx", Args: []string{"nginx: master process"}}, "nginx", ""},
		"unprivileged, by title":    {probe.Proc{Name: "nginx", Args: []string{"nginx: master process /usr/sbin/nginx -g daemon on;"}}, "nginx", ""},
		"version in the path":       {probe.Proc{Exe: "/usr/lib/postgresql/15/bin/postgres"}, "postgresql", "15"},
		"in a Java virtual machine": {probe.Proc{Exe: "/usr/lib/jvm/java-17/bin/java", Args: []string{"java", "-cp", "/opt/kafka/libs/kafka_2.13-3.6.1.jar", "kafka.Kafka", "server.properties"}}, "kafka", "3.6.1"},
		"an editor is no server":    {probe.Proc{Exe: "/usr/bin/vim", Args: []string{"vim", "kafka.Kafka"}}, "", ""},
		"another master":            {probe.Proc{Exe: "/opt/x/master", Args: []string{"master"}}, "", ""},
		"postfix's master":          {probe.Proc{Exe: "/usr/lib/postfix/sbin/master", Args: []string{"/usr/lib/postfix/sbin/master", "-w"}}, "postfix", ""},
	} {
		if got := probe.Recognise(&c.proc); got.Name != c.product || got.Version != c.version {
			t.Errorf("%s: %+v", name, got)
		}
	}
	installed := map[string]string{"nginx": "1.22.1-9+deb12u1", "postgresql-15": "15.8-0+deb12u1", "redis-server": "5:7.0.15-1~deb12u1"}
	for product, want := range map[string]string{"nginx": "1.22.1", "redis": "7.0.15", "postgresql": "15.8"} {
		hint := ""
		if product == "postgresql" {
			hint = "15"
		}
		if got := probe.ProductVersion(product, hint, installed); got != want {
			t.Errorf("%s: %q, want %q", product, got, want)
		}
	}
}

func TestHardwareFromFiles(t *testing.T) {
	cpu := ""
	for _, n := range []string{"0", "1", "2", "3"} {
		core := string('0' + n[0]%2)
		cpu += "processor\t: " + n + "\nmodel name\t: Xeon   Gold  6338\nphysical id\t: 0\ncore id\t\t: " + core + "\ncpu cores\t: 2\nflags\t\t: fpu\n\n"
	}
	got, problems := probe.Hardware(t.Context(), tree(t, map[string]string{"/proc/cpuinfo": cpu, "/proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\nSwapTotal:       2000000 kB\n",
		"/proc/self/mounts": "/dev/sda1 / ext4 rw 0 0\n", "/proc/2/comm": "kthreadd\n", "/sys/class/dmi/id/bios_vendor": "Dell Inc.\n", "/sys/class/dmi/id/bios_version": "1.9\n"}))
	if got.CPUThreads != 4 || got.CPUSockets != 1 || got.CPUModel != "Xeon Gold 6338" || got.MemoryBytes != 16000000*1024 || got.BIOSVendor != "Dell Inc." || len(problems) != 0 {
		t.Errorf("%+v %v", got, problems)
	}
}

func TestFilesystemsThatStoreSomething(t *testing.T) {
	machine := tree(t, map[string]string{
		"/proc/2/comm": "kthreadd\n", "/proc/self/mounts": "/dev/sda1 / ext4 ro 0 0\n",
		"/proc/1/mounts": "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sda2 /data\\040disk xfs ro 0 0\n/dev/sda1 /var/lib/docker/bind ext4 rw 0 0\n" +
			"overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/loop3 /snap/core squashfs ro 0 0\n",
		"/data disk/x": "",
	})
	got, problems := probe.Filesystems(t.Context(), machine)
	if len(got) != 2 || got[0].Mountpoint != "/" || got[0].ReadOnly || got[0].SizeBytes == 0 || got[1].Mountpoint != "/data disk" || !got[1].ReadOnly || got[1].Type != "xfs" {
		t.Errorf("%+v", got)
	}
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
}

func TestProcessesFoldByWhatTheyRun(t *testing.T) {
	proc := func(pid int, exe string, args ...string) *probe.Proc {
		return &probe.Proc{PID: pid, Start: uint64(pid), Name: "x", Exe: exe, Args: args}
	}
	var procs []*probe.Proc
	add := func(exe string, args ...string) { procs = append(procs, proc(len(procs)+1, exe, args...)) }
	add("/usr/bin/python3.11", "python3", "app.py", "--port=1", "--password=HUSH")
	add("/usr/bin/python3.11", "python3", "app.py", "--port=2")
	add("/usr/bin/python3.11", "python3", "app.py", "--port=2")
	add("/usr/sbin/nginx", "nginx: master process /usr/sbin/nginx")
	add("/usr/sbin/nginx", "nginx: worker process")
	for i := range 30 {
		add("/usr/lib/cc1", "cc1", fmt.Sprint(i, ".c"))
	}
	got := map[string]int{}
	for _, p := range probe.FoldProcesses(procs, time.Time{}, nil) {
		got[p.Command] = p.Count
	}
	want := map[string]int{
		"python3 app.py --port=1 --password=[scrubbed]": 1, "python3 app.py --port=2": 2,
		"nginx: master process /usr/sbin/nginx": 2, "cc1 0.c": 30,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
