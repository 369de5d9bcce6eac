package api

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/watchbill/watchbill/internal/engine/fold"
)

// pages is a snapshot.
func pages(t *testing.T, s *fold.State) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := s.SaveAll(func(k string, v []byte) error {
		out[k] = string(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func line(t *testing.T, f fold.Effect) string {
	t.Helper()
	if a, ok := f.Body.(fold.Answer); ok && a.Err != nil {
		return fmt.Sprint(f.Cause, a.Record, a.Err)
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%T %s", f.Body, b)
}

// The month decides the same twice, and the same when it is cut anywhere, saved,
// loaded and gone on with: effects, deadlines and the final state.
func TestMonthReplaysAndResumes(t *testing.T) {
	m := newMonth(t, 31)
	var whole [][]string
	var due []string
	s := fold.New(monthRules())
	for _, e := range m.events {
		var lines []string
		for _, f := range s.Step(e) {
			lines = append(lines, line(t, f))
		}
		whole = append(whole, lines)
		at, ok := s.NextDeadline()
		due = append(due, fmt.Sprint(at, ok))
	}
	end := pages(t, s)
	for _, cut := range []int{0, 1, len(m.events) / 3, len(m.events) / 2, len(m.events) - 7} {
		first := fold.New(monthRules())
		for _, e := range m.events[:cut] {
			first.Step(e)
		}
		second := fold.New(fold.DefaultRules())
		for k, v := range pages(t, first) {
			if v == "" {
				continue
			}
			if err := second.Load(k, []byte(v)); err != nil {
				t.Fatal(err)
			}
		}
		second.Loaded()
		for n, e := range m.events[cut:] {
			var lines []string
			for _, f := range second.Step(e) {
				lines = append(lines, line(t, f))
			}
			if fmt.Sprint(lines) != fmt.Sprint(whole[cut+n]) {
				t.Fatalf("cut at %d: event %d is decided otherwise:\n%v\n%v", cut, cut+n, lines, whole[cut+n])
			}
			at, ok := second.NextDeadline()
			if got := fmt.Sprint(at, ok); got != due[cut+n] {
				t.Fatalf("cut at %d: after event %d the next deadline is %s, not %s", cut, cut+n, got, due[cut+n])
			}
		}
		for k, v := range pages(t, second) {
			if end[k] != v {
				t.Fatalf("cut at %d: page %s differs at the end:\n%.400s\n%.400s", cut, k, v, end[k])
			}
		}
	}
}
