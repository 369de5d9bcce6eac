package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// memory is an outbox in memory.
type memory struct {
	mu       sync.Mutex
	messages []Message
	done     map[string]bool
	ends     []Delivery
	changed  chan struct{}
}

func newMemory() *memory { return &memory{done: map[string]bool{}, changed: make(chan struct{})} }

func (o *memory) add(m Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages = append(o.messages, m)
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *memory) Pending(_ context.Context, after string, limit int) ([]Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []Message
	for _, m := range o.messages {
		if m.ID > after && !o.done[m.ID] && len(out) < limit {
			out = append(out, m)
		}
	}
	return out, nil
}

func (o *memory) Deliveries(_ context.Context, id string) ([]Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.ends), func(d Delivery) bool { return d.Message != id }), nil
}

func (o *memory) Record(_ context.Context, d Delivery, last bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends = append(o.ends, d)
	o.done[d.Message] = last
	return nil
}

func (o *memory) Thread(context.Context, Lane, string) (map[string]string, error) { return nil, nil }

func (o *memory) KeepThread(context.Context, Lane, string, map[string]string) error { return nil }

func (o *memory) Changed() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}

func (o *memory) recorded() []Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.ends)
}

// hook is a receiver that can be down. It runs outside of the test's bubble of time.
type hook struct {
	*httptest.Server
	down atomic.Bool
	mu   sync.Mutex
	took []string // ids of messages, in order
	bad  int      // calls while down
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.down.Load() {
			h.bad++
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		id, _, _ := strings.Cut(r.Header.Get("Idempotency-Key"), "-")
		h.took = append(h.took, id)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) got() ([]string, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.took), h.bad
}

func message(n int) Message {
	return Message{
		ID: fmt.Sprintf("%04d", n), At: time.Now(), Key: fmt.Sprintf("INC%08d", n%3), StartsAt: time.Now(), Plain: "it is down",
		Labels: map[string]string{"incident": fmt.Sprintf("INC%08d", n%3)}, Annotations: map[string]string{"summary": "it is down"},
	}
}

