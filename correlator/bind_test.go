package correlator

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// lines of a table of the tests, without comments.
func lines(t testing.TB, name string) (out []string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			out = append(out, l)
		}
	}
	return out
}

// labelledEstate is an estate of every class that labels name.
func labelledEstate(t testing.TB) *graph {
	t.Helper()
	g := newGraph()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	classes := map[string]string{}
	for _, l := range lines(t, "estate.txt") {
		f := strings.Fields(l)
		c := &event.CI{Ref: event.Ref{Class: f[0], Name: f[1]}, Attributes: map[string]any{}}
		classes[f[1]] = f[0]
		var needs []*event.Relation
		for _, kv := range f[2:] {
			k, v, _ := strings.Cut(kv, "=")
			switch k {
			case "on":
				needs = append(needs, &event.Relation{From: c.Ref, Type: "runs_on", To: event.Ref{Class: classes[v], Name: v}})
			case "in":
				needs = append(needs, &event.Relation{From: c.Ref, Type: "member_of", To: event.Ref{Class: classes[v], Name: v}})
			case "addresses", "aliases", "ports":
				c.Attributes[k] = strings.Split(v, ",")
			default:
				c.Attributes[k] = v
			}
		}
		g.ci(c, at)
		for _, r := range needs {
			g.relation(r)
		}
	}
	return g
}

func labelsOf(text string) event.Labels {
	m := map[string]string{}
	for _, kv := range strings.Fields(text) {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = v
	}
	return event.LabelsFrom(m)
}

// Each row is a label set as rules on a common exporter leave it, and what it is about.
func TestWhoseAlertItIs(t *testing.T) {
	g := labelledEstate(t)
	rows := lines(t, "labels.txt")
	if len(rows) < 120 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		want, text, ok := strings.Cut(row, " | ")
		if !ok {
			t.Fatalf("%s: want a name, | and labels", row)
		}
		b, why := g.bind(labelsOf(text), "")
		got := "-"
		if b != nil {
			got = b.Name
			if b.Place {
				got = "@" + got
			}
			if b.Evidence == "" || b.Score <= 0 {
				t.Errorf("%s: without evidence: %+v", text, b)
			}
			why = b.Evidence
		}
		if got != want {
			t.Errorf("want %s, got %s: %s\n\t%s", want, got, text, why)
		}
	}
}

// A label that nothing knows takes nothing from the rest, in any order and beside any
// other: the binding of each row stays.
func TestUnknownLabelsChangeNoBinding(t *testing.T) {
	g := labelledEstate(t)
	for _, row := range lines(t, "labels.txt") {
		_, text, _ := strings.Cut(row, " | ")
		a, _ := g.bind(labelsOf(text), "")
		b, _ := g.bind(labelsOf(text+" severity=critical prometheus=monitoring/k8s region=eu zone=a env=prod team=web mountpoint=/data le=0.5"), "")
		if (a == nil) != (b == nil) || a != nil && *a != *b {
			t.Errorf("%s: %+v, with labels of no meaning %+v", text, a, b)
		}
	}
}

// Two machines of one name: the one known longer keeps its name, and the binding says
// that there is another; where neither is older nothing is bound.
func TestNamesakes(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	host := func(id string, seen time.Time) *event.CI {
		c := &event.CI{Ref: event.Ref{ID: id, Class: "host", Name: "srv"}, Attributes: map[string]any{"hostname": "srv"}}
		if !seen.IsZero() {
			c.Attributes["first_seen"] = seen.Format(event.TimeFormat)
		}
		return c
	}
	for _, c := range []struct {
		name string
		cis  []*event.CI
		at   []time.Time
		want string
	}{
		{"the elder told first", []*event.CI{host("b", time.Time{}), host("a", time.Time{})}, []time.Time{at, at.Add(time.Hour)}, "b"},
		{"the elder told last", []*event.CI{host("b", at.Add(time.Hour)), host("a", at)}, []time.Time{at, at}, "a"},
		{"both at once", []*event.CI{host("a", at), host("b", at)}, []time.Time{at, at}, ""},
		{"the elder told again", []*event.CI{host("b", time.Time{}), host("a", time.Time{}), host("b", time.Time{})}, []time.Time{at, at.Add(time.Hour), at.Add(2 * time.Hour)}, "b"},
	} {
		g := newGraph()
		for i := range c.cis {
			g.ci(c.cis[i], c.at[i])
		}
		b, why := g.bind(labelsOf("alertname=HostDown instance=srv:9100 job=node"), "")
		switch {
		case c.want == "" && (b != nil || !strings.Contains(why, `"srv" names 2 items alike`)):
			t.Errorf("%s: %+v, %s", c.name, b, why)
		case c.want != "" && (b == nil || b.CI != c.want || !strings.Contains(b.Evidence, "the one known longest")):
			t.Errorf("%s: %+v, %s", c.name, b, why)
		}
	}
}

// A place is a set of suspects: what is in it may be why, and it itself the least.
func TestAPlaceIsASetOfSuspects(t *testing.T) {
	g := labelledEstate(t)
	for _, m := range []string{"cart", "checkout", "orders-db"} {
		g.relation(&event.Relation{From: event.Ref{Class: "workload", Name: m}, Type: "member_of", To: event.Ref{Class: "namespace", Name: "prod/shop"}})
	}
	l := labelsOf("alertname=TooManyErrors namespace=shop cluster=prod")
	b, _ := g.bind(l, "")
	if b == nil || !b.Place || g.complaintOf(b, l) != somewhere {
		t.Fatalf("%+v", b)
	}
	strength := map[string]float64{}
	for _, r := range g.reaches(g.index[b.CI], somewhere) {
		strength[g.ids[r.at]] = r.strength
	}
	for _, m := range []string{"workload:cart", "workload:checkout", "pod:orders-db-0"} {
		if strength[m] <= strength[b.CI] {
			t.Errorf("%s is suspected with %v, the place itself with %v", m, strength[m], strength[b.CI])
		}
	}
}

// What a pod's name is made from, with hashes and plain words as last words.
func TestPodStems(t *testing.T) {
	for pod, want := range map[string]string{
		"cart-7d9f8b6c54-x2k9p":               "cart",
		"cart-5f6d7c8b9d-abcde":               "cart",
		"node-exporter-x7k2p":                 "node-exporter",
		"ingress-nginx-controller-4fzqh":      "ingress-nginx-controller",
		"device-plugin-daemonset-9xkzl":       "device-plugin-daemonset",
		"kitchen-9ffcf966c5-hfz4p":            "kitchen",
		"recommend-64584b8656-czgnz":          "recommend",
		"plan-rest-glrxvdbzg-5b52v":           "plan-rest",
		"orders-db-0":                         "orders-db",
		"orders-db-12":                        "orders-db",
		"sandbox-954047332-52886":             "sandbox-954047332",
		"nightly-report-29176462-x7k2p":       "nightly-report",
		"node-problem-detector-8hx2k":         "node-problem-detector",
		"ingress-nginx-controller-7f9c-8hx2k": "ingress-nginx-controller",
	} {
		if got := podStems(pod); len(got) == 0 || got[0] != want && !slices.Contains(got, want) {
			t.Errorf("%s is of %q, want %s", pod, got, want)
		}
	}
}
