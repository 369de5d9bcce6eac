package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options of a dispatcher.
type Options struct {
	Outbox    Outbox
	Receivers *Receivers
	Links     *Links // nil: messages carry no link to acknowledge
	Logger    *slog.Logger
	Now       func() time.Time
	// Metrics count deliveries; nil keeps them to the dispatcher.
	Metrics *Metrics
	// Backoff is the wait after the first failure; it doubles up to BackoffMost.
	// Defaults: 2 s and 5 min.
	Backoff, BackoffMost time.Duration
	// Timeout bounds one attempt; default 30 s.
	Timeout time.Duration
	// Outdated is how long a message is tried; default 72 h.
	Outdated time.Duration
}

// inFlight bounds the messages in memory; the rest waits in the outbox.
const inFlight = 500

// Dispatcher takes messages from the outbox to their receivers. A receiver that
// fails keeps back its own messages, in their order, and nobody else's.
type Dispatcher struct {
	o   Options
	log *slog.Logger

	mu        sync.Mutex
	receivers *Receivers
	lanes     map[Lane]chan *item
	flying    int
	landed    chan struct{} // signals that flying went down
	wait      sync.WaitGroup

	*Metrics
}

// Metrics count deliveries. They are made at the start, also where nobody is told
// yet: a series that appears with its first event loses it in increase().
type Metrics struct {
	results *prometheus.CounterVec
	retries prometheus.Counter
	broken  prometheus.Counter
	waiting prometheus.Gauge
}

// NewMetrics makes them and shows them to r, where that is given.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "watchbill_notifications_total", Help: "Notifications by how their delivery ended, since the start."}, []string{"result"}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{Name: "watchbill_notification_retries_total", Help: "Attempts to deliver that failed and are repeated, since the start."}),
		broken:  prometheus.NewCounter(prometheus.CounterOpts{Name: "watchbill_notification_template_failures_total", Help: "Notifications sent as plain text because a template failed, since the start."}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "watchbill_notifications_in_flight", Help: "Messages that are being delivered or wait for their receiver."}),
	}
	for _, x := range []Outcome{Delivered, Plainly, Refused, Skipped, Outdated} {
		m.results.WithLabelValues(string(x))
	}
	if r != nil {
		r.MustRegister(m.results, m.retries, m.broken, m.waiting)
	}
	return m
}

// item is a message on its way, shared by its lanes.
type item struct {
	m    Message
	stop stop
	all  *journey
}

type journey struct {
	mu   sync.Mutex
	left int
}

// NewDispatcher makes one; Run starts it.
func NewDispatcher(o Options) *Dispatcher {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&o.Backoff, 2*time.Second)
	or(&o.BackoffMost, 5*time.Minute)
	or(&o.Timeout, 30*time.Second)
	or(&o.Outdated, 72*time.Hour)
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	d := &Dispatcher{o: o, log: o.Logger, receivers: o.Receivers, lanes: map[Lane]chan *item{}, landed: make(chan struct{}, 1), Metrics: o.Metrics}
	return d
}

// Reload puts other receivers into force for the attempts from now on.
func (d *Dispatcher) Reload(r *Receivers) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.receivers = r
}

func (d *Dispatcher) current() *Receivers {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.receivers
}

// Run delivers until ctx ends. What was not delivered then is delivered by the
// next Run, here or after a restart.
func (d *Dispatcher) Run(ctx context.Context) error {
	defer d.wait.Wait()
	after := ""
	for ctx.Err() == nil {
		changed := d.o.Outbox.Changed() // before reading: nothing slips in between
		some, err := d.o.Outbox.Pending(ctx, after, d.room())
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			d.log.Error("could not read the outbox; trying again", "err", err)
			sleep(ctx, time.Second)
			continue
		}
		for _, m := range some {
			if err := d.depart(ctx, m); err != nil {
				if ctx.Err() == nil {
					d.log.Error("could not begin a delivery; trying again", "message", m.ID, "err", err)
					sleep(ctx, time.Second)
				}
				break
			}
			after = m.ID
		}
		if len(some) > 0 && d.room() > 0 {
			continue
		}
		select {
		case <-changed:
		case <-d.landed:
		case <-ctx.Done():
		}
	}
	return nil
}

func (d *Dispatcher) room() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(0, inFlight-d.flying)
}

// depart puts a message onto its lanes, but for those that had it before a restart.
func (d *Dispatcher) depart(ctx context.Context, m Message) error {
	before, err := d.o.Outbox.Deliveries(ctx, m.ID)
	if err != nil {
		return err
	}
	had := map[Lane]bool{}
	for _, x := range before {
		had[x.Lane] = true
	}
	var to []stop
	for _, s := range d.current().stops(m) {
		if !had[s.lane] {
			to = append(to, s)
		}
	}
	if len(to) == 0 {
		return d.o.Outbox.Record(ctx, Delivery{Message: m.ID, At: d.o.Now(), Outcome: Skipped, Error: "no route leads to a receiver that lacks it"}, true)
	}
	d.mu.Lock()
	d.flying++
	d.waiting.Inc()
	d.mu.Unlock()
	j := &journey{left: len(to)}
	for _, s := range to {
		d.lane(ctx, s.lane) <- &item{m, s, j}
	}
	return nil
}

