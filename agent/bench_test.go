package agent_test

import (
	"context"
	"log/slog"
	"runtime/debug"
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/agent/probe"
	"github.com/watchbill/watchbill/cmdb/report"
)

// What the loop does most often, on this machine as it is.

func BenchmarkSample(b *testing.B) {
	c := agent.NewCollector(probe.NewTree("/"), agent.CollectorOptions{Lasting: true})
	defer c.Close()
	now := time.Now()
	c.Collect(b.Context(), now, true)
	for b.Loop() {
		c.Sample(b.Context(), now)
	}
}

func BenchmarkRound(b *testing.B) {
	c := agent.NewCollector(probe.NewTree("/"), agent.CollectorOptions{Lasting: true})
	defer c.Close()
	now := time.Now()
	last := c.Collect(b.Context(), now, true)
	hashes, err := last.Hashes(nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r := c.Collect(b.Context(), now, false)
		if hashes, err = r.Hashes(&last, hashes); err != nil {
			b.Fatal(err)
		}
		last = r
	}
}

func BenchmarkFullRound(b *testing.B) {
	for b.Loop() {
		c := agent.NewCollector(probe.NewTree("/"), agent.CollectorOptions{Lasting: true})
		c.Collect(b.Context(), time.Now(), true)
		c.Close()
	}
}

// taker is a server that takes everything, as one that has all sections does.
type taker struct{}

func (taker) Enroll(context.Context, string, report.EnrollRequest) (report.EnrollReply, error) {
	return report.EnrollReply{Credential: "c", CI: "ci"}, nil
}
func (taker) Report(context.Context, string, []byte) (report.Reply, error) {
	return report.Reply{CI: "ci"}, nil
}

// BenchmarkMinute is a minute of the loop on its default schedule, with all but the
// network: divided by a minute it is the share of a core.
func BenchmarkMinute(b *testing.B) {
	dir := b.TempDir()
	c := agent.NewCollector(probe.NewTree("/"), agent.CollectorOptions{Lasting: true, StateDir: dir, Languages: true})
	defer c.Close()
	a, err := agent.New(agent.Options{
		StateDir: dir, Source: c, Sender: taker{}, JoinToken: func() (string, error) { return "j", nil }, Self: agent.Self{Version: "1", BootID: "b"},
		Logger: slog.New(slog.DiscardHandler), Random: func() float64 { return 0.5 }, NewID: agent.NewAgentID,
		Rest: func(report bool) {
			if report {
				debug.FreeOSMemory()
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for range 3 { // the start
		now = now.Add(time.Minute)
		if _, err := a.Step(b.Context(), now); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for end := now.Add(time.Minute); now.Before(end); {
			next, err := a.Step(b.Context(), now)
			if err != nil {
				b.Fatal(err)
			}
			now = next
		}
	}
}
