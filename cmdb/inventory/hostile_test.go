package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/fault"
)

// hostile sections: what is sent as data, and what the reason must say; "" where
// it must be taken.
var hostile = []struct{ section, name, data, says string }{
	{"host", "a name of 10 MB", `{"hostname":"` + strings.Repeat("a", 10<<20) + `"}`, "bytes, more than"},
	{"host", "a name of 1 MB", `{"hostname":"` + strings.Repeat("a", 1<<20) + `"}`, "hostname: longer than 1024 bytes"},
	{"host", "a cloud id of 1 MB", `{"hostname":"web-1","cloud":{"instance_id":"` + strings.Repeat("a", 1<<20) + `"}}`, "cloud.instance_id: longer than"},
	{"host", "a list", `["web-1"]`, "cannot be read"},
	{"host", "no JSON", `{"hostname":`, "cannot be read"},
	{"os", "a number for a text", `{"id":12}`, "cannot be read"},
	{"os", "an unknown field with depth", `{"id":"debian","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, ""},
	{"os", "bottomless", `{"id":"debian","x":` + strings.Repeat("[", 1_000_000), "cannot be read"},
	{"hardware", "no number", `{"memory_bytes":NaN}`, "cannot be read"},
	{"hardware", "a number too large", `{"memory_bytes":1e400}`, "cannot be read"},
	{"hardware", "a negative size", `{"memory_bytes":-1}`, "cannot be read"},
	{"hardware", "negative cores", `{"cpu_cores":-4}`, ""},
	{"interfaces", "an address that is none", `[{"name":"eth0","addresses":["10.0.0.1"]}]`, "element 0: addresses: want CIDR notation"},
	{"interfaces", "a name with a line break", `[{"name":"eth0\nroot"}]`, "control character"},
	{"disks", "a serial of 1 MB", `[{"name":"sda","serial":"` + strings.Repeat("9", 1<<20) + `"}]`, "serial: longer than"},
	{"packages", "one without a name", `[{"type":"deb","name":"a","version":"1"},{"type":"deb","version":"1"}]`, "element 1: name: missing"},
	{"packages", "the same one a thousand times", `[` + strings.Repeat(`{"type":"deb","name":"bash","version":"5.2"},`, 999) + `{"type":"deb","name":"bash","version":"5.2"}]`, ""},
	{"packages", "names that are not UTF-8", "[{\"type\":\"deb\",\"name\":\"b\xff\xfeash\",\"version\":\"\xc3\x28\"}]", ""},
	{"packages", "a version of 1 MB", `[{"type":"deb","name":"a","version":"` + strings.Repeat("1.", 1<<19) + `"}]`, "element 0: version: longer than"},
	{"services", "a text for a list", `"all of them"`, "cannot be read"},
	{"services", "empty names", `[{"name":"","state":"active"}]`, "element 0: name: missing"},
	{"listeners", "a million ports", `[` + strings.Repeat(`{"port":1},`, 999_999) + `{"port":1}]`, "more than"},
	{"listeners", "a port below 0", `[{"protocol":"tcp","port":-22}]`, "element 0: port: want 1 to 65535, got -22"},
	{"listeners", "a port that is a text", `[{"protocol":"tcp","port":"22"}]`, "cannot be read"},
	{"listeners", "a fraction of a port", `[{"protocol":"tcp","port":22.5}]`, "cannot be read"},
	{"listeners", "an address that is a command", `[{"protocol":"tcp","port":22,"address":"$(reboot)"}]`, "address: want an IP address"},
	{"connections", "no direction", `[{"peer_address":"10.0.0.1"}]`, `direction: want "inbound" or "outbound"`},
	{"connections", "a peer that is none", `[{"direction":"outbound","peer_address":"web-2"}]`, "peer_address: want an IP address or a prefix"},
	{"containers", "an id of nothing", `[{"id":""}]`, "id: missing"},
	{"users", "null elements", `[null,null]`, "element 0: name: missing"},
	{"certificates", "times that are none", `[{"fingerprint":"ab","not_after":"soon"}]`, "cannot be read"},
	{"cron", "null", `null`, ""},
	{"horoscope", "a section that there is not", `[]`, "is no section"},
}

// TestAHostileSectionLosesItselfOnly: whatever stands in one section, the others are
// taken, the reason stands on the host and in the reply, and is counted; the next
// good one heals it.
func TestAHostileSectionLosesItselfOnly(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.section+": "+c.name, func(t *testing.T) {
			l := newLab(t)
			ctx := context.Background()
			a := l.box("web-1", 1).enroll()
			a.send()
			before := l.get(a.ci)
			a.rep.Hardware.CPUModel, a.rep.OS.Kernel = "Y", "6.1.0-99"
			env := a.envelope()
			env.Sections[c.section] = report.Section{Hash: "hostile", Data: json.RawMessage(c.data)}
			r, err := l.Report(ctx, a.ci, env)
			if err != nil {
				t.Fatal(err)
			}
			if why := r.Rejected[c.section]; (c.says == "") != (why == "") || !strings.Contains(why, c.says) || len(why) > 1000 {
				t.Fatalf("rejected %.300q, want %q", r.Rejected, c.says)
			}
			after := l.get(a.ci)
			if c.section != "hardware" && after.Attributes.Text("cpu_model") != "Y" || c.section != "os" && after.Attributes.Text("kernel") != "6.1.0-99" {
				t.Errorf("the other sections were not taken: %v", after.Attributes)
			}
			b, err := json.Marshal(after)
			if err != nil || !utf8.Valid(b) || len(b) > 64<<10 {
				t.Errorf("the item cannot be shown: %d bytes %v", len(b), err)
			}
			if _, err := l.Packages(ctx, a.ci); err != nil {
				t.Errorf("the packages cannot be shown: %v", err)
			}
			if c.says != "" {
				if after.Attributes.Text("hostname") != before.Attributes.Text("hostname") || after.Name != before.Name {
					t.Errorf("a refused section changed the item: %v", after)
				}
				counted := c.section
				if sectionNumber(c.section) < 0 {
					counted = "unknown"
				} else {
					states, err := l.Sections(ctx, a.ci)
					if err != nil || !slices.ContainsFunc(states, func(s SectionState) bool { return s.Name == c.section && strings.Contains(s.Rejected, c.says) }) {
						t.Errorf("the reason is not on the host: %+v %v", states, err)
					}
				}
				if n := l.Stats().RejectedSections[counted]; n != 1 {
					t.Errorf("counted %d times", n)
				}
			}
			a.sent = map[string]string{}
			if r := a.send(); len(r.Rejected) > 0 || len(r.Want) > 0 {
				t.Errorf("the next good report: %+v", r)
			}
			states, err := l.Sections(ctx, a.ci)
			if err != nil || slices.ContainsFunc(states, func(s SectionState) bool { return s.Rejected != "" }) {
				t.Errorf("the reason outlives it: %+v %v", states, err)
			}
			l.reopen()
			if l.get(a.ci).Name != before.Name {
				t.Error("after a restart the machine is another one")
			}
		})
	}
}

// TestAReportOfNonsenseIsRefused: what is no report changes nothing.
func TestAReportOfNonsenseIsRefused(t *testing.T) {
	l := newLab(t)
	a := l.box("web-1", 1).enroll()
	a.send()
	before := l.picture()
	for name, f := range map[string]func(*report.Envelope){
		"no agent":       func(e *report.Envelope) { e.Agent.ID = "" },
		"a boot of a MB": func(e *report.Envelope) { e.Agent.BootID = strings.Repeat("b", 1<<20) },
		"a thousand sections": func(e *report.Envelope) {
			e.Sections = map[string]report.Section{}
			for i := range 1000 {
				e.Sections[fmt.Sprint(i)] = report.Section{}
			}
		},
		"changes without end": func(e *report.Envelope) { e.Changes = make([]report.Change, maxChanges+1) },
	} {
		env := a.envelope()
		f(&env)
		if _, err := l.Report(context.Background(), a.ci, env); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := l.picture(); after != before {
		t.Error("a refused report changed something")
	}
	var env report.Envelope
	if err := json.Unmarshal([]byte(`{"agent":{"id":"a","boot_id":"b"},"sections":{"os":5,"host":{"hash":7},"cron":{"hash":"h","data":[]}}}`), &env); err != nil || env.Sections["os"].Wrong == "" || env.Sections["host"].Wrong == "" || env.Sections["cron"].Hash != "h" {
		t.Errorf("sections of wrong shapes: %+v %v", env, err)
	}
}

// TestQueriesOfNonsense: a query is answered or told where it is wrong, and never
// looks for longer than it is wide.
func TestQueriesOfNonsense(t *testing.T) {
	l := newLab(t)
	l.box("web-1", 1).enroll().send()
	for _, q := range []string{"(", ")", "not", "or", "class:", ":x", `"`, "class:host or", "memory>lots of", "seen<soon", "a:b:c", "software:<1", "\x00", "\xff\xfe", strings.Repeat("(", 10_000), strings.Repeat("not ", 5_000) + "x", "name:" + strings.Repeat("*a", 500) + "*b", "seen>99999999999999d", "criticality>purple", "on:*"} {
		_, err := l.List(context.Background(), ListQuery{Query: q})
		if err != nil && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "character")) {
			t.Errorf("%.60q: %v", q, err)
		}
	}
}

