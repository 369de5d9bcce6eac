package agent

import (
	"context"
	"log/slog"
	"time"

	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/cluster"
)

// PulseEvery is how often a member that speaks for its site is heard. Three
// missed ones say that the site is cut off, well within 20 seconds.
const PulseEvery = 5 * time.Second

const (
	pulsePatience = 4 * time.Second // for one pulse; the next one says the same
	testimonyAge  = 2 * time.Minute // older news the mesh tells again if it still stands
)

// Members is what a Herald needs of the mesh. *cluster.Mesh is the real one.
type Members interface {
	Testimonies() <-chan cluster.Testimony
	Speaks() bool
	Members() []string
	// Alive tells when the others held this member dead though it lives.
	Alive() <-chan struct{}
}

// voice is as what the agent may speak to the server.
type voice struct {
	self       report.Agent
	credential string
}

// speakable lets a herald speak: the server knows this run of the agent now.
func (a *Agent) speakable() {
	self := a.self()
	self.Capabilities, self.Sequence = nil, 0
	a.voice.Store(&voice{self, a.id.Credential})
}

// Herald tells the server what cannot wait for the loop: what the mesh lost, and,
// where this member speaks for its site, that the site is there. It goes beside
// the loop, which may be busy looking at a large host or waiting for an answer.
// What it says is about this moment: nothing of it is kept for later.
type Herald struct {
	agent   *Agent
	members Members
	log     *slog.Logger
	pending map[string]report.Peer // by the other's agent id
	spoke   bool
	known   int // members
}

// NewHerald returns a herald of a's mesh.
func NewHerald(a *Agent, members Members, log *slog.Logger) *Herald {
	return &Herald{agent: a, members: members, log: log, pending: make(map[string]report.Peer)}
}

// Run speaks until the context ends, and then takes its leave, so that a stopped
// agent is not taken for a lost one.
func (h *Herald) Run(ctx context.Context) {
	ticker := time.NewTicker(PulseEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			h.say(last, time.Now(), true)
			return
		case t := <-h.members.Testimonies():
			h.pending[t.About] = report.Peer{Agent: t.About, At: t.At.UTC(), Gone: t.Gone, Answers: t.Answers, Connections: t.Connections}
			h.say(ctx, time.Now(), false)
		case <-h.members.Alive():
			// What they told the server of it is history once it was heard.
			h.say(ctx, time.Now(), false)
		case <-ticker.C:
			if n := len(h.members.Members()); n != h.known {
				h.known = n
				h.log.Debug("the mesh has changed", "members", n)
			}
			if len(h.pending) > 0 || h.members.Speaks() {
				h.say(ctx, time.Now(), false)
			}
		}
	}
}

// say sends one pulse with all that is pending; what it could not tell goes with
// the next, until it is old.
func (h *Herald) say(ctx context.Context, now time.Time, leaving bool) {
	as := h.agent.voice.Load()
	if as == nil {
		return
	}
	e := report.Envelope{Agent: as.self, TakenAt: now.UTC(), Sections: map[string]report.Section{}, Leaving: leaving}
	if !leaving && h.members.Speaks() {
		e.PulseSeconds = int(PulseEvery / time.Second)
	}
	for id, p := range h.pending {
		if now.Sub(p.At) > testimonyAge {
			delete(h.pending, id)
			continue
		}
		e.Peers = append(e.Peers, p)
	}
	body, err := compress(e)
	if err != nil {
		h.log.Error("cannot encode a pulse", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pulsePatience)
	defer cancel()
	if _, err := h.agent.options.Sender.Report(ctx, as.credential, body); err != nil {
		if h.spoke { // the loop logs the server's absence; this is for who looks closely
			h.log.Debug("the mesh's news did not reach the server", "error", err)
		}
		h.spoke = false
		return
	}
	h.spoke = true
	clear(h.pending)
}