// telling runs a dispatcher in a bubble of fake time until test returns.
func telling(t *testing.T, config string, out Outbox, test func()) {
	t.Helper()
	r, err := ParseReceivers(config, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDispatcher(Options{Outbox: out, Receivers: r, Now: time.Now})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	test()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// An hour in which a receiver is down: what was told meanwhile arrives afterwards,
// each once and in order, and the receiver was not hammered.
func TestReceiverIsDownForAnHour(t *testing.T) {
	h, other := newHook(t), newHook(t)
	h.down.Store(true)
	synctest.Test(t, func(t *testing.T) {
		out := newMemory()
		telling(t, "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: "+h.URL+"}, {url: "+other.URL+"}]}]", out, func() {
			var want []string
			for n := range 12 {
				out.add(message(n))
				want = append(want, fmt.Sprintf("%04d", n))
				time.Sleep(5 * time.Minute)
			}
			if took, _ := other.got(); !slices.Equal(took, want) {
				t.Errorf("the other receiver had to wait: it took %v", took)
			}
			h.down.Store(false)
			time.Sleep(6 * time.Minute) // the longest wait between attempts is 5 minutes
			took, bad := h.got()
			if !slices.Equal(took, want) {
				t.Errorf("took %v, want %v", took, want)
			}
			if bad < 10 || bad > 25 {
				t.Errorf("%d attempts in an hour, want some 20: the wait doubles up to 5 minutes", bad)
			}
			ends := out.recorded()
			if len(ends) != 2*len(want) || slices.ContainsFunc(ends, func(d Delivery) bool { return d.Outcome != Delivered }) {
				t.Errorf("recorded %+v", ends)
			}
		})
	})
}

// What cannot be delivered for three days would only confuse: it is recorded as outdated.
func TestOutdatedIsRecorded(t *testing.T) {
	h := newHook(t)
	h.down.Store(true)
	synctest.Test(t, func(t *testing.T) {
		out := newMemory()
		telling(t, "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: "+h.URL+"}]}]", out, func() {
			out.add(message(1))
			time.Sleep(71 * time.Hour)
			if ends := out.recorded(); len(ends) != 0 {
				t.Fatalf("recorded %+v too early", ends)
			}
			time.Sleep(2 * time.Hour)
			if ends := out.recorded(); len(ends) != 1 || ends[0].Outcome != Outdated {
				t.Errorf("recorded %+v", ends)
			}
		})
	})
}

// Time intervals of routes hold messages back, they do not drop them. A bubble's
// time begins on Saturday, 1 January 2000, at midnight UTC.
func TestTimeIntervalsHoldBack(t *testing.T) {
	night, office, always := newHook(t), newHook(t), newHook(t)
	config := `
route:
  receiver: always
  routes:
    - {receiver: by-day, mute_time_intervals: [night], continue: true}
    - {receiver: office, active_time_intervals: [office], continue: true}
    - {receiver: always}
time_intervals:
  - name: night
    time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]}]
  - name: office
    time_intervals: [{weekdays: ['monday:friday'], times: [{start_time: '08:00', end_time: '18:00'}]}]
receivers:
  - {name: by-day, webhook_configs: [{url: ` + night.URL + `}]}
  - {name: office, webhook_configs: [{url: ` + office.URL + `}]}
  - {name: always, webhook_configs: [{url: ` + always.URL + `}]}
`
	synctest.Test(t, func(t *testing.T) {
		out := newMemory()
		telling(t, config, out, func() {
			out.add(message(1))
			out.add(message(2))
			time.Sleep(80 * time.Hour)
			for _, h := range []*hook{night, office, always} {
				if took, _ := h.got(); !slices.Equal(took, []string{"0001", "0002"}) {
					t.Errorf("took %v", took)
				}
			}
			want := map[string]time.Time{
				"by-day": time.Date(2000, 1, 1, 6, 0, 0, 0, time.UTC), "office": time.Date(2000, 1, 3, 8, 0, 0, 0, time.UTC), "always": time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
			}
			for _, d := range out.recorded() {
				receiver, _, _ := strings.Cut(string(d.Lane), "/")
				if late := d.At.Sub(want[receiver]); late < 0 || late > time.Minute {
					t.Errorf("%s got %s at %s, want it within a minute of %s", receiver, d.Message, d.At.UTC(), want[receiver])
				}
				if d.Attempts != 1 {
					t.Errorf("%s: %d attempts: waiting for its hours is none", receiver, d.Attempts)
				}
			}
		})
	})
}

// The heartbeat calls as long as the server is well, and says once that it cannot.
func TestHeartbeat(t *testing.T) {
	h := newHook(t)
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		beat := Heartbeat{
			URL: h.URL, Every: time.Minute, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
			Well: func() error {
				if ill.Load() {
					return errors.New("20000 events are not decided")
				}
				return nil
			},
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- beat.Run(ctx) }()
		calls := func() int { took, bad := h.got(); return len(took) + bad }
		time.Sleep(9*time.Minute + 30*time.Second)
		if n := calls(); n != 10 {
			t.Errorf("%d calls in 9½ minutes, want 10: one at once, one each minute", n)
		}
		ill.Store(true)
		time.Sleep(10 * time.Minute)
		if n := calls(); n != 10 {
			t.Errorf("%d calls: an unwell server told the watchdog that it is well", n)
		}
		ill.Store(false)
		h.down.Store(true) // the watchdog fails: the next beat comes all the same
		time.Sleep(2 * time.Minute)
		h.down.Store(false)
		time.Sleep(2 * time.Minute)
		if took, bad := h.got(); len(took) != 12 || bad != 2 {
			t.Errorf("the watchdog took %d and failed %d times, want 12 and 2", len(took), bad)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A message goes to the receivers that it names, whatever the routes say of its labels;
// one that names none goes by the routes. What a renamed receiver was to get is not lost.
func TestMessagesGoToTheReceiversThatTheyName(t *testing.T) {
	a, b, mail := newHook(t), newHook(t), newHook(t)
	config := `
route: {receiver: mail, routes: [{receiver: a, matchers: [team=a]}, {receiver: b, matchers: [team=b]}]}
receivers: [{name: a, webhook_configs: [{url: ` + a.URL + `}]}, {name: b, webhook_configs: [{url: ` + b.URL + `}]}, {name: mail, webhook_configs: [{url: ` + mail.URL + `}]}]`
	synctest.Test(t, func(t *testing.T) {
		out := newMemory()
		telling(t, config, out, func() {
			for n, c := range []struct {
				team string
				to   []string
			}{{"a", nil}, {"a", []string{"b"}}, {"b", []string{"mail", "a"}}, {"b", []string{"a", "alpha"}}, {"", []string{"alpha"}}} {
				m := message(n)
				m.Labels["team"], m.To = c.team, c.to
				out.add(m)
			}
			time.Sleep(time.Minute)
			for name, c := range map[string]struct {
				h    *hook
				want []string
			}{"a": {a, []string{"0000", "0002", "0003"}}, "b": {b, []string{"0001", "0003"}}, "mail": {mail, []string{"0002", "0004"}}} {
				if took, _ := c.h.got(); !slices.Equal(took, c.want) {
					t.Errorf("%s took %v, want %v", name, took, c.want)
				}
			}
		})
	})
}

// A storm of one receiver keeps back nobody else's page, also where that receiver is
// down or has no hours: its summary waits, by itself.
func TestStormOfOneReceiverKeepsBackNoOther(t *testing.T) {
	noisy, calm := newHook(t), newHook(t)
	config := `
route:
  receiver: calm
  routes:
    - {receiver: noisy, matchers: [team=noisy, severity=critical], mute_time_intervals: [night]}
    - {receiver: noisy, matchers: [team=noisy], active_time_intervals: [noon]}
time_intervals:
  - {name: night, time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}]}]}
  - {name: noon, time_intervals: [{times: [{start_time: '12:00', end_time: '13:00'}]}]}
receivers: [{name: noisy, webhook_configs: [{url: ` + noisy.URL + `}]}, {name: calm, webhook_configs: [{url: ` + calm.URL + `}]}]`
	synctest.Test(t, func(t *testing.T) {
		out := newMemory()
		telling(t, config, out, func() { // from midnight on
			for n := range 20 {
				m := message(n)
				m.To = []string{"noisy"}
				m.Labels["team"] = "noisy"
				if n == 0 { // a summary, which no route of the receiver fits
					m.Key, m.Labels = "storm/noisy", map[string]string{"alertname": "PageStorm", "severity": "critical"}
				}
				out.add(m)
			}
			m := message(20)
			m.To = []string{"calm"}
			out.add(m)
			time.Sleep(time.Second)
			if took, _ := calm.got(); !slices.Equal(took, []string{"0020"}) {
				t.Errorf("the calm receiver took %v", took)
			}
			if took, bad := noisy.got(); len(took)+bad > 0 {
				t.Errorf("%v came out of hours", took)
			}
			time.Sleep(6*time.Hour + time.Minute) // its first route opens: the summary passes, pages of the other wait
			if took, _ := noisy.got(); !slices.Equal(took, []string{"0000"}) {
				t.Errorf("at six the noisy receiver took %v", took)
			}
			time.Sleep(6 * time.Hour)
			if took, _ := noisy.got(); len(took) != 20 || took[19] != "0019" {
				t.Errorf("the noisy receiver took %v", took)
			}
		})
	})
}
