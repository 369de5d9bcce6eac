package collector

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Result is how one posted body ended.
type Result string

// Results of a body. Only Invalid and TooLarge lose something: the sender is told
// that trying again is of no use.
const (
	Accepted   Result = "accepted"
	Invalid    Result = "invalid"    // unreadable: 400
	TooLarge   Result = "too_large"  // 413
	Overloaded Result = "overloaded" // too much is waiting: 503
	NoRoom     Result = "no_room"    // the disk is below its watermark: 503
	Failed     Result = "failed"     // broke off, or could not be written
)

// Receivers and results by which bodies are counted.
var (
	Receivers = []string{"alertmanager", "grafana", "changes"}
	Results   = []Result{Accepted, Invalid, TooLarge, Overloaded, NoRoom, Failed}
)

// Stats count bodies by receiver and result since the start. Safe for concurrent use.
type Stats struct {
	counts map[string]map[Result]*atomic.Uint64
	bytes  atomic.Uint64
}

func newStats() *Stats {
	s := &Stats{counts: map[string]map[Result]*atomic.Uint64{}}
	for _, receiver := range Receivers {
		s.counts[receiver] = map[Result]*atomic.Uint64{}
		for _, r := range Results {
			s.counts[receiver][r] = &atomic.Uint64{}
		}
	}
	return s
}

// Count returns how many bodies of a receiver ended so.
func (s *Stats) Count(receiver string, r Result) uint64 { return s.counts[receiver][r].Load() }

// Bytes returns how much was accepted, unpacked.
func (s *Stats) Bytes() uint64 { return s.bytes.Load() }

// tellEvery is how often the log repeats that the same is still going wrong.
const tellEvery = time.Minute

// teller logs what senders are refused: at once when it begins, then once a minute
// with how often it came. An Alertmanager that repeats itself must not fill the disk.
type teller struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	told    map[string]*repeats
	refused uint64 // with "try again", since bodies were last taken
}

type repeats struct {
	at   time.Time
	more uint64 // since then
}

func newTeller(log *slog.Logger, now func() time.Time) *teller {
	return &teller{log: log, now: now, told: map[string]*repeats{}}
}

// tell logs one refusal of a kind, or counts it for the next line.
func (t *teller) tell(kind, source, text string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := kind + " " + source
	r := t.told[key]
	now := t.now()
	if r != nil && now.Sub(r.at) < tellEvery {
		r.more++
		return
	}
	if r == nil {
		r = &repeats{}
		t.told[key] = r
	}
	if source != "" {
		args = append([]any{"source", source}, args...)
	}
	if r.more > 0 {
		args = append(args, "untold", r.more)
	}
	r.at, r.more = now, 0
	t.log.Warn(text, args...)
}

// unavailable logs that senders have to try again.
func (t *teller) unavailable(kind, text string, args ...any) {
	t.mu.Lock()
	t.refused++
	t.mu.Unlock()
	t.tell(kind, "", text, args...)
}

// taken logs that what was refused is taken again.
func (t *teller) taken() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == 0 {
		return
	}
	t.log.Info("alerts are taken again", "refused", t.refused)
	t.refused = 0
	delete(t.told, string(Overloaded)+" ")
	delete(t.told, string(NoRoom)+" ")
}