// lane returns the queue of a lane and starts its worker with the first message.
func (d *Dispatcher) lane(ctx context.Context, l Lane) chan<- *item {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.lanes[l]
	if c == nil {
		c = make(chan *item, inFlight) // every message in flight fits: a slow lane never blocks the others
		d.lanes[l] = c
		d.wait.Add(1)
		go func() {
			defer d.wait.Done()
			for {
				select {
				case i := <-c:
					d.deliver(ctx, i)
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	return c
}

// deliver tries until the message is taken or will never be.
func (d *Dispatcher) deliver(ctx context.Context, i *item) {
	backoff := d.o.Backoff
	for attempt := 1; ctx.Err() == nil; attempt++ {
		r := d.current()
		now := d.o.Now()
		if now.Sub(i.m.At) > d.o.Outdated {
			d.arrive(ctx, i, Delivery{Attempts: attempt - 1, Outcome: Outdated})
			return
		}
		if r.muted(i.stop.routes, now) {
			attempt--
			sleep(ctx, min(time.Minute, d.o.BackoffMost))
			continue
		}
		res, err := d.try(ctx, r, i, now)
		switch {
		case err == nil:
			if res.note != "" {
				d.broken.Inc()
				d.log.Error("a template failed; plain text was sent in its place", "receiver", i.stop.lane, "message", i.m.ID, "template", res.note)
			}
			d.arrive(ctx, i, Delivery{Attempts: attempt, Outcome: res.outcome, Error: res.note})
			return
		case errors.Is(err, errRefused):
			d.log.Error("a receiver refused a notification; it is not repeated", "receiver", i.stop.lane, "message", i.m.ID, "err", err)
			d.arrive(ctx, i, Delivery{Attempts: attempt, Outcome: Refused, Error: err.Error()})
			return
		case ctx.Err() != nil:
			return
		}
		d.retries.Inc()
		if attempt == 1 || backoff == d.o.BackoffMost {
			d.log.Warn("a receiver does not take notifications; they wait, in order", "receiver", i.stop.lane, "attempt", attempt, "err", err)
		}
		sleep(ctx, backoff)
		backoff = min(2*backoff, d.o.BackoffMost)
	}
}

func (d *Dispatcher) try(ctx context.Context, r *Receivers, i *item, now time.Time) (result, error) {
	m := i.m
	if m.Acknowledge && d.o.Links != nil {
		m.Annotations = copied(m.Annotations)
		m.Annotations["acknowledge"] = d.o.Links.Acknowledge(m.Key, i.stop.receiver, now)
	}
	remember, err := d.o.Outbox.Thread(ctx, i.stop.lane, m.Key)
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	res, err := r.send(ctx, m, i.stop, remember, now)
	if err == nil && res.remember != nil {
		if err := d.o.Outbox.KeepThread(ctx, i.stop.lane, m.Key, res.remember); err != nil {
			d.log.Error("could not remember a message's thread; updates will be messages of their own", "receiver", i.stop.lane, "err", err)
		}
	}
	return res, err
}

// arrive records an outcome until that is durable: what was delivered and not
// recorded would be delivered again.
func (d *Dispatcher) arrive(ctx context.Context, i *item, v Delivery) {
	v.Message, v.Lane, v.At = i.m.ID, i.stop.lane, d.o.Now()
	i.all.mu.Lock()
	defer i.all.mu.Unlock()
	// A stop of the program must not come between delivery and its record.
	ctx = context.WithoutCancel(ctx)
	for wait := d.o.Backoff; ; wait = min(2*wait, d.o.BackoffMost) {
		err := d.o.Outbox.Record(ctx, v, i.all.left == 1)
		if err == nil {
			break
		}
		d.log.Error("could not record a delivery; trying again", "message", i.m.ID, "err", err)
		if wait >= time.Minute {
			return // the store is gone; the next start delivers again under the same key
		}
		sleep(ctx, wait)
	}
	d.results.WithLabelValues(string(v.Outcome)).Inc()
	i.all.left--
	if i.all.left > 0 {
		return
	}
	d.mu.Lock()
	d.flying--
	d.waiting.Dec()
	d.mu.Unlock()
	select {
	case d.landed <- struct{}{}:
	default:
	}
}

func copied(m map[string]string) map[string]string {
	out := make(map[string]string, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	return out
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
