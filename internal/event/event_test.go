package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

func TestEveryKindSurvivesARecording(t *testing.T) {
	at := time.Date(2026, 11, 21, 6, 40, 14, 123e6, time.UTC)
	for _, b := range []Body{
		&CI{Ref: Ref{ID: "ci-1", Class: "host", Name: "web1"}, Attributes: map[string]any{"addresses": []any{"10.0.0.1"}, "ports": 80.0}, Removed: true},
		&Relation{From: Ref{Class: "service", Name: "a"}, Type: "runs_on", To: Ref{ID: "x"}},
		&Change{CI: Ref{ID: "x"}, Type: "deployed", Summary: "<v2> & more", Version: "2"},
		&Maintenance{CIs: []Ref{{ID: "x"}}, StartsAt: at, EndsAt: at.Add(time.Hour)},
		&Command{Verb: "resolve", Record: "incident", ID: "INC1", Actor: "ann", Args: json.RawMessage(`{"a":"<b>"}`)},
		&Config{Rules: json.RawMessage(`{"x":1}`)},
		&Tick{},
		&Start{Version: "1"},
	} {
		e, err := New(b)
		if err != nil {
			t.Fatal(err)
		}
		e.At, e.Position, e.Source = at, 7, "s\"<é>\x01"
		for how, line := range map[string][]byte{"line": e.AppendLine(nil), "json": must(json.Marshal(e))} {
			var back Event
			if err := json.Unmarshal(line, &back); err != nil {
				t.Fatalf("%s %s: %v", how, line, err)
			}
			p, err := back.Payload()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if back.Kind != e.Kind || back.Position != 7 || back.Source != e.Source || !back.At.Equal(at) || string(must(json.Marshal(p))) != string(must(json.Marshal(b))) {
				t.Errorf("%s: %s came back as %+v %s", how, line, back, must(json.Marshal(p)))
			}
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// A recording holds the exact body: what a sender wrote is evidence.
func TestRecordingKeepsTheBody(t *testing.T) {
	body := "{\"version\":\"4\", \"alerts\":[ {\"bad\":\"<&>\u2028\"} ],\"x\":\"\xff\"}"
	e := NewNotification("am", decode(t, body))
	e.At = time.Unix(0, 0)
	if line := e.AppendLine(nil); !bytes.Contains(line, []byte(`"body":`+body+`}`)) {
		t.Errorf("line %q does not hold the body as it came", line)
	}
	pretty := strings.ReplaceAll(body, " ", "\r\n")
	e = NewNotification("am", decode(t, pretty))
	if line := e.AppendLine(nil); bytes.ContainsAny(line, "\r\n") {
		t.Errorf("a body of several lines breaks the recording: %q", line)
	}
}

func TestUnreadableLines(t *testing.T) {
	for line, want := range map[string]string{
		`{"at":"yesterday","kind":"tick"}`: `at: want an RFC 3339 time, got "yesterday"`,
		`{"kind":"tick"}`:                  `at: want an RFC 3339 time, got ""`,
	} {
		var e Event
		err := json.Unmarshal([]byte(line), &e)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	for _, c := range []struct {
		e     Event
		field string
	}{{Event{Kind: "nonsense"}, "kind"}, {Event{Kind: KindCI, Body: json.RawMessage(`[1]`)}, "body"}, {Event{Kind: KindAlertmanager, Body: json.RawMessage(`{}`)}, "alerts"}} {
		_, err := c.e.Payload()
		if fault.KindOf(err) != fault.Invalid || fault.Public(err).Field != c.field {
			t.Errorf("%s: got %v, want Invalid of field %s", c.e.Kind, err, c.field)
		}
	}
	empty := Event{Kind: KindTick}
	if _, err := empty.Payload(); err != nil {
		t.Errorf("a tick without a body: %v", err)
	}
}

func TestInstantIsWhatARecordingCanHold(t *testing.T) {
	for _, in := range []time.Time{time.Date(2026, 11, 21, 6, 40, 14, 123999999, time.FixedZone("x", 3600)), time.Unix(-1, 1), {}} {
		e := Event{At: Instant(in), Kind: KindTick}
		var back Event
		if err := json.Unmarshal(e.AppendLine(nil), &back); err != nil || !back.At.Equal(e.At) || back.At.Location() != time.UTC {
			t.Errorf("%v came back as %v, %v", e.At, back.At, err)
		}
	}
}
