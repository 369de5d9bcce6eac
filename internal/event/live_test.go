package event

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// values are attribute values of every Go type that a writer of facts may have at hand,
// alone, in lists and in maps.
func values() *rapid.Generator[any] {
	type name string
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), toAny[bool]), rapid.Map(rapid.String(), toAny[string]),
		rapid.Map(rapid.Int(), toAny[int]), rapid.Map(rapid.Uint16(), toAny[uint16]), rapid.Map(rapid.Int64(), toAny[int64]),
		rapid.Map(rapid.Float64Range(-math.MaxFloat32, math.MaxFloat32), toAny[float64]), rapid.Map(rapid.Float32Range(-1e6, 1e6), toAny[float32]),
		rapid.Map(rapid.String(), func(s string) any { return name(s) }),
		rapid.Map(rapid.Int64Range(0, 1<<33), func(s int64) any { return time.Unix(s, s%1e9) }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), toAny[[]byte]),
	)
	return rapid.OneOf(scalar,
		rapid.Map(rapid.SliceOf(rapid.Float64Range(0, 65535)), toAny[[]float64]), rapid.Map(rapid.SliceOf(rapid.IntRange(0, 65535)), toAny[[]int]),
		rapid.Map(rapid.SliceOf(rapid.String()), toAny[[]string]), rapid.Map(rapid.SliceOf(scalar), toAny[[]any]),
		rapid.Map(rapid.MapOf(rapid.String(), scalar), toAny[map[string]any]),
	)
}

func toAny[T any](v T) any { return v }

// The value that a fact is decided on is the one that its bytes give back, whatever
// type it was made from: for the running engine as for a replay.
func TestLiveIsWhatIsReplayed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made := &CI{Ref: Ref{Class: "host", Name: "h"}, Attributes: rapid.MapOf(rapid.StringMatching(`[a-z]{1,8}`), values()).Draw(t, "attributes")}
		live, err := New(made)
		if err != nil {
			t.Fatal(err)
		}
		now, err := live.Payload()
		if err != nil {
			t.Fatal(err)
		}
		var again Event
		if err := json.Unmarshal(live.AppendLine(nil), &again); err != nil {
			t.Fatal(err)
		}
		later, err := again.Payload()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(now, later) {
			t.Fatalf("the running engine is handed %#v, a replay %#v", now, later)
		}
		// What the writer does with its value afterwards changes no fact.
		made.Name = "other"
		if b, _ := live.Payload(); b.(*CI).Name != "h" {
			t.Fatal("the fact shares memory with its writer")
		}
	})
}

// The alerts of a received body are those that its bytes hold.
func TestReceivedAlertsAreDecodedFromTheBody(t *testing.T) {
	n := decode(t, `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-01T00:00:00Z"}]}`)
	e := NewNotification("am", n)
	n.Alerts[0].Labels = Labels{{"alertname", "B"}}
	p, err := e.Payload()
	if err != nil || p.(*Notification).Alerts[0].Labels.Get("alertname") != "A" {
		t.Fatalf("%+v, %v: want the alert as it stands in the body", p, err)
	}
}

// A notification that was made here, as tests of rules make it, has a body too.
func TestMadeNotificationsHaveABody(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 5e6, time.UTC)
	l := Labels{{"alertname", "A <b>"}, {"instance", "h:9100"}}
	made := &Notification{
		Receiver: "r", ExternalURL: "http://am", GroupKey: `{}:{a="b"}`, Truncated: 2,
		Alerts: []Alert{
			{Status: Firing, Labels: l, Fingerprint: "f1", StartsAt: at, GeneratorURL: "http://p/g"},
			{Status: Resolved, Labels: l, Annotations: Labels{{"summary", "s"}}, Fingerprint: "f2", StartsAt: at, EndsAt: at.Add(time.Minute)},
		},
		Invalid: []Invalid{{Index: 1, Raw: json.RawMessage(`7`)}},
	}
	e, err := New(made)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Payload()
	if err != nil {
		t.Fatal(err)
	}
	n := p.(*Notification)
	for i := range n.Alerts {
		if len(n.Alerts[i].Annotations) == 0 {
			n.Alerts[i].Annotations = nil
		}
	}
	if !reflect.DeepEqual(n.Alerts, made.Alerts) || n.Receiver != "r" || n.ExternalURL != "http://am" || n.GroupKey != made.GroupKey || n.Truncated != 2 || len(n.Invalid) != 1 || n.Invalid[0].Index != 1 {
		t.Errorf("%s reads as %+v", e.Body, n)
	}
}
