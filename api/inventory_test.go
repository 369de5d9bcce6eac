package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/cmdb/report"
)

func zipped(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if s, ok := v.(string); ok {
		_, _ = z.Write([]byte(s))
	} else if err := json.NewEncoder(z).Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// join enrols an agent on a machine and returns its credential's name in h.tokens and its item.
func (h *house) join(name, previous string) (auth.Role, string) {
	h.t.Helper()
	req := report.EnrollRequest{
		Agent:    report.Agent{ID: "agent-" + name, BootID: "boot-" + name, Version: "1"},
		Host:     report.Host{Hostname: name, MachineID: strings.Repeat(name[len(name)-1:], 32), ProductUUID: "4c4c4544-0000-2010-8020-80c04f20213" + name[len(name)-1:]},
		Previous: previous,
	}
	a := h.call(auth.Agent, "POST", "/api/v1/agent/enroll", zipped(h.t, req), "Content-Encoding", "gzip")
	if a.status != http.StatusOK {
		h.t.Fatalf("enrol: %d %s", a.status, a.body)
	}
	var r report.EnrollReply
	h.must(json.Unmarshal([]byte(a.body), &r))
	if r.Schedule.ReportSeconds != 60 {
		h.t.Errorf("schedule %+v", r.Schedule)
	}
	h.tokens[auth.Role(name)] = r.Credential
	return auth.Role(name), r.CI
}

func envelope(name string, seq uint64, packages ...report.Package) report.Envelope {
	data := map[string]any{
		report.SectionHost: report.Host{Hostname: name, MachineID: strings.Repeat(name[len(name)-1:], 32), ProductUUID: "4c4c4544-0000-2010-8020-80c04f20213" + name[len(name)-1:]},
		report.SectionOS:   report.OS{Family: "linux", ID: "debian", Name: "Debian", Version: "12", Kernel: "6.1", Arch: "amd64"},
	}
	if packages != nil {
		data[report.SectionPackages] = packages
	}
	env := report.Envelope{Agent: report.Agent{ID: "agent-" + name, BootID: "boot-" + name, Sequence: seq, Version: "1"}, Sections: map[string]report.Section{}}
	for k, v := range data {
		b, _ := json.Marshal(v)
		env.Sections[k] = report.Section{Hash: fmt.Sprintf("%x", sha256.Sum256(b)), Data: b}
	}
	return env
}

// A credential speaks for its own host only; joining again ends the one before.
func TestAgentCredentialsAreBound(t *testing.T) {
	h := build(t)
	one, ci := h.join("web1", "")
	two, other := h.join("web2", "")
	if ci == other {
		t.Fatalf("two machines became %s", ci)
	}
	if a := h.call(one, "POST", "/api/v1/agent/reports", envelope("web1", 1)); a.status != http.StatusOK || !strings.Contains(a.body, ci) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if p := h.call(auth.Agent, "POST", "/api/v1/agent/reports", envelope("web1", 3)).problem(t); p.Status != http.StatusForbidden || !strings.Contains(p.Detail, "join token") {
		t.Errorf("a join token reports: %+v", p)
	}
	if p := h.call(two, "POST", "/api/v1/agent/enroll", report.EnrollRequest{}).problem(t); p.Status != http.StatusForbidden {
		t.Errorf("a bound credential joins: %+v", p)
	}
	old := h.tokens[one]
	if _, again := h.join("web1", old); again != ci {
		t.Errorf("the same machine became %s", again)
	}
	h.tokens["old"] = old
	if a := h.call("old", "POST", "/api/v1/agent/reports", envelope("web1", 4)); a.status != http.StatusUnauthorized {
		t.Errorf("the earlier credential: %d", a.status)
	}
	for path, role := range map[string]auth.Role{"/api/v1/incidents": one, "/api/v1/ingest/alertmanager": one, "/api/v1/cis": one} {
		if a := h.call(role, "GET", path, nil); a.status != http.StatusForbidden && a.status != http.StatusMethodNotAllowed {
			t.Errorf("an agent reads %s: %d", path, a.status)
		}
	}
	if tokens := get[Page[Token]](h, auth.Admin, "/api/v1/tokens"); strings.Contains(h.call(auth.Admin, "GET", "/api/v1/tokens", nil).body, ci) || len(tokens.Items) == 0 {
		t.Error("credentials of agents flood the list of tokens")
	}
	if tokens := get[Page[Token]](h, auth.Admin, "/api/v1/tokens?agents=true&role=agent"); len(tokens.Items) != 4 {
		t.Errorf("%d agent tokens, want the two join tokens and one for each host", len(tokens.Items))
	}
	if a := h.call(auth.Manager, "DELETE", "/api/v1/cis/"+other, nil); a.status != http.StatusConflict {
		t.Errorf("a host that reports was removed without force: %d %s", a.status, a.body)
	}
	if a := h.call(auth.Manager, "DELETE", "/api/v1/cis/"+other+"?force=true", nil); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := h.call(two, "POST", "/api/v1/agent/reports", envelope("web2", 9)); a.status != http.StatusUnauthorized {
		t.Errorf("the credential of a removed host: %d", a.status)
	}
}

// A report says that it is another machine than its credential was given to: a copied
// disk, or a thief. Neither machine is written, the agent is told to enrol as its own,
// and a person finds the evidence.
func TestReportOfAnotherIdentity(t *testing.T) {
	h := build(t)
	one, ci := h.join("web1", "")
	two, other := h.join("web2", "")
	send := func(who auth.Role, env report.Envelope) (r report.Reply) {
		t.Helper()
		a := h.call(who, "POST", "/api/v1/agent/reports", env)
		if a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		h.must(json.Unmarshal([]byte(a.body), &r))
		return r
	}
	see := func() string {
		var b strings.Builder
		for _, id := range []string{ci, other} {
			for _, what := range []string{"", "/history"} {
				b.WriteString(h.call(auth.Viewer, "GET", "/api/v1/cis/"+id+what, nil).body)
			}
		}
		return b.String()
	}
	send(one, envelope("web1", 1))
	send(two, envelope("web2", 1))
	before := see()
	r := send(one, envelope("web2", 2, report.Package{Type: "deb", Name: "backdoor", Version: "1"}))
	if !r.Forked || r.CI != ci {
		t.Errorf("web1's credential with web2's identity: %+v, want it told to enrol as its own", r)
	}
	if after := see(); after != before {
		t.Errorf("an item was written by a report that was not its machine's:\n%s\n%s", before, after)
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/cis?q=software:backdoor", nil); strings.Contains(a.body, "CI0") {
		t.Errorf("its packages were taken: %s", a.body)
	}
	tasks := get[Page[inventory.Task]](h, auth.Viewer, "/api/v1/tasks").Items
	if len(tasks) != 1 || tasks[0].Kind != inventory.TaskClone || tasks[0].CI != ci || tasks[0].Seen.Hostname != "web2" || tasks[0].Verdict == nil || len(tasks[0].Verdict.Contested) != 1 || tasks[0].Verdict.Contested[0].CI != other {
		t.Errorf("the tasks that tell of it: %+v", tasks)
	}
	// The same again is no other finding; web1 itself goes on as before, and so does web2.
	if r := send(one, envelope("web2", 3)); !r.Forked {
		t.Errorf("the second time: %+v", r)
	}
	for who, env := range map[auth.Role]report.Envelope{one: envelope("web1", 4, report.Package{Type: "deb", Name: "bash", Version: "5"}), two: envelope("web2", 4)} {
		if r := send(who, env); r.Forked || len(r.Rejected) > 0 {
			t.Errorf("%s after it: %+v", who, r)
		}
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/cis?q=software:bash", nil); !strings.Contains(a.body, ci) {
		t.Errorf("web1's own report was not taken any more: %s", a.body)
	}
	if again := get[Page[inventory.Task]](h, auth.Viewer, "/api/v1/tasks").Items; len(again) != 1 {
		t.Errorf("%d tasks for one finding", len(again))
	}
	// Half of each: nobody can say whose it is, so what identifies is not taken.
	mixed := envelope("web1", 5)
	host := report.Host{Hostname: "web1", MachineID: strings.Repeat("1", 32), ProductUUID: "4c4c4544-0000-2010-8020-80c04f202132"}
	body, err := json.Marshal(host)
	h.must(err)
	mixed.Sections[report.SectionHost] = report.Section{Hash: fmt.Sprintf("%x", sha256.Sum256(body)), Data: body}
	r = send(one, mixed)
	if !r.Forked && r.Rejected[report.SectionHost] == "" {
		t.Errorf("web1's agent on web2's board: %+v", r)
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/cis?q=product_uuid:4c4c4544-0000-2010-8020-80c04f202132", nil); !strings.Contains(a.body, other) || strings.Contains(a.body, ci) {
		t.Errorf("who has web2's board: %s", a.body)
	}
}

func TestBadMachineBodies(t *testing.T) {
	h := build(t)
	one, _ := h.join("web1", "")
	for _, c := range []struct {
		role   auth.Role
		path   string
		body   string
		header []string
		status int
	}{
		{auth.Agent, "/api/v1/agent/enroll", `{"agent":`, nil, 400},
		{auth.Agent, "/api/v1/agent/enroll", `{}`, nil, 400},
		{auth.Agent, "/api/v1/agent/enroll", `{"agent":{"id":"x"},"host":{"hostname":"` + strings.Repeat("x", enrollMost) + `"}}`, nil, 413},
		{one, "/api/v1/agent/reports", `not json`, nil, 400},
		{one, "/api/v1/agent/reports", `not gzip`, []string{"Content-Encoding", "gzip"}, 400},
		{one, "/api/v1/agent/reports", `{}`, []string{"Content-Encoding", "br"}, 400},
		{one, "/api/v1/agent/reports", zipped(t, strings.Repeat(" ", reportMost+10)+"{}"), []string{"Content-Encoding", "gzip"}, 413},
	} {
		if p := h.call(c.role, "POST", c.path, c.body, c.header...).problem(t); p.Status != c.status {
			t.Errorf("%s %.40q: %d %s, want %d", c.path, c.body, p.Status, p.Detail, c.status)
		}
	}
}

func TestInventory(t *testing.T) {
	h := build(t)
	one, ci := h.join("web1", "")
	h.call(one, "POST", "/api/v1/agent/reports", envelope("web1", 1, report.Package{Type: "deb", Name: "openssl", Version: "3.0.11-1", Arch: "amd64"}))
	list := get[CIPage](h, auth.Viewer, "/api/v1/cis?q=class:host")
	if len(list.Items) != 1 || list.Total != 1 || list.Items[0].ID != ci || list.Items[0].Name != "web1" {
		t.Fatalf("%+v", list)
	}
	if d := get[CIDetail](h, auth.Viewer, "/api/v1/cis/"+ci); d.Attributes.Text("os") != "debian" || len(d.Sections) == 0 {
		t.Errorf("%+v", d)
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/cis/"+ci+"/sections/packages", nil); a.status != 200 || !strings.Contains(a.body, "openssl") {
		t.Errorf("%d %s", a.status, a.body)
	}
	soft := get[Page[inventory.Product]](h, auth.Viewer, "/api/v1/software?q=openssl")
	if len(soft.Items) != 1 || soft.Items[0].Hosts != 1 || soft.Items[0].Versions[0].Version != "3.0.11-1" {
		t.Errorf("%+v", soft)
	}
	// By hand: a service on the host, with an owner; then what fails with the host.
	a := h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "application", "name": "shop", "attributes": map[string]any{"owner": "ada", "criticality": "high"}, "tags": []string{"gold"}})
	var app CIDetail
	h.must(json.Unmarshal([]byte(a.body), &app))
	if a.status != http.StatusCreated || app.Attributes.Text("owner") != "ada" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := h.call(auth.Manager, "POST", "/api/v1/relations", map[string]any{"from": map[string]any{"id": app.ID}, "type": "depends_on", "to": map[string]any{"class": "host", "name": "web1"}}); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	impact := get[inventory.Impact](h, auth.Viewer, "/api/v1/cis/"+ci+"/impact")
	if impact.Total != 1 || impact.Affected[0].Name != "shop" {
		t.Errorf("%+v", impact)
	}
	graph := get[inventory.Graph](h, auth.Viewer, "/api/v1/cis/"+app.ID+"/graph?hops=1&direction=needs&types=depends_on")
	if len(graph.Nodes) != 2 || len(graph.Edges) != 1 {
		t.Errorf("%+v", graph)
	}
	if a := h.call(auth.Manager, "PATCH", "/api/v1/cis/"+app.ID, map[string]any{"attributes": map[string]any{"owner": nil, "team": "shop-team"}}); a.status != 200 || strings.Contains(a.body, `"owner":"ada"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	hist := get[Page[inventory.Entry]](h, auth.Viewer, "/api/v1/cis/"+app.ID+"/history?field=owner")
	if len(hist.Items) == 0 || hist.Items[0].Source != "person:token:test manager" {
		t.Errorf("%+v", hist)
	}
	if rows := h.audit("kind:ci%20record:" + app.ID); len(rows.Items) != 3 {
		t.Errorf("audit of the item: %+v", rows.Items)
	}
	svc := get[Page[Service]](h, auth.Viewer, "/api/v1/services")
	if len(svc.Items) != 1 || svc.Items[0].Name != "shop" || svc.Items[0].State != "ok" {
		t.Errorf("%+v", svc)
	}
	h.call(auth.Responder, "POST", "/api/v1/incidents", map[string]any{"title": "x", "impact": 1, "urgency": 1, "service": "shop", "ci": ci})
	if svc := get[Page[Service]](h, auth.Viewer, "/api/v1/services?q=state:down"); len(svc.Items) != 1 || svc.Items[0].Open != 1 {
		t.Errorf("%+v", svc)
	}
	byCI := get[Page[Incident]](h, auth.Viewer, "/api/v1/incidents?q=ci:"+ci)
	if len(byCI.Items) != 1 || byCI.Items[0].Refs[ci] != (Ref{"host", "web1"}) {
		t.Errorf("%+v", byCI.Items)
	}
	for path, field := range map[string]string{
		"/api/v1/cis?q=class:host%20and(":      "q",
		"/api/v1/cis?q=softwear:x":             "q",
		"/api/v1/cis/" + ci + "/graph?hops=99": "hops",
		"/api/v1/cis?cursor=!":                 "cursor",
		"/api/v1/cis/" + ci + "/sections/none": "section",
	} {
		if p := h.call(auth.Viewer, "GET", path, nil).problem(t); p.Status != 400 || len(p.Errors) == 0 || p.Errors[0].Field != field {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/cis/none", nil); a.status != 404 {
		t.Errorf("%d", a.status)
	}
}

func TestInventoryExport(t *testing.T) {
	h := build(t)
	for _, name := range []string{"=cmd()", "b,c"} {
		if a := h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "site", "name": name}); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	a := h.call(auth.Viewer, "GET", "/api/v1/cis/export?columns=name,class&sort=-name", nil)
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(rows) != 3 || rows[0][0] != "name" || rows[1][0] != "b,c" || rows[2][0] != "'=cmd()" {
		t.Errorf("%v %v", rows, err)
	}
	if j := h.call(auth.Viewer, "GET", "/api/v1/cis/export?format=json&q=class:site", nil); strings.Count(j.body, "\n") != 2 {
		t.Errorf("%s", j.body)
	}
	if bad := h.call(auth.Viewer, "GET", "/api/v1/cis/export?q=x:(", nil); bad.status != 400 {
		t.Errorf("%d %s", bad.status, bad.body)
	}
}

const recording = `{"at":"2026-05-04T09:00:00Z","kind":"ci","body":{"class":"host","name":"db1","attributes":{"hostname":"db1","addresses":["10.0.0.9"]}}}
{"at":"2026-05-04T09:00:00Z","kind":"ci","body":{"class":"service","name":"orders","attributes":{"criticality":"high"}}}
{"at":"2026-05-04T09:00:00Z","kind":"ci","body":{"class":"spaceship","name":"x"}}
{"at":"2026-05-04T09:00:00Z","kind":"relation","body":{"from":{"class":"service","name":"orders"},"type":"runs_on","to":{"class":"host","name":"db1"}}}
{"at":"2026-05-04T09:30:00Z","kind":"change","body":{"ci":{"class":"host","name":"db1"},"type":"deployed","summary":"orders 2.0"}}
{"at":"2026-05-04T10:00:00Z","kind":"alertmanager","body":{"version":"4","groupKey":"k","status":"firing","receiver":"r","alerts":[{"status":"firing","labels":{"alertname":"Down","instance":"db1:9100","severity":"critical"},"annotations":{},"startsAt":"2026-05-04T09:59:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"00000000000000aa"}]}}
`

func TestImport(t *testing.T) {
	h := build(t)
	a := h.call(auth.Manager, "POST", "/api/v1/import", zipped(t, recording), "Content-Encoding", "gzip", "Content-Type", "application/x-ndjson")
	var out Imported
	h.must(json.Unmarshal([]byte(a.body), &out))
	if a.status != 200 || out.Items != 2 || out.Relations != 1 || out.Events != 2 || out.WrongAll != 1 || out.Wrong[0].Line != 3 || !strings.Contains(out.Wrong[0].Message, "spaceship") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	h.must(h.engine.CaughtUp(t.Context()))
	alerts := get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts")
	if len(alerts.Items) != 1 || alerts.Items[0].Binding == nil || alerts.Items[0].Binding.Name != "db1" {
		t.Errorf("%+v", alerts.Items)
	}
	i := get[Incident](h, auth.Viewer, "/api/v1/incidents/"+alerts.Items[0].Incident)
	if len(i.Changes) != 1 || i.Changes[0].Name != "db1" {
		t.Errorf("changes of the incident: %+v", i.Changes)
	}
	if p := h.call(auth.Manager, "POST", "/api/v1/import", recording, "Content-Type", "application/x-ndjson").problem(t); p.Status != http.StatusConflict || !strings.Contains(p.Detail, "line 5") {
		t.Errorf("alerts into an installation with alerts: %+v", p)
	}
	if p := h.call(auth.Manager, "POST", "/api/v1/import", "{\"at\":\"x\"}\n", "Content-Type", "application/x-ndjson").problem(t); p.Status != 400 || !strings.Contains(p.Detail, "line 1") {
		t.Errorf("%+v", p)
	}
}

// A past that the journal has passed by counts as received at the import; what the
// alert itself says stays.
func TestImportOfAPast(t *testing.T) {
	h := build(t)
	h.open("a record of today", 1, 1) // the journal has begun
	h.clock.add(48 * time.Hour)
	if a := h.call(auth.Manager, "POST", "/api/v1/import", recording, "Content-Type", "application/x-ndjson"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	h.must(h.engine.CaughtUp(t.Context()))
	alerts := get[Page[Alert]](h, auth.Viewer, "/api/v1/alerts").Items
	if len(alerts) != 1 {
		t.Fatalf("%+v", alerts)
	}
	a := alerts[0]
	if !a.FirstReceived.Equal(h.clock.now()) || a.StartsAt.UTC().Format(time.RFC3339) != "2026-05-04T09:59:00Z" || !a.Clamped || !a.Onset.Equal(h.clock.now().Add(-24*time.Hour)) {
		t.Errorf("received %s, starts %s, onset %s, clamped %v", a.FirstReceived, a.StartsAt, a.Onset, a.Clamped)
	}
}

func TestBackupAndExport(t *testing.T) {
	h := build(t)
	h.open("x", 1, 1)
	h.clock.add(time.Hour)
	for _, path := range []string{"/api/v1/backup", "/api/v1/export"} {
		a := h.call(auth.Admin, "GET", path, nil)
		z, err := gzip.NewReader(strings.NewReader(a.body))
		if err != nil || a.status != 200 || !strings.Contains(a.header.Get("Content-Disposition"), "watchbill-2026") {
			t.Fatalf("%s: %d %v", path, a.status, err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(z); err != nil || b.Len() == 0 {
			t.Errorf("%s: %v, %d bytes", path, err, b.Len())
		}
		if path == "/api/v1/export" && (!strings.Contains(b.String(), `"kind":"config"`) || !strings.Contains(b.String(), `"verb":"create"`)) {
			t.Errorf("export:\n%s", b.String())
		}
	}
	if p := h.call(auth.Admin, "GET", "/api/v1/export?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", nil).problem(t); p.Errors[0].Field != "to" {
		t.Errorf("%+v", p)
	}
}

// TestServicesAreAList: configured or composed, they take q, sort, limit and cursor
// like every list.
func TestServicesAreAList(t *testing.T) {
	h := build(t)
	var members []string
	for i, name := range []string{"pay", "shop", "mail"} {
		a := h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "business_service", "name": name, "attributes": map[string]any{"team": fmt.Sprintf("team-%d", i%2), "criticality": []string{"high", "low", "critical"}[i]}})
		var c CIDetail
		h.must(json.Unmarshal([]byte(a.body), &c))
		members = append(members, c.ID)
	}
	if a := h.call(auth.Manager, "POST", "/api/v1/services", map[string]any{"name": "front", "members": members[:2]}); a.status != http.StatusCreated {
		t.Fatalf("compose: %d %s", a.status, a.body)
	}
	names := func(query string) string {
		t.Helper()
		var out []string
		cursor := ""
		for {
			p := get[Page[Service]](h, auth.Viewer, "/api/v1/services?limit=2&"+query+cursor)
			for _, s := range p.Items {
				out = append(out, s.Name)
			}
			if p.Next == nil {
				return strings.Join(out, " ")
			}
			cursor = "&cursor=" + *p.Next
		}
	}
	for query, want := range map[string]string{
		"": "front mail pay shop", "sort=-name": "shop pay mail front", "sort=criticality": "mail pay shop front", "q=team:team-0": "mail pay",
		"q=state:ok+not+ai": "front pay shop", "q=criticality:high,low&sort=-name": "shop pay",
	} {
		if got := names(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, says := range map[string]string{"sort=age": "want one of", "q=colour:red": "at character 1", "cursor=%21": "begin again", "limit=0": "expected number >= 1", "limit=1001": "expected number <= 1000"} {
		if a := h.call(auth.Viewer, "GET", "/api/v1/services?"+query, nil); a.status != http.StatusBadRequest || !strings.Contains(a.body, says) {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// TestHistoryOfARemovedItemStays: it is read in both directions, narrowed by text,
// and outlives its item; an item that never was has none.
func TestHistoryOfARemovedItemStays(t *testing.T) {
	h := build(t)
	var c CIDetail
	h.must(json.Unmarshal([]byte(h.call(auth.Manager, "POST", "/api/v1/cis", map[string]any{"class": "rack", "name": "r1", "attributes": map[string]any{"location": "Cellar"}}).body), &c))
	h.clock.add(time.Hour)
	h.call(auth.Manager, "PATCH", "/api/v1/cis/"+c.ID, map[string]any{"attributes": map[string]any{"location": "Attic"}})
	if a := h.call(auth.Manager, "DELETE", "/api/v1/cis/"+c.ID, nil); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	path := "/api/v1/cis/" + c.ID + "/history"
	newest, oldest := get[Page[inventory.Entry]](h, auth.Viewer, path), get[Page[inventory.Entry]](h, auth.Viewer, path+"?sort=at")
	n := len(newest.Items)
	if n < 3 || len(oldest.Items) != n || newest.Items[0].Field != "removed" || oldest.Items[0] != newest.Items[n-1] {
		t.Errorf("newest first %+v\noldest first %+v", newest.Items, oldest.Items)
	}
	if p := get[Page[inventory.Entry]](h, auth.Viewer, path+"?q=attic&field=location"); len(p.Items) != 1 || p.Items[0].Old != "Cellar" {
		t.Errorf("narrowed: %+v", p.Items)
	}
	if a := h.call(auth.Viewer, "GET", "/api/v1/cis/CI9999/history", nil); a.status != http.StatusNotFound {
		t.Errorf("of an item that never was: %d %s", a.status, a.body)
	}
}
