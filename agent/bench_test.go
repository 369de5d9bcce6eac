package agent_test

import (
	"testing"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/agent/probe"
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
