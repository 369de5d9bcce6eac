package estate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

// edge is a relation "from depends_on to" as host/program names.
type edge struct{ from, to, kind string }

// truth are the connections that the estate really has, between programs.
func truth() []edge {
	out := []edge{
		{"haproxy@lb1", "nginx@web1", "kept and checked"},
		{"haproxy@lb1", "nginx@web2", "kept and checked"},
		{"haproxy@lb1", "postgres@db1", "kept"},
		{"nginx@web1", "app@app1", "short"},
		{"nginx@web1", "app@app2", "short, IPv6"},
		{"nginx@web2", "app@app1", "short"},
		{"nginx@web2", "app@app2", "short, IPv6"},
		{"app@app1", "redis@cache1", "kept"},
		{"app@app2", "redis@cache1", "kept"},
		{"app@app1", "haproxy@lb1", "kept"},
		{"app@app2", "haproxy@lb1", "kept"},
	}
	if whole() {
		out = append(out,
			edge{"app@app1", "mosquitto@mq1", "reset"}, edge{"app@app2", "mosquitto@mq1", "reset"},
			edge{"app@app1", "dnsmasq@dns1", "UDP"}, edge{"app@app2", "dnsmasq@dns1", "UDP"},
			edge{"app@int1", "postgres@db1", "behind NAT"},
			edge{"cron@job1", "postgres@db1", "a job's client"}, edge{"cron@job1", "mariadb@db2", "a job's client"},
		)
	}
	return out
}

// brief kinds live for a moment: whose they were is not always to be known.
var brief = []string{"short", "short, IPv6", "UDP", "a job's client"}

// unseenKinds leave no trace that can be read: a socket that its program resets forgets
// whom it called (docs/agent.md).
var unseenKinds = []string{"reset"}

type topologyLine struct {
	Kind string
	Body struct {
		From, To struct{ Class, Name string }
		Type     string
		Removed  bool
	}
}

// edges reads the relations that the server tells its engine, from its own export.
func (e *estate) edges(recording string) map[[2]string]string {
	e.t.Helper()
	f, err := os.Open(recording)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	out := map[[2]string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var l topologyLine
		if json.Unmarshal(lines.Bytes(), &l) != nil || l.Kind != "relation" {
			continue
		}
		key := [2]string{l.Body.From.Class + ":" + l.Body.From.Name, l.Body.To.Class + ":" + l.Body.To.Name}
		if l.Body.Removed {
			delete(out, key)
		} else {
			out[key] = l.Body.Type
		}
	}
	return out
}

// export writes the installation's own past to a file and returns its path.
func (e *estate) export(name string) string {
	e.t.Helper()
	file := filepath.Join(e.dir, name)
	from := e.began.Add(-time.Minute).UTC().Format(time.RFC3339)
	e.hosts["mon1"].run(fmt.Sprintf("WATCHBILL_SERVER_URL=http://10.88.0.5:7470 WATCHBILL_TOKEN=%s %s/bin/watchbill export --from %s --to %s %s", adminToken, e.dir, from, time.Now().Add(time.Minute).UTC().Format(time.RFC3339), file))
	return file
}