// FuzzReport: no section, whatever its bytes, takes the server or the other sections
// down, and what was taken can be shown and read again.
func FuzzReport(f *testing.F) {
	for _, c := range hostile {
		if len(c.data) < 1<<12 {
			f.Add(uint8(max(0, sectionNumber(c.section))), []byte(c.data))
		}
	}
	whole, err := report.Report{
		Host: report.Host{Hostname: "web-1", Cloud: &report.Cloud{Provider: "aws", InstanceID: "i-1"}}, Interfaces: []report.Interface{{Name: "eth0", Kind: "physical", MAC: "00:16:3e:00:00:01", Addresses: []string{"10.0.0.1/8"}}},
		Listeners:    []report.Listener{{Protocol: "tcp", Address: "::", Port: 443, Process: "nginx", Unit: "nginx.service"}},
		Connections:  []report.Connection{{Direction: "outbound", PeerAddress: "198.51.100.0/24", PeerPort: 443}, {Direction: "inbound", LocalPort: 443, PeerAddress: "fe80::1%eth0"}},
		Certificates: []report.Certificate{{Fingerprint: "ab", Location: "listener:443"}}, Containers: []report.Container{{ID: "c1", Runtime: "docker"}},
		Services: []report.Service{{Name: "nginx.service", State: "failed"}}, Packages: []report.Package{{Type: "deb", Name: "nginx", Version: "1"}}, Disks: []report.Disk{{Name: "sda", Serial: "S1"}},
	}.Split()
	if err != nil {
		f.Fatal(err)
	}
	for name, s := range whole {
		f.Add(uint8(sectionNumber(name)), []byte(s.Data))
	}
	f.Fuzz(func(t *testing.T, section uint8, data []byte) {
		name := sectionNames[int(section)%len(sectionNames)]
		if _, err := decodeSection(name, report.Section{Hash: "fuzz", Data: data}); err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("a reason of %d bytes", len(err.Error()))
			}
			return
		}
		l := newLab(t)
		ctx := context.Background()
		a := l.box("web-1", 1).enroll()
		a.send()
		a.rep.OS.Kernel = "6.1.0-99"
		env := a.envelope()
		env.Sections[name] = report.Section{Hash: "fuzz", Data: data}
		r, err := l.Report(ctx, a.ci, env)
		if err != nil {
			t.Fatal(err)
		}
		if c := l.get(a.ci); name != report.SectionOS && !r.Forked && len(r.Want) == 0 && c.Attributes.Text("kernel") != "6.1.0-99" {
			t.Errorf("the other sections were not taken: %+v %v", r, c.Attributes)
		}
		check := func() {
			p, err := l.List(ctx, ListQuery{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range p.Items {
				if b, err := json.Marshal(c); err != nil || !json.Valid(b) {
					t.Fatalf("%s cannot be shown: %v", c.ID, err)
				}
				if bad := l.Registry().CheckName(c.Class, c.Name); len(bad) > 0 && c.Class != "host" {
					t.Errorf("an item of a name that no import could give: %v", bad)
				}
			}
			if b, err := l.Section(ctx, a.ci, name); err == nil && r.Rejected[name] == "" && !json.Valid([]byte(strings.ToValidUTF8(string(b), "?"))) {
				t.Errorf("the section is no JSON: %.100q", b)
			}
			if _, err := l.Graph(ctx, a.ci, GraphQuery{}); err != nil && !r.Forked {
				t.Error(err)
			}
		}
		check()
		picture := l.picture()
		l.reopen()
		check()
		if again := l.picture(); again != picture {
			t.Errorf("a restart changes it:\n%s\nwas\n%s", again, picture)
		}
	})
}
