package agent_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/cmdb/report"
)

// fleet is a server as the agents see it: it checks each body as the real one
// must, remembers sections, and can be told to misbehave.
type fleet struct {
	t          *testing.T
	mu         sync.Mutex
	down       int // answer this many requests with 503
	joinToken  string
	credential string
	enrolments []report.EnrollRequest
	envelopes  []report.Envelope
	sizes      []int
	state      map[string]string // section → hash of the data it holds
	wantNone   bool
	reply      func(report.Envelope) report.Reply
	status     map[string]int // path → status to answer once
}

func newFleet(t *testing.T) (*fleet, *httptest.Server) {
	f := &fleet{t: t, joinToken: "join-me", state: make(map[string]string), status: make(map[string]int)}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server
}

func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fail := func(code int, detail string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"title":"refused","detail":%q}`, detail)
	}
	if f.down > 0 {
		f.down--
		fail(503, "away")
		return
	}
	if code := f.status[r.URL.Path]; code != 0 {
		delete(f.status, r.URL.Path)
		fail(code, "told to")
		return
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Content-Type") != "application/json" {
		f.t.Errorf("%s %s with encoding %q and type %q", r.Method, r.URL, r.Header.Get("Content-Encoding"), r.Header.Get("Content-Type"))
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	unzip, err := gzip.NewReader(strings.NewReader(string(raw)))
	if err != nil {
		fail(400, "not gzip")
		return
	}
	decoder := json.NewDecoder(unzip)
	decoder.DisallowUnknownFields()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch r.URL.Path {
	case "/api/v1/agent/enroll":
		if token != f.joinToken {
			fail(401, "unknown join token")
			return
		}
		var request report.EnrollRequest
		if err := decoder.Decode(&request); err != nil || request.Agent.ID == "" {
			f.t.Errorf("enrolment %+v: %v", request, err)
		}
		f.enrolments = append(f.enrolments, request)
		f.credential = fmt.Sprintf("credential-%d", len(f.enrolments))
		_ = json.NewEncoder(w).Encode(report.EnrollReply{Credential: f.credential, CI: "host-1"})
	case "/api/v1/agent/reports":
		if token != f.credential || token == "" {
			fail(401, "unknown credential")
			return
		}
		var e report.Envelope
		if err := decoder.Decode(&e); err != nil {
			f.t.Errorf("envelope: %v", err)
			fail(400, err.Error())
			return
		}
		f.envelopes = append(f.envelopes, e)
		f.sizes = append(f.sizes, len(raw))
		var out report.Reply
		if f.reply != nil {
			out = f.reply(e)
		} else {
			out.CI = "host-1"
		}
		for _, name := range report.Sections() {
			s, there := e.Sections[name]
			if !there || s.Hash == "" {
				f.t.Errorf("section %s is not in the envelope", name)
			}
			if s.Data != nil && out.Rejected[name] == "" {
				f.state[name] = s.Hash
			}
			if f.state[name] != s.Hash && !f.wantNone {
				out.Want = append(out.Want, name)
			}
		}
		_ = json.NewEncoder(w).Encode(out)
	default:
		f.t.Errorf("unexpected path %s", r.URL.Path)
		fail(404, "no such path")
	}
}

// script is a Source whose reports the test writes.
type script struct {
	report  report.Report
	samples int
	full    []bool
}

func (s *script) Sample(context.Context, time.Time) { s.samples++ }
func (s *script) Collect(_ context.Context, _ time.Time, full bool) report.Report {
	s.full = append(s.full, full)
	return s.report
}

type rig struct {
	fleet  *fleet
	source *script
	agent  *agent.Agent
	now    time.Time
	dir    string
	url    string
	ids    int
	t      *testing.T
	spool  int64
}

func newRig(t *testing.T) *rig {
	f, server := newFleet(t)
	r := &rig{t: t, fleet: f, source: &script{}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), dir: t.TempDir(), url: server.URL}
	r.source.report.Host.Hostname = "web1"
	r.source.report.Packages = []report.Package{{Type: "deb", Name: "nginx", Version: "1.22"}}
	r.start()
	return r
}

// start makes the agent anew from its state directory, as a restart does.
func (r *rig) start() {
	r.t.Helper()
	server, err := agent.NewServer(r.url, "", "test")
	if err != nil {
		r.t.Fatal(err)
	}
	r.agent, err = agent.New(agent.Options{
		StateDir: r.dir, Source: r.source, Sender: server, JoinToken: func() (string, error) { return "join-me", nil },
		Self: agent.Self{Version: "test", BootID: "boot-1", User: "root", StartedAt: r.now}, Logger: slog.New(slog.DiscardHandler),
		Random: func() float64 { return 0.5 }, SpoolBytes: r.spool,
		NewID: func() string { r.ids++; return fmt.Sprintf("agent-%d", r.ids) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// step runs the agent for a while of its own time.
func (r *rig) step(span time.Duration) {
	r.t.Helper()
	end := r.now.Add(span)
	for {
		next, err := r.agent.Step(r.t.Context(), r.now)
		if err != nil {
			r.t.Fatal(err)
		}
		if !next.After(r.now) {
			r.t.Fatalf("next step at %v is not after %v", next, r.now)
		}
		if next.After(end) {
			r.now = end
			return
		}
		r.now = next
	}
}

func (r *rig) withData(i int) []string {
	var out []string
	for name, s := range r.fleet.envelopes[i].Sections {
		if s.Data != nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func TestFirstStepEnrolsAndSendsEverything(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	if len(r.fleet.enrolments) != 1 || len(r.fleet.envelopes) != 1 {
		t.Fatalf("%d enrolments, %d envelopes; want one of each", len(r.fleet.enrolments), len(r.fleet.envelopes))
	}
	if got := len(r.withData(0)); got != len(report.Sections()) {
		t.Errorf("%d sections with data, want all %d", got, len(report.Sections()))
	}
	if e := r.fleet.envelopes[0]; e.Agent.ID != "agent-1" || e.Agent.Sequence != 1 || e.Agent.BootID != "boot-1" {
		t.Errorf("agent %+v", e.Agent)
	}
	info, err := os.Stat(filepath.Join(r.dir, "agent.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity file: %v, %v; want mode 0600", info, err)
	}
}

func TestOnlyWhatChangedIsSentAgain(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	r.step(20 * time.Minute)
	before := len(r.fleet.envelopes)
	for i := 1; i < before; i++ {
		if got := r.withData(i); len(got) != 0 {
			t.Errorf("envelope %d of a quiet host carries %v", i, got)
		}
	}
	if before < 4 {
		t.Errorf("%d envelopes in 20 minutes, want one each five", before)
	}
	r.source.report.Packages = []report.Package{{Type: "deb", Name: "nginx", Version: "1.24"}}
	r.step(10 * time.Minute)
	if got := r.withData(before); !slices.Equal(got, []string{"packages"}) {
		t.Errorf("after an upgrade the envelope carries %v", got)
	}
	changes := r.fleet.envelopes[before].Changes
	if len(changes) != 1 || changes[0].Type != report.ChangePackageUpgraded || changes[0].Previous != "1.22" || changes[0].Version != "1.24" || changes[0].Object != "nginx" {
		t.Errorf("changes %+v", changes)
	}
	if len(r.fleet.envelopes[before+1].Changes) != 0 {
		t.Error("a change was told twice")
	}
}

func TestUnchangedCycleIsSmall(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	r.step(10 * time.Minute)
	if size := r.fleet.sizes[len(r.fleet.sizes)-1]; size > 1024 {
		t.Errorf("an unchanged envelope is %d bytes, want at most 1 KiB", size)
	}
}

func TestSamplesBetweenReports(t *testing.T) {
	r := newRig(t)
	r.step(time.Hour)
	// A report looks at the sockets too: of each minute's two looks one is it.
	if r.source.samples < 55 || r.source.samples > 65 {
		t.Errorf("%d samples in an hour, want about one each 30 s less the reports", r.source.samples)
	}
	if full := len(slices.DeleteFunc(slices.Clone(r.source.full), func(b bool) bool { return !b })); full != 1 {
		t.Errorf("%d full rounds in an hour, want the first only", full)
	}
}

func TestRestartContinuesAndSeesWhatHappenedMeanwhile(t *testing.T) {
	r := newRig(t)
	r.step(time.Minute)
	sequence := r.fleet.envelopes[len(r.fleet.envelopes)-1].Agent.Sequence
	r.source.report.Packages = nil
	r.source.report.Packages = append(r.source.report.Packages, report.Package{Type: "deb", Name: "nginx", Version: "1.22"}, report.Package{Type: "deb", Name: "curl", Version: "8"})
	r.start()
	r.step(time.Second)
	e := r.fleet.envelopes[len(r.fleet.envelopes)-1]
	if len(r.fleet.enrolments) != 1 || e.Agent.ID != "agent-1" {
		t.Errorf("a restart joined again: %d enrolments, id %s", len(r.fleet.enrolments), e.Agent.ID)
	}
	if e.Agent.Sequence <= sequence {
		t.Errorf("sequence %d after %d", e.Agent.Sequence, sequence)
	}
	if len(e.Changes) != 1 || e.Changes[0].Type != report.ChangePackageInstalled {
		t.Errorf("changes while the agent was down: %+v", e.Changes)
	}
}

func TestServerAwaySpoolsAndRecoversInOrder(t *testing.T) {
	r := newRig(t)
	r.step(time.Minute)
	sent := len(r.fleet.envelopes)
	r.fleet.down = 1 << 30
	for i := range 5 {
		r.source.report.Packages = []report.Package{{Type: "deb", Name: "nginx", Version: fmt.Sprint("2.", i)}}
		r.step(5 * time.Minute)
	}
	if len(r.fleet.envelopes) != sent {
		t.Fatal("something was taken while the server was away")
	}
	if asked := 1<<30 - r.fleet.down; asked > 20 {
		t.Errorf("%d requests in 25 minutes without a server: it does not back off", asked)
	}
	// A restart while the server is away must not lose what waits.
	r.start()
	r.fleet.down = 0
	r.step(10 * time.Minute)
	var told []string
	for i := sent; i < len(r.fleet.envelopes); i++ {
		e := r.fleet.envelopes[i]
		if i > 0 && e.Agent.Sequence <= r.fleet.envelopes[i-1].Agent.Sequence {
			t.Errorf("envelope %d has sequence %d after %d", i, e.Agent.Sequence, r.fleet.envelopes[i-1].Agent.Sequence)
		}
		for _, c := range e.Changes {
			told = append(told, c.Version)
		}
	}
	if want := []string{"2.0", "2.1", "2.2", "2.3", "2.4"}; !slices.Equal(told, want) {
		t.Errorf("changes told after the outage: %v, want %v", told, want)
	}
	left, err := os.ReadDir(filepath.Join(r.dir, "spool"))
	if err != nil || len(left) != 0 {
		t.Errorf("%d files left in the spool, %v", len(left), err)
	}
}

func TestFullSpoolDropsTheOldestAndCounts(t *testing.T) {
	r := newRig(t)
	r.spool = 4000
	r.start()
	r.step(time.Minute)
	sent := len(r.fleet.envelopes)
	r.fleet.down = 1 << 30
	for i := range 30 {
		r.source.report.Packages = []report.Package{{Type: "deb", Name: "nginx", Version: fmt.Sprint("2.", i)}}
		r.step(5 * time.Minute)
	}
	var size int64
	entries, err := os.ReadDir(filepath.Join(r.dir, "spool"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 4000 || size == 0 {
		t.Errorf("the spool holds %d bytes, its limit is 4000", size)
	}
	r.fleet.down = 0
	r.step(15 * time.Minute)
	last := r.fleet.envelopes[len(r.fleet.envelopes)-1]
	if last.Agent.SpoolDropped == 0 {
		t.Error("nobody counted what was dropped")
	}
	if taken := uint64(len(r.fleet.envelopes) - sent); taken+last.Agent.SpoolDropped < 30 {
		t.Errorf("%d taken and %d dropped of at least 30", taken, last.Agent.SpoolDropped)
	}
	// Whatever was dropped, the server ends with the newest state.
	if r.fleet.state["packages"] != last.Sections["packages"].Hash {
		t.Error("the server's packages are not the host's")
	}
}

func TestRevokedCredentialJoinsAgain(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	r.fleet.mu.Lock()
	r.fleet.credential = "revoked"
	r.fleet.mu.Unlock()
	r.step(10 * time.Minute)
	if len(r.fleet.enrolments) != 2 {
		t.Fatalf("%d enrolments, want a second one", len(r.fleet.enrolments))
	}
	if e := r.fleet.enrolments[1]; e.Previous != "credential-1" || e.Agent.ID != "agent-1" || e.Host.Hostname != "web1" {
		t.Errorf("second enrolment %+v", e)
	}
	if len(r.fleet.envelopes) < 2 {
		t.Error("the report that met the revocation was lost")
	}
}

func TestForkedAgentBecomesAnother(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	r.fleet.reply = func(e report.Envelope) report.Reply {
		return report.Reply{CI: "host-1", Forked: e.Agent.ID == "agent-1"}
	}
	r.step(10 * time.Minute)
	if len(r.fleet.enrolments) != 2 || r.fleet.enrolments[1].Agent.ID != "agent-2" || r.fleet.enrolments[1].Previous != "" {
		t.Fatalf("enrolments %+v", r.fleet.enrolments)
	}
	last := r.fleet.envelopes[len(r.fleet.envelopes)-1]
	if last.Agent.ID != "agent-2" {
		t.Errorf("reports go on as %s", last.Agent.ID)
	}
	first := slices.IndexFunc(r.fleet.envelopes, func(e report.Envelope) bool { return e.Agent.ID == "agent-2" })
	if got := len(r.withData(first)); got != len(report.Sections()) {
		t.Errorf("the new agent's first report carries %d sections", got)
	}
	r.start()
	r.step(time.Minute)
	if len(r.fleet.enrolments) != 2 {
		t.Error("the new identity was not kept")
	}
}

func TestWantedSectionsFollowAtOnce(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	r.fleet.mu.Lock()
	delete(r.fleet.state, "users") // the server lost it
	r.fleet.mu.Unlock()
	r.step(10 * time.Minute)
	found := false
	for i := 1; i < len(r.fleet.envelopes); i++ {
		if slices.Equal(r.withData(i), []string{"users"}) {
			found = true
		}
	}
	if !found {
		t.Error("the section that the server asked for was not sent")
	}
}

func TestRejectedSectionIsNotRepeatedEachTime(t *testing.T) {
	r := newRig(t)
	r.fleet.reply = func(e report.Envelope) report.Reply {
		out := report.Reply{CI: "host-1"}
		if e.Sections["cron"].Data != nil {
			out.Rejected = map[string]string{"cron": "cannot be read"}
		}
		return out
	}
	r.step(time.Hour)
	sent := 0
	for i := range r.fleet.envelopes {
		if slices.Contains(r.withData(i), "cron") {
			sent++
		}
	}
	if sent != 1 {
		t.Errorf("a refused section was sent %d times within the hour", sent)
	}
	if got := len(r.fleet.envelopes); got > 65 {
		t.Errorf("%d envelopes in an hour", got)
	}
}

func TestServersScheduleReplacesTheOwn(t *testing.T) {
	r := newRig(t)
	r.fleet.reply = func(report.Envelope) report.Reply {
		return report.Reply{CI: "host-1", Schedule: report.Schedule{SampleSeconds: 2, ReportSeconds: 10, FullSeconds: 60}}
	}
	r.step(5 * time.Minute)
	if got := len(r.fleet.envelopes); got < 25 {
		t.Errorf("%d reports in five minutes at one each ten seconds", got)
	}
	before := len(r.fleet.envelopes)
	r.start()
	r.step(2 * time.Minute)
	if got := len(r.fleet.envelopes) - before; got < 10 {
		t.Errorf("the schedule was forgotten over a restart: %d reports in two minutes", got)
	}
}

func TestRefusedForGoodIsNotRetried(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	r.fleet.mu.Lock()
	r.fleet.status["/api/v1/agent/reports"] = 413
	r.fleet.mu.Unlock()
	r.step(4 * time.Minute)
	r.step(6 * time.Minute)
	left, err := os.ReadDir(filepath.Join(r.dir, "spool"))
	if err != nil || len(left) != 0 {
		t.Errorf("an envelope that can never pass waits in the spool: %d, %v", len(left), err)
	}
}

func TestEventIsToldAtOnce(t *testing.T) {
	r := newRig(t)
	r.step(time.Second)
	sent := len(r.fleet.envelopes)
	r.agent.Notice(t.Context(), r.now, agent.Event{Collect: true, Changes: []report.Change{{At: r.now, Type: report.ChangePackageTransaction, Summary: "dpkg is at work"}}})
	if len(r.fleet.envelopes) != sent+1 {
		t.Fatalf("%d envelopes, want one at once", len(r.fleet.envelopes)-sent)
	}
	e := r.fleet.envelopes[sent]
	if len(e.Changes) != 1 || e.Changes[0].Type != report.ChangePackageTransaction || len(r.withData(sent)) != 0 {
		t.Errorf("told %+v with data %v", e.Changes, r.withData(sent))
	}
	rounds := len(r.source.full)
	r.step(30 * time.Second)
	if len(r.source.full) != rounds+1 {
		t.Error("the host was not looked at after the event")
	}
}

func TestDamagedIdentityIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "agent.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := agent.NewServer("http://127.0.0.1:1", "", "test")
	if err != nil {
		t.Fatal(err)
	}
	_, err = agent.New(agent.Options{StateDir: dir, Source: &script{}, Sender: server, JoinToken: func() (string, error) { return "", nil },
		Logger: slog.New(slog.DiscardHandler), Random: func() float64 { return 0 }, NewID: agent.NewAgentID})
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v, want one that says the identity is damaged", err)
	}
}

func TestServerAddressIsChecked(t *testing.T) {
	for _, bad := range []string{"", "watchbill:7470", "ftp://x", "http://", "http://u:p@x", "http://x?a=b"} {
		if _, err := agent.NewServer(bad, "", "test"); err == nil || !strings.Contains(err.Error(), "--server.url") {
			t.Errorf("%q: error %v, want one that names --server.url", bad, err)
		}
	}
}