// sightings waits until the agents have seen the traffic, and compares what the
// server made of it with the truth.
func (e *estate) sightings() {
	e.t.Helper()
	missing := func() []edge {
		found := e.edges(e.export("sighted.jsonl"))
		var out []edge
		for _, want := range truth() {
			if !has(found, want) && !want.unnamed(found) {
				out = append(out, want)
			}
		}
		return out
	}
	// Whose a socket was that lived for a millisecond is not always to be known: then it
	// is an unknown client's of the right host, and nothing else of that host is blamed.
	nameless := 0
	var left []edge
	const looks = 12 // two minutes of samples
	for range looks {
		if left = missing(); !slices.ContainsFunc(left, func(w edge) bool { return !slices.Contains(unseenKinds, w.kind) }) {
			break
		}
		<-time.After(10 * time.Second)
	}
	named := e.edges(filepath.Join(e.dir, "sighted.jsonl"))
	for _, t := range truth() {
		if !has(named, t) && t.unnamed(named) {
			nameless++
		}
	}
	for _, m := range left {
		if slices.Contains(unseenKinds, m.kind) {
			e.t.Logf("the connection %s -> %s (%s) was not found, as documented", m.from, m.to, m.kind)
			continue
		}
		e.t.Errorf("the connection %s -> %s (%s) was not found", m.from, m.to, m.kind)
	}
	var all, wrong []string
	for k, kind := range named {
		line := fmt.Sprintf("%s %s %s", k[0], kind, k[1])
		all = append(all, line)
		if strings.Contains(line, "watchbill-agent") && kind == "depends_on" {
			wrong = append(wrong, "the product's own traffic: "+line)
		}
		if kind == "depends_on" && strings.HasPrefix(k[0], "host:") {
			wrong = append(wrong, "a whole host for one client: "+line)
		}
	}
	sort.Strings(all)
	sort.Strings(wrong)
	e.t.Logf("%d of %d connections found, of %d the program is not known; %d relations in all:\n%s", len(truth())-len(left), len(truth()), nameless, len(all), strings.Join(all, "\n"))
	for _, w := range wrong {
		e.t.Error(w)
	}
}

// unnamed says that a brief connection was found, and its program was not.
func (w edge) unnamed(found map[[2]string]string) bool {
	host := w.from[strings.LastIndexByte(w.from, '@')+1:]
	return slices.Contains(brief, w.kind) && has(found, edge{"unknown-client@" + host, w.to, w.kind})
}

// has says whether an edge of the truth was found, under whatever class its ends got.
func has(found map[[2]string]string, want edge) bool {
	is := func(end, name string) bool {
		_, found, _ := strings.Cut(end, ":")
		program, host, _ := strings.Cut(name, "@")
		at := strings.LastIndexByte(found, '@')
		return at >= 0 && found[at+1:] == host && strings.Contains(found[:at], program)
	}
	for k, kind := range found {
		if kind == "depends_on" && is(k[0], want.from) && is(k[1], want.to) {
			return true
		}
	}
	return false
}

// replays decides the installation's own past again and compares: what is live must
// be what is replayed.
func (e *estate) replays() {
	e.t.Helper()
	recording, result := e.export("past.jsonl"), filepath.Join(e.dir, "past.json")
	out, err := exec.Command(filepath.Join(e.dir, "bin", "watchbill"), "replay", recording, "--config.file="+filepath.Join(e.hosts["mon1"].dir, "watchbill.yml"), "--output="+result).CombinedOutput()
	if err != nil {
		e.t.Fatalf("replay of its own export: %v\n%s", err, out)
	}
	b, err := os.ReadFile(result)
	if err != nil {
		e.t.Fatal(err)
	}
	var replayed struct {
		Incidents []struct {
			ID, Title string
			Causes    []struct{ Class, Name string } `json:"probable_causes"`
			Alerts    []struct{ Fingerprint string }
		}
	}
	if err := json.Unmarshal(b, &replayed); err != nil {
		e.t.Fatal(err)
	}
	live, err := e.incidents()
	if err != nil {
		e.t.Fatal(err)
	}
	told := map[string]string{}
	for _, i := range live {
		if i.State != "canceled" {
			cause := ""
			if len(i.Causes) > 0 {
				cause = i.Causes[0].Class + " " + i.Causes[0].Name
			}
			told[i.ID] = i.Title + ", " + cause
		}
	}
	for _, i := range replayed.Incidents {
		cause := ""
		if len(i.Causes) > 0 {
			cause = i.Causes[0].Class + " " + i.Causes[0].Name
		}
		if now := i.Title + ", " + cause; told[i.ID] != now {
			e.t.Errorf("%s was told as %q, and a replay says %q", i.ID, told[i.ID], now)
		}
		delete(told, i.ID)
	}
	for id, t := range told {
		e.t.Errorf("%s %q is not in the replay", id, t)
	}
	e.t.Logf("%d incidents replay as they were told", len(replayed.Incidents))
}
