package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchbill/watchbill/cmdb/report"
)

// certificatePlaces are where services keep the certificates they present.
// Bundles of trusted authorities are no property of the host and left out.
var certificatePlaces = []string{
	"/etc/ssl", "/etc/letsencrypt/live", "/etc/pki/tls/certs", "/etc/pki/tls/private", "/etc/nginx", "/etc/apache2", "/etc/httpd", "/etc/haproxy",
	"/etc/caddy", "/var/lib/caddy", "/etc/traefik", "/etc/envoy", "/etc/dovecot", "/etc/postfix", "/etc/exim4", "/etc/postgresql", "/etc/mysql",
	"/etc/redis", "/etc/rabbitmq", "/etc/mosquitto", "/etc/elasticsearch/certs", "/etc/kubernetes/pki", "/etc/kubernetes/ssl", "/var/lib/kubelet/pki",
	"/etc/etcd", "/etc/docker", "/etc/openvpn", "/etc/ipsec.d/certs", "/etc/swanctl/x509", "/etc/ldap", "/etc/openldap/certs", "/etc/prometheus",
	"/etc/alertmanager", "/etc/grafana", "/etc/gitlab/ssl", "/etc/vault.d", "/etc/consul.d", "/etc/cockpit/ws-certs.d", "/etc/freeradius", "/etc/watchbill",
}

const (
	maxCertificateFile  = 1 << 20
	maxCertificateFiles = 2000
	maxCertificateDepth = 5
)

// CertificateFiles finds certificates in well-known directories. Of a file it
// keeps the blocks that are certificates; a key beside them is never decoded.
func CertificateFiles(t Tree) ([]report.Certificate, []report.Problem) {
	var p problems
	out := []report.Certificate{}
	files := 0
	seen := make(map[string]bool)
	var visit func(dir string, depth int)
	visit = func(dir string, depth int) {
		entries, err := t.list(dir)
		if err != nil {
			if !errors.Is(err, unix.ENOTDIR) {
				p.denied(err, "CAP_DAC_READ_SEARCH", "certificates in "+dir)
			}
			return
		}
		for _, entry := range entries {
			name := dir + "/" + entry.Name()
			if entry.IsDir() {
				if depth < maxCertificateDepth {
					visit(name, depth+1)
				}
				continue
			}
			if files >= maxCertificateFiles || !certificateName(entry.Name()) || t.isAnchor(name) {
				continue
			}
			info, err := t.stat(name)
			if err == nil && (!info.regular() || info.size > maxCertificateFile) {
				continue
			}
			var away awayError
			if err != nil && !errors.As(err, &away) {
				p.denied(err, "CAP_DAC_READ_SEARCH", "certificates in "+dir)
				continue
			}
			files++
			data, err := t.read(name)
			if err != nil {
				p.denied(err, "CAP_DAC_READ_SEARCH", "certificates in "+dir)
				continue
			}
			for _, c := range parseCertificates(data, name) {
				if key := c.Fingerprint + c.Location; !seen[key] {
					seen[key] = true
					out = append(out, c)
				}
			}
		}
	}
	for _, place := range certificatePlaces {
		visit(place, 0)
	}
	if files >= maxCertificateFiles {
		p.add("", "certificates: stopped after %d files", maxCertificateFiles)
	}
	sortCertificates(out)
	return out, p.list
}

func sortCertificates(list []report.Certificate) {
	sort.Slice(list, func(i, j int) bool {
		if list[i].Location != list[j].Location {
			return list[i].Location < list[j].Location
		}
		return list[i].Fingerprint < list[j].Fingerprint
	})
}

func certificateName(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".pem", ".crt", ".cer", ".cert", ".der", ".chain":
	default:
		return false
	}
	// Names that say "key" are not even opened.
	lower := strings.ToLower(name)
	return !strings.Contains(lower, "privkey") && !strings.HasSuffix(lower, "-key.pem") && !strings.HasSuffix(lower, ".key.pem") && !strings.HasPrefix(lower, "dhparam")
}

// isAnchor says whether a file is one of the trusted authorities that
// distributions install.
func (t Tree) isAnchor(name string) bool {
	switch baseName(name) {
	case "ca-certificates.crt", "ca-bundle.crt", "ca-bundle.trust.crt", "tls-ca-bundle.pem", "cert.pem":
		return strings.HasPrefix(name, "/etc/ssl") || strings.HasPrefix(name, "/etc/pki")
	}
	if !strings.HasPrefix(name, "/etc/ssl/certs/") && !strings.HasPrefix(name, "/etc/pki/tls/certs/") {
		return false
	}
	return t.link(name) != "" // c_rehash's links and links into /usr/share/ca-certificates
}

