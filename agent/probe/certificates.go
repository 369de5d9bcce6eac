package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

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
	for _, place := range certificatePlaces {
		base := t.Path(place)
		_ = filepath.WalkDir(base, func(path string, entry fs.DirEntry, err error) error {
			name := strings.TrimPrefix(path, strings.TrimSuffix(t.root, "/"))
			if err != nil {
				p.denied(err, "CAP_DAC_READ_SEARCH", "certificates in "+name)
				if entry != nil && entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if entry.IsDir() {
				if strings.Count(strings.TrimPrefix(path, base), "/") > maxCertificateDepth {
					return fs.SkipDir
				}
				return nil
			}
			if files >= maxCertificateFiles || !certificateName(entry.Name()) || t.isAnchor(name) {
				return nil
			}
			info, err := os.Stat(path)
			if err != nil {
				p.denied(err, "CAP_DAC_READ_SEARCH", "certificates in "+filepath.Dir(name))
				return nil
			}
			if !info.Mode().IsRegular() || info.Size() > maxCertificateFile {
				return nil
			}
			files++
			data, err := t.read(name)
			if err != nil {
				p.denied(err, "CAP_DAC_READ_SEARCH", "certificates in "+filepath.Dir(name))
				return nil
			}
			for _, c := range parseCertificates(data, name) {
				if key := c.Fingerprint + c.Location; !seen[key] {
					seen[key] = true
					out = append(out, c)
				}
			}
			return nil
		})
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

// tlsPorts speak TLS from the first byte, by custom. Others are not tried: an
// unexpected handshake is noise in somebody's log.
var tlsPorts = map[int]bool{
	443: true, 465: true, 636: true, 853: true, 989: true, 990: true, 992: true, 993: true, 995: true, 2376: true, 2379: true, 2380: true, 3269: true, 4443: true,
	5061: true, 5671: true, 5986: true, 6443: true, 6514: true, 8443: true, 8883: true, 9443: true, 10250: true, 10257: true, 10259: true, 15671: true, 61617: true,
}

// ListenerCertificates asks the host's own TLS listeners for what they present.
func ListenerCertificates(ctx context.Context, listeners []report.Listener) []report.Certificate {
	var out []report.Certificate
	done := make(map[int]bool)
	for _, l := range listeners {
		if !strings.HasPrefix(l.Protocol, "tcp") || !tlsPorts[l.Port] || l.Namespace != "" || done[l.Port] {
			continue
		}
		done[l.Port] = true
		host := l.Address
		switch host {
		case "0.0.0.0":
			host = "127.0.0.1"
		case "::":
			host = "::1"
		}
		out = append(out, presented(ctx, net.JoinHostPort(host, strconv.Itoa(l.Port)), "listener:"+strconv.Itoa(l.Port))...)
	}
	sortCertificates(out)
	return out
}

// presented makes a handshake far enough to see the certificate. It is not
// verified: an expired or foreign one is just what should be reported.
func presented(ctx context.Context, address, location string) []report.Certificate {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // nothing is sent, the certificate is only looked at
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil
	}
	defer connection.Close()
	secured, ok := connection.(*tls.Conn)
	if !ok {
		return nil
	}
	state := secured.ConnectionState()
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	return []report.Certificate{certificate(state.PeerCertificates[0], location)}
}
