package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/store"
)

// sample is a value of a field's type.
func sample(f cmdb.Field) any {
	switch f.Type {
	case cmdb.Number:
		return 3.5
	case cmdb.Bool:
		return true
	case cmdb.Date:
		return "2026-03-01"
	case cmdb.Enum:
		return f.Values[0]
	case cmdb.Texts:
		return []string{"one-" + f.Name, "two-" + f.Name}
	case cmdb.Numbers:
		return []float64{29100, 5432}
	case cmdb.Addresses:
		return []string{"10.9.8.7", "2001:db8::7"}
	}
	return "the " + f.Name
}

// What the inventory tells, the running engine decides on as a replay of the journal
// does: for every field of every class, and for what agents report.
func TestTheEngineIsToldWhatAReplayReads(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	for _, c := range l.Registry().Classes() {
		attrs := cmdb.Attributes{}
		for _, f := range c.Fields {
			attrs[f.Name] = sample(f)
		}
		l.upsert(Item{Class: c.Name, Name: "a-" + c.Name, Attributes: attrs, Labels: map[string]string{"app": "x"}}, "import")
	}
	b := l.box("vm", 1)
	b.rep.Listeners = append(b.rep.Listeners,
		report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: 29100, Process: "node_exporter", Unit: "prometheus-node-exporter.service"},
		report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: 5432, Process: "postgres", Unit: "postgresql@15-main.service", Product: "postgresql", Version: "15"})
	b.enroll()
	b.send()
	alert := event.Event{Kind: event.KindAlertmanager, Source: "am", Body: json.RawMessage(`{"version":"4","alerts":[
		{"status":"firing","labels":{"alertname":"HostDown","severity":"critical","instance":"vm:29100"},"startsAt":"2026-03-02T08:00:00Z"},
		{"status":"firing","labels":{"alertname":"PostgresSlow","severity":"critical","instance":"vm:5432"},"startsAt":"2026-03-02T08:00:00Z"}]}`)}
	if _, err := l.journal.Write(ctx, alert); err != nil {
		t.Fatal(err)
	}
	live, err := l.journal.Read(ctx, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	stored := l.events()
	if len(live) != len(stored) || len(live) < 30 {
		t.Fatalf("%d events in memory, %d stored", len(live), len(stored))
	}
	running, again := fold.New(fold.DefaultRules()), fold.New(fold.DefaultRules())
	for i := range live {
		line := stored[i].AppendLine(nil) // as an export carries it
		var replayed event.Event
		if err := json.Unmarshal(line, &replayed); err != nil {
			t.Fatal(err)
		}
		a, errA := live[i].Payload()
		c, errC := replayed.Payload()
		if errA != nil || errC != nil || !reflect.DeepEqual(a, c) && live[i].Kind != event.KindAlertmanager {
			t.Fatalf("%s is told the running engine as %#v (%v), a replay as %#v (%v)", line, a, errA, c, errC)
		}
		x, y := fmt.Sprintf("%+v", bodies(t, running.Step(live[i]))), fmt.Sprintf("%+v", bodies(t, again.Step(replayed)))
		if x != y {
			t.Fatalf("%s: the running engine decides\n%s\na replay\n%s", line, x, y)
		}
	}
	if x, y := pages(t, running), pages(t, again); !bytes.Equal(x, y) {
		t.Errorf("the states differ:\n%s\n%s", x, y)
	}
}

func bodies(t *testing.T, effects []fold.Effect) (out []string) {
	for _, f := range effects {
		b, err := json.Marshal(f.Body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

func pages(t *testing.T, s *fold.State) []byte {
	var all bytes.Buffer
	if err := s.SaveAll(func(key string, value []byte) error {
		fmt.Fprintf(&all, "%s %s\n", key, value)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// The engine is told everything that it reads of an item, from agents too.
func TestAgentsTellWhatTheEngineReads(t *testing.T) {
	l := newLab(t)
	b := l.box("db-1", 1)
	b.rep.Listeners = append(b.rep.Listeners,
		report.Listener{Protocol: "tcp", Address: "0.0.0.0", Port: 5432, Process: "postgres", Unit: "postgresql@15-main.service", Product: "postgresql", Version: "15"})
	b.enroll()
	b.send()
	l.upsert(Item{ID: b.ci, Attributes: cmdb.Attributes{"owner": "eve", "team": "web"}}, "person:eve")
	told := map[string]map[string]any{}
	for _, e := range l.events(event.KindCI) {
		p, err := e.Payload()
		if err != nil {
			t.Fatal(err)
		}
		c := p.(*event.CI)
		told[c.Class+" "+c.Name] = c.Attributes
	}
	if got := told["database postgresql@15-main@db-1"]; got["product"] != "postgresql" || !reflect.DeepEqual(got["ports"], []any{5432.0}) {
		t.Errorf("of the database it is told %v", told)
	}
	if got := told["host db-1"]; got["owner"] != "eve" || got["team"] != "web" || got["fqdn"] != "db-1.example.com" {
		t.Errorf("of the host it is told %v", got)
	}
}

// An installation that was settled by a version that told less tells every item anew.
func TestItemsAreToldAnewWhenTheEngineReadsMore(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	l.upsert(Item{Class: "database", Name: "pg", Attributes: cmdb.Attributes{"product": "postgresql"}}, "import")
	tick := func() int {
		if err := l.Tick(ctx, l.now()); err != nil {
			t.Fatal(err)
		}
		return len(l.events(event.KindCI))
	}
	if n := tick(); n != 1 {
		t.Fatalf("a new installation told %d times", n)
	}
	err := l.db.Update(ctx, func(tx store.Tx) error {
		return l.cols.rules.Put(tx, rulesDoc{rulesID, "of an earlier version", "hostname"})
	})
	if err != nil {
		t.Fatal(err)
	}
	l.reopen()
	if n := tick(); n != 2 {
		t.Errorf("after the upgrade the item was told %d times, want once more", n)
	}
	l.reopen()
	if n := tick(); n != 2 {
		t.Errorf("and again at the next start: %d times", n)
	}
}