// parseCertificates reads PEM blocks, or one DER certificate.
func parseCertificates(data []byte, location string) []report.Certificate {
	var out []report.Certificate
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		if c, err := x509.ParseCertificate(data); err == nil {
			out = append(out, certificate(c, location))
		}
		return out
	}
	for {
		var block *pem.Block
		block, data = pem.Decode(data)
		if block == nil {
			return out
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, certificate(c, location))
		}
	}
}

func certificate(c *x509.Certificate, location string) report.Certificate {
	sum := sha256.Sum256(c.Raw)
	out := report.Certificate{
		Fingerprint: hex.EncodeToString(sum[:]), Subject: strings.ToValidUTF8(c.Subject.String(), "?"), Issuer: strings.ToValidUTF8(c.Issuer.String(), "?"),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Location: location,
		SelfSigned: bytes.Equal(c.RawSubject, c.RawIssuer),
	}
	if c.SerialNumber != nil {
		out.Serial = c.SerialNumber.Text(16)
	}
	for _, name := range c.DNSNames {
		out.DNSNames = append(out.DNSNames, strings.ToValidUTF8(name, "?"))
	}
	for _, address := range c.IPAddresses {
		out.DNSNames = append(out.DNSNames, address.String())
	}
	return out
}

// plainPorts do not speak TLS from the first byte, by custom. They are not tried: an
// unexpected handshake is noise in somebody's log, and MySQL counts it against
// the host.
var plainPorts = map[int]bool{
	21: true, 22: true, 23: true, 25: true, 53: true, 80: true, 88: true, 110: true, 111: true, 119: true, 139: true, 143: true, 179: true, 389: true, 445: true, 514: true, 515: true, 587: true, 631: true, 873: true,
	1433: true, 1521: true, 1883: true, 2049: true, 2181: true, 3128: true, 3306: true, 3389: true, 4222: true, 5060: true, 5432: true, 5672: true, 5900: true, 6379: true, 6432: true, 7471: true, 9042: true, 9092: true,
	10050: true, 10051: true, 11211: true, 27017: true, 33060: true,
}

// ListenerCertificates asks the host's own listeners for the certificates they
// present. A listener that turned out not to speak TLS is not asked again while
// its process lives. Not safe for concurrent use.
type ListenerCertificates struct{ plain map[listenerLife]bool }

// listenerLife is one listener of one process.
type listenerLife struct {
	address   string
	port, pid int
}

const (
	handshakes        = 8 // at a time: a listener that waits for more says nothing for long
	handshakePatience = 700 * time.Millisecond
)

// Collect shakes hands with every TCP listener that may speak TLS.
func (l *ListenerCertificates) Collect(ctx context.Context, listeners []report.Listener) []report.Certificate {
	type answer struct {
		life  listenerLife
		found []report.Certificate
	}
	answers := make(chan answer)
	turn := make(chan struct{}, handshakes)
	asked := make(map[int]bool)
	was := l.plain
	l.plain = make(map[listenerLife]bool)
	waiting := 0
	for _, x := range listeners {
		life := listenerLife{x.Address, x.Port, x.PID}
		if !strings.HasPrefix(x.Protocol, "tcp") || x.Namespace != "" || plainPorts[x.Port] || asked[x.Port] {
			continue
		}
		if was[life] {
			l.plain[life] = true
			continue
		}
		asked[x.Port] = true
		host := x.Address
		switch host {
		case "0.0.0.0":
			host = "127.0.0.1"
		case "::":
			host = "::1"
		}
		waiting++
		go func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			answers <- answer{life, presented(ctx, net.JoinHostPort(host, strconv.Itoa(life.port)), "listener:"+strconv.Itoa(life.port))}
		}()
	}
	var out []report.Certificate
	for range waiting {
		a := <-answers
		if len(a.found) == 0 && ctx.Err() == nil {
			l.plain[a.life] = true
		}
		out = append(out, a.found...)
	}
	sortCertificates(out)
	return out
}

// presented makes a handshake far enough to see the certificate. It is not
// verified: an expired or foreign one is just what should be reported. A server
// that wants one of us too breaks the handshake off, after it has shown its own.
func presented(ctx context.Context, address, location string) []report.Certificate {
	ctx, cancel := context.WithTimeout(ctx, handshakePatience)
	defer cancel()
	var raw []byte
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // nothing is sent, the certificate is only looked at
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			raw = chain[0]
			return nil
		},
	}}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		defer connection.Close()
	}
	if raw == nil {
		return nil
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil
	}
	return []report.Certificate{certificate(c, location)}
}
