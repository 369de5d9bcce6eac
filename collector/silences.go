package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/watchbill/watchbill/internal/event"
)

// SilenceOptions say which Alertmanager is asked for its silences.
type SilenceOptions struct {
	// URL is where its API is, without /api/v2.
	URL string
	// Source is what its facts are attributed to.
	Source   string
	Interval time.Duration // 0 means 30 s
	Client   *http.Client
	Journal  Journal
	Now      func() time.Time
	Logger   *slog.Logger
}

// Silences watches one Alertmanager's silences and journals what changes of them:
// silenced alerts are not sent, so that nothing else tells of the work behind them.
// It belongs to one goroutine.
type Silences struct {
	o     SilenceOptions
	known map[string]string // what was journaled of each, by its id
	ends  map[string]time.Time
	said  string // the error that was logged last
}

// NewSilences makes a watcher; nothing is asked before Run.
func NewSilences(o SilenceOptions) *Silences {
	if o.Interval == 0 {
		o.Interval = 30 * time.Second
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Silences{o: o, known: map[string]string{}, ends: map[string]time.Time{}}
}

// Run asks until ctx ends. An Alertmanager that does not answer is logged once.
func (s *Silences) Run(ctx context.Context) {
	t := time.NewTicker(s.o.Interval)
	defer t.Stop()
	for {
		err := s.Poll(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && err.Error() != s.said:
			s.said = err.Error()
			s.o.Logger.Warn("the silences of an Alertmanager are not known", "source", s.o.Source, "err", err)
		case err == nil && s.said != "":
			s.said = ""
			s.o.Logger.Info("the silences of an Alertmanager are known again", "source", s.o.Source)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// amSilence is a silence as Alertmanager's API tells it.
type amSilence struct {
	ID     string `json:"id"`
	Status struct {
		State string `json:"state"` // active, pending or expired
	} `json:"status"`
	Matchers []struct {
		Name    string `json:"name"`
		Value   string `json:"value"`
		IsRegex bool   `json:"isRegex"`
		IsEqual *bool  `json:"isEqual"` // absent before Alertmanager 0.22: equal
	} `json:"matchers"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
}

// amAlert is an alert as Alertmanager's API tells it.
type amAlert struct {
	Labels map[string]string `json:"labels"`
	Status struct {
		SilencedBy []string `json:"silencedBy"`
	} `json:"status"`
}

// mutedMost bounds how many muted alerts a fact carries.
const mutedMost = 100

// Poll asks once and journals what changed.
func (s *Silences) Poll(ctx context.Context) error {
	var silences []amSilence
	if err := s.get(ctx, "/api/v2/silences", &silences); err != nil {
		return err
	}
	var alerts []amAlert
	if slices.ContainsFunc(silences, func(x amSilence) bool { return x.Status.State == "active" }) {
		if err := s.get(ctx, "/api/v2/alerts?active=false&inhibited=false&unprocessed=false", &alerts); err != nil {
			return err
		}
	}
	muted := map[string][]event.Labels{}
	for _, a := range alerts {
		for _, id := range a.Status.SilencedBy {
			if len(muted[id]) < mutedMost {
				muted[id] = append(muted[id], event.LabelsFrom(a.Labels))
			}
		}
	}
	slices.SortFunc(silences, func(a, b amSilence) int { return strings.Compare(a.ID, b.ID) })
	var facts []event.Event
	next := map[string]string{}
	for _, x := range silences {
		known, was := s.known[x.ID]
		over := x.Status.State == "expired"
		if over && !was || x.ID == "" {
			continue
		}
		f := factOf(x, muted[x.ID])
		f.Ended = over && s.o.Now().Before(s.ends[x.ID])
		body, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("encode silence %s: %w", x.ID, err)
		}
		if !over {
			next[x.ID] = string(body)
			s.ends[x.ID] = x.EndsAt
		} else if delete(s.ends, x.ID); !f.Ended {
			continue // it came to its end as it said
		}
		if string(body) == known {
			continue
		}
		e, err := event.New(f)
		if err != nil {
			return err
		}
		e.Source = s.o.Source
		facts = append(facts, e)
	}
	if len(facts) > 0 {
		if _, err := s.o.Journal.Write(ctx, facts...); err != nil {
			return fmt.Errorf("journal %d silences: %w", len(facts), err)
		}
	}
	s.known = next
	return nil
}

func factOf(x amSilence, muted []event.Labels) *event.Silence {
	f := &event.Silence{ID: x.ID, CreatedBy: x.CreatedBy, Comment: x.Comment, StartsAt: x.StartsAt.UTC(), EndsAt: x.EndsAt.UTC(), Muted: muted}
	for _, m := range x.Matchers {
		op := labels.MatchEqual
		equal := m.IsEqual == nil || *m.IsEqual
		switch {
		case m.IsRegex && equal:
			op = labels.MatchRegexp
		case m.IsRegex:
			op = labels.MatchNotRegexp
		case !equal:
			op = labels.MatchNotEqual
		}
		f.Matchers = append(f.Matchers, (&labels.Matcher{Type: op, Name: m.Name, Value: m.Value}).String())
	}
	slices.SortFunc(f.Muted, func(a, b event.Labels) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return f
}

// answerMost bounds an answer in bytes.
const answerMost = 64 << 20

func (s *Silences) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.o.URL, "/")+path, nil)
	if err != nil {
		return err
	}
	resp, err := s.o.Client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the Alertmanager of %s: %w", s.o.Source, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the Alertmanager of %s: %s answers %s", s.o.Source, path, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, answerMost)).Decode(into); err != nil {
		return fmt.Errorf("read what the Alertmanager of %s answers to %s: %w", s.o.Source, path, err)
	}
	return nil
}
