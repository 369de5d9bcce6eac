package watchbill_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/internal/app"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine/ruletest"
	"github.com/watchbill/watchbill/internal/notify"
)

// Every example that we ship is read by the program that it is for.
func TestExamples(t *testing.T) {
	readers := map[string]func(t *testing.T, path string) error{
		"watchbill.yml": func(_ *testing.T, path string) error {
			c, err := config.Load(path)
			if err == nil {
				_, err = app.Rules(c)
			}
			return err
		},
		"receivers.yml": func(_ *testing.T, path string) error {
			_, err := notify.LoadReceivers(path, &url.URL{Scheme: "https", Host: "watchbill.example.org"}, slog.New(slog.DiscardHandler))
			return err
		},
		"rules_test.yml": func(_ *testing.T, path string) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = ruletest.Parse(f) // that its tests pass is tested where rules are made
			return err
		},
		"agent.yml": func(_ *testing.T, path string) error { _, err := agent.LoadConfig(path); return err },
		"web.yml":   func(t *testing.T, path string) error { return web.Validate(withCertificate(t, path)) },
		// Environment files: every line sets a variable that the program knows.
		"watchbill.default":       func(t *testing.T, path string) error { return knownVariables(t, path, "./cmd/watchbill", "server") },
		"watchbill-agent.default": func(t *testing.T, path string) error { return knownVariables(t, path, "./cmd/watchbill-agent") },
	}
	files, err := os.ReadDir("deploy/examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		read := readers[f.Name()]
		if read == nil {
			t.Errorf("deploy/examples/%s: no program reads it in this test", f.Name())
			continue
		}
		t.Run(f.Name(), func(t *testing.T) {
			if err := read(t, filepath.Join("deploy/examples", f.Name())); err != nil {
				t.Error(err)
			}
		})
	}
}

// withCertificate copies a TLS configuration with a certificate that is there.
func withCertificate(t *testing.T, path string) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	b, err := os.ReadFile(path)
	must(err)
	out := filepath.Join(dir, "web.yml")
	must(os.WriteFile(out, []byte(strings.ReplaceAll(string(b), "/etc/watchbill/", dir+"/")), 0o600))
	return out
}

func knownVariables(t *testing.T, path, program string, command ...string) error {
	t.Helper()
	help, err := exec.Command("go", append(append([]string{"run", program}, command...), "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s --help: %v\n%s", program, err, help)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		name, _, sets := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "#"), "=")
		if sets && strings.HasPrefix(name, "WATCHBILL_") && !strings.Contains(string(help), "$"+name) {
			t.Errorf("%s sets %s, which the program does not know", path, name)
		}
	}
	return nil
}

// A unit's user is one that somebody creates: systemd itself, or the file for
// systemd-sysusers beside it.
func TestUnitsHaveTheirUser(t *testing.T) {
	users, err := os.ReadFile("deploy/systemd/watchbill.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	units, err := filepath.Glob("deploy/systemd/*.service")
	if err != nil || len(units) == 0 {
		t.Fatal("no units", err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			name, ok := strings.CutPrefix(strings.TrimSpace(line), "User=")
			if ok && !strings.Contains(string(text), "DynamicUser=yes") && !strings.Contains(string(users), "u "+name+" ") {
				t.Errorf("%s wants the user %q, which nothing creates", unit, name)
			}
		}
	}
}

// systemd reads the units; it complains about every directive that it does not know.
func TestUnits(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing: install systemd")
		}
		t.Skip("SKIPPED: systemd-analyze is missing, the units are not tested")
	}
	units, err := filepath.Glob("deploy/systemd/*.service")
	if err != nil || len(units) == 0 {
		t.Fatalf("units: %v %v", units, err)
	}
	for _, u := range units {
		b, err := os.ReadFile(u)
		if err != nil {
			t.Fatal(err)
		}
		// The programs are not installed here.
		text := strings.NewReplacer("/usr/bin/watchbill-agent", "/bin/true", "/usr/bin/watchbill", "/bin/true").Replace(string(b))
		file := filepath.Join(t.TempDir(), filepath.Base(u))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(verify, "verify", file).CombinedOutput(); err != nil || strings.Contains(string(out), filepath.Base(u)) {
			t.Errorf("%s: %v\n%s", u, err, out)
		}
	}
}
