package replay_test

import (
	"os"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

// An incident of the gravest priority calls until somebody acknowledges it, and in a
// recording nobody may.
func TestFinishEndsWhereOnlyCallsAreLeft(t *testing.T) {
	f, err := os.Open("../../../testdata/storms/smoke.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rules := fold.DefaultRules()
	rules.Desk.Notify.Enabled = true
	p := &replay.Player{State: fold.New(rules)}
	calls, last := 0, time.Time{}
	each := func(e fold.Effect) {
		if m, ok := e.Body.(fold.Message); ok {
			last = m.At
			if m.Topic == fold.TellEscalated {
				if calls++; calls > 100_000 {
					t.Fatal("it calls for ever")
				}
			}
		}
	}
	var end time.Time
	for e, err := range replay.Read(f) {
		if err != nil {
			t.Fatal(err)
		}
		p.Play(e, each)
		end = e.At
	}
	p.Finish(each)
	if calls == 0 || !last.After(end) {
		t.Errorf("%d calls, the last at %s: want some after the last event at %s", calls, last, end)
	}
}
