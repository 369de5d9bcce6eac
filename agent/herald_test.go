package agent_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/watchbill/watchbill/agent"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/cluster"
)

// neighbours are a mesh that says what the test says.
type neighbours struct {
	said   chan cluster.Testimony
	lives  chan struct{}
	speaks atomic.Bool
}

func (n *neighbours) Alive() <-chan struct{} { return n.lives }

func (n *neighbours) Testimonies() <-chan cluster.Testimony { return n.said }
func (n *neighbours) Members() []string                     { return []string{"a", "other"} }
func (n *neighbours) Speaks() bool                          { return n.speaks.Load() }

// ear is a server that keeps what it hears.
type ear struct {
	t     *testing.T
	deaf  atomic.Bool
	heard chan report.Envelope
}

func (e *ear) Enroll(context.Context, string, report.EnrollRequest) (report.EnrollReply, error) {
	return report.EnrollReply{Credential: "c", CI: "ci"}, nil
}

func (e *ear) Report(_ context.Context, credential string, body []byte) (report.Reply, error) {
	if e.deaf.Load() {
		return report.Reply{}, errors.New("away")
	}
	if credential != "c" {
		e.t.Errorf("spoke with the credential %q", credential)
	}
	e.heard <- unpack(e.t, body)
	return report.Reply{CI: "ci"}, nil
}

func (e *ear) pulses() []report.Envelope {
	synctest.Wait()
	var out []report.Envelope
	for len(e.heard) > 0 {
		if x := <-e.heard; len(x.Sections) == 0 {
			out = append(out, x)
		}
	}
	return out
}

func TestHeraldTellsAtOnceAndPulsesOnlyWhereItSpeaks(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		server, mesh := &ear{t: t, heard: make(chan report.Envelope, 1000)}, &neighbours{said: make(chan cluster.Testimony)}
		a, err := agent.New(agent.Options{
			StateDir: dir, Source: &script{}, Sender: server, JoinToken: func() (string, error) { return "j", nil },
			Self:   agent.Self{Version: "1", BootID: "b", Site: "fra", Capabilities: []string{"CAP_X"}},
			Logger: slog.New(slog.DiscardHandler), Random: func() float64 { return 0.5 }, NewID: agent.NewAgentID,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { agent.NewHerald(a, mesh, slog.New(slog.DiscardHandler)).Run(ctx); close(done) }()
		gone := cluster.Testimony{Witness: a.ID(), About: "other", At: time.Now(), Gone: true, Connections: 2}
		mesh.said <- gone
		if got := server.pulses(); len(got) != 0 {
			t.Errorf("spoke before the server knew it: %+v", got)
		}
		if _, err := a.Step(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		got := server.pulses()
		if len(got) != 1 || len(got[0].Peers) != 1 || got[0].Peers[0].Agent != "other" || got[0].Peers[0].Connections != 2 || got[0].PulseSeconds != 0 || got[0].Agent.Site != "fra" {
			t.Fatalf("what was pending came as %+v", got)
		}
		time.Sleep(time.Minute)
		if got := server.pulses(); len(got) != 0 {
			t.Errorf("a member that does not speak for its site was heard %d times a minute", len(got))
		}
		gone.At = time.Now()
		mesh.said <- gone
		if got := server.pulses(); len(got) != 1 {
			t.Errorf("a loss was not told at once: %+v", got)
		}
		// While the server is away news waits, but not until it is stale.
		server.deaf.Store(true)
		gone.About, gone.At = "old", time.Now()
		mesh.said <- gone
		time.Sleep(3 * time.Minute)
		gone.About, gone.At = "new", time.Now()
		mesh.said <- gone
		time.Sleep(20 * time.Second)
		server.deaf.Store(false)
		time.Sleep(6 * time.Second)
		if got := server.pulses(); len(got) != 1 || len(got[0].Peers) != 1 || got[0].Peers[0].Agent != "new" {
			t.Errorf("after its absence the server heard %+v", got)
		}
		mesh.speaks.Store(true)
		time.Sleep(time.Minute)
		if got := server.pulses(); len(got) != 12 || got[0].PulseSeconds != 5 || got[0].Agent.Capabilities != nil {
			t.Errorf("%d pulses in a minute, the first %+v", len(got), got)
		}
		cancel()
		<-done
		if got := server.pulses(); len(got) != 1 || !got[0].Leaving {
			t.Errorf("it left with %+v", got)
		}
	})
}

func unpack(t *testing.T, body []byte) (e report.Envelope) {
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		err = json.NewDecoder(unzip).Decode(&e)
	}
	if err != nil {
		t.Error(err)
	}
	return e
}
