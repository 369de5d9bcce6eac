package probe

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// The parsers read files that others write: whatever is in them, they must
// return. Each target also holds one property of what comes out.

func FuzzParsers(f *testing.F) {
	f.Add([]byte("Package: a\nStatus: install ok installed\nVersion: 1\n\n"))
	f.Add([]byte("P:a\nV:1\nF:usr\nR:x\n\n"))
	f.Add([]byte("1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"))
	f.Add([]byte("Id=a.timer\nTimersCalendar={ OnCalendar=daily ; next_elapse=x }\n\nId=b.service\n"))
	f.Add([]byte("*/5 * * * * root run-it --password=x\n@daily root y\n"))
	f.Add([]byte("  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 123 1"))
	f.Add([]byte("/dev/sda1 /a\\040b ext4 ro 0 0\n"))
	f.Add([]byte(`{"ID":"x","Name":"/y","State":{"Running":true}}`))
	f.Add([]byte("Name: x\nVersion: 1\n\nbody"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := string(data)
		packages, _ := parseDpkg(bytes.NewReader(data), Distro{ID: "debian"})
		for _, p := range packages {
			if p.Name == "" || p.Version == "" || p.PURL == "" || !utf8.ValidString(p.Name+p.Version+p.Vendor) {
				t.Errorf("dpkg: %+v", p)
			}
		}
		packages, _ = parseApk(bytes.NewReader(data), Distro{}, nil, nil)
		for _, p := range packages {
			if p.Name == "" || p.Version == "" || !utf8.ValidString(p.Name+p.Version) {
				t.Errorf("apk: %+v", p)
			}
		}
		if s, ok := parseStat(data); ok && !utf8.ValidString(s.name) {
			t.Errorf("stat: %+v", s)
		}
		for _, s := range parseUnits(data) {
			if s.Name == "" || s.Kind == "" || !utf8.ValidString(s.Name+s.Description) {
				t.Errorf("unit: %+v", s)
			}
		}
		for _, e := range append(parseCrontab(text, "/f", ""), parseCrontab(text, "/f", "me")...) {
			if e.Command == "" || !utf8.ValidString(e.Command+e.Schedule) {
				t.Errorf("cron: %+v", e)
			}
		}
		parseAnacrontab(text)
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			if s, ok := parseProcSocket(family, unix.IPPROTO_TCP, data); ok && !s.Local.IsValid() {
				t.Errorf("socket: %+v", s)
			}
		}
		parseMounts(text)
		parseModules(text)
		parseOSRelease(text)
		for _, u := range parseUsers(text, text) {
			if u.Name == "" || !utf8.ValidString(u.Name+u.Home) {
				t.Errorf("user: %+v", u)
			}
		}
		if c, ok := parseDocker(data); ok && c.ID == "" {
			t.Errorf("docker: %+v", c)
		}
		parseBundle(data)
		parseCloudInit(data)
		parseMetadata(data)
		parseGemspec(data, text)
		parseManifest(text)
		parseProperties(text)
		nodePackage(data, "/x", "/x")
		(&archives{marker: "/x", left: maxNested}).read(bytes.NewReader(data), int64(len(data)), "x-1.jar", "/x", 0)
		parseCertificates(data, "/x")
		parseSerialPage(data)
		HomeOf(cgroupPath(text))
		HomeOf(text)
		parseCapabilities(text)
	})
}

func FuzzKernelTables(f *testing.F) {
	f.Add(make([]byte, 100))
	// A seed with real messages: whatever this kernel answers.
	for _, kind := range []uint16{unix.RTM_GETLINK, unix.RTM_GETADDR, unix.RTM_GETROUTE} {
		_ = dump(unix.NETLINK_ROUTE, kind, make([]byte, 16), func(_ uint16, payload []byte) error {
			f.Add(bytes.Clone(payload))
			return nil
		})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if l, ok := parseLink(data); ok && l.out.Name == "" {
			t.Error("a link without a name")
		}
		if _, p, ok := parseAddress(data); ok && !p.IsValid() {
			t.Error("an address that is none")
		}
		parseRoute(data, nil)
		if s, ok := parseDiag(unix.IPPROTO_TCP, data); ok && !s.Local.IsValid() {
			t.Error("a socket without an address")
		}
		parseInotify(data)
		_, _, _ = messages(data, func(uint16, []byte) error { return nil })
	})
}

func FuzzRpm(f *testing.F) {
	f.Add([]byte("SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20"), []byte{})
	if data, err := os.ReadFile(filepath.Join("testdata", "seed.sqlite")); err == nil {
		f.Add(data, []byte{})
	}
	f.Fuzz(func(t *testing.T, database, wal []byte) {
		if h, err := parseRpmHeader(database); err == nil {
			if p, ok := h.pkg(Distro{}); ok && (p.Name == "" || !utf8.ValidString(p.Name+p.Version)) {
				t.Errorf("%+v", p)
			}
			h.files(func(string) {})
		}
		s, err := openSQLite(bytes.NewReader(database), int64(len(database)), wal)
		if err != nil {
			return
		}
		for root := range min(s.pages, 8) {
			_ = s.scan(root+1, func(record []byte) error { _, _ = sqliteRecord(record); return nil })
		}
		_, _ = s.table("Packages")
	})
}

func TestFingerprintsAreSound(t *testing.T) {
	all, err := parseFingerprints(productData)
	if err != nil {
		t.Fatal(err)
	}
	if len(all.byName) < 40 {
		t.Errorf("%d products, at least 40 are promised", len(all.byName))
	}
}
