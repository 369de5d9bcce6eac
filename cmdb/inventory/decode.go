package inventory

import (
	"fmt"
	"iter"
	"runtime"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/cluster"
	"github.com/watchbill/watchbill/internal/store"
)

// What a start reads of the documents: decoding everything that stands in them is
// most of what a cold start costs.
type (
	loadedCI struct {
		ID         string         `json:"id"`
		Class      string         `json:"class"`
		Name       string         `json:"name"`
		Attributes loadedPairs    `json:"attributes"`
		Labels     loadedPairs    `json:"labels"`
		Tags       []string       `json:"tags"`
		Aliases    []string       `json:"aliases"`
		Parent     string         `json:"parent"`
		Key        string         `json:"key"`
		Source     string         `json:"source"`
		Heard      jsontext.Value `json:"heard"`
		FirstSeen  time.Time      `json:"first_seen"`
		LastSeen   time.Time      `json:"last_seen"`
		Liveness   string         `json:"liveness"`
		Missing    time.Time      `json:"missing_since"`
		MergedInto string         `json:"merged_into"`
		Incomplete []string       `json:"incomplete"`
	}
	loadedRelation struct {
		From    string    `json:"from"`
		Type    string    `json:"type"`
		To      string    `json:"to"`
		Sources []string  `json:"sources"`
		Unseen  time.Time `json:"unseen_since"`
		Weight  float64   `json:"weight"`
	}
	loadedHost struct {
		CI      string           `json:"ci"`
		Ident   cmdb.Identifiers `json:"identifiers"`
		AgentID string           `json:"agent_id"`
		Site    string           `json:"site"`
		SiteKey string           `json:"site_key"`

		Unfinished bool `json:"unfinished"`

		Lost     cluster.Verdict `json:"lost"`
		LostAt   time.Time       `json:"lost_at"`
		Run      string          `json:"run"`
		Shared   []string        `json:"shared"`
		Booted   time.Time       `json:"booted"`
		Sections [sectionCount]struct {
			Hash uint64 `json:"h"`
		} `json:"sections"`
		Packages int       `json:"packages"`
		Local    []string  `json:"local"`
		Forwards []forward `json:"forwards"`
	}
)

// index is indexOf for what a start reads.
func (d *loadedCI) index() indexed {
	x := indexed{
		id: d.ID, class: d.Class, name: d.Name, parent: d.Parent, key: d.Key,
		firstSeen: d.FirstSeen.Unix(), lastSeen: d.LastSeen.Unix(), live: livenessOf(d.Liveness),
		complete: len(d.Incomplete) == 0, told: d.Source != cmdb.SourceAgent || len(d.Heard) > 0,
	}
	if !d.Missing.IsZero() {
		x.missing = d.Missing.Unix()
	}
	for _, p := range d.Attributes {
		x.add(p.column, p.text)
	}
	for _, p := range d.Labels {
		x.add("label."+p.column, p.text)
	}
	x.rest(d.Name, d.Class, d.Source, d.Tags, d.Aliases, d.Incomplete)
	return x
}

// loadedPairs are a JSON object's members as pairs, the elements of a list each as
// one; values become the text that cmdb.TextOf gives.
type loadedPairs []pair

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *loadedPairs) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		column := name.String()
		if d.PeekKind() != '[' {
			if err := l.value(d, column); err != nil {
				return err
			}
			continue
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		for d.PeekKind() != ']' {
			if err := l.value(d, column); err != nil {
				return err
			}
		}
		if _, err := d.ReadToken(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (l *loadedPairs) value(d *jsontext.Decoder, column string) error {
	switch d.PeekKind() {
	case '"', 't', 'f':
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		*l = append(*l, pair{column, t.String()})
		return nil
	case '0':
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		text := t.String()
		if strings.ContainsAny(text, "eE") {
			n, err := t.Float()
			if err != nil {
				return err
			}
			text = cmdb.TextOf(n)
		}
		*l = append(*l, pair{column, text})
		return nil
	}
	return d.SkipValue()
}

func decodeLoaded[T any](b []byte) (T, error) {
	var v T
	err := json.Unmarshal(b, &v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return v, err
}

// loadChunk is how many documents one processor decodes at a time.
const loadChunk = 256

// decodeAll reads a collection into T, decodes on all processors, and calls f for
// each document in the collection's order. A row that cannot be read is logged and
// left out: one damaged item must not keep the others from being served.
func decodeAll[T, Doc any](inv *Inventory, r store.Reader, c *store.Collection[Doc], f func(*T)) error {
	type decoded struct {
		docs []T
		bad  []error
	}
	return inOrder(chunks(c.Bodies(r), loadChunk), func(bodies []store.Body) decoded {
		out := decoded{docs: make([]T, 0, len(bodies))}
		for _, b := range bodies {
			v, err := decodeLoaded[T](b.JSON)
			if err != nil {
				out.bad = append(out.bad, fmt.Errorf("%q: %w", b.ID, err))
				continue
			}
			out.docs = append(out.docs, v)
		}
		return out
	}, func(x decoded) {
		for _, err := range x.bad {
			inv.log.Error("a row of the inventory cannot be read and is left out", "error", err)
		}
		for i := range x.docs {
			f(&x.docs[i])
		}
	})
}

// chunks gathers a sequence into slices of up to n.
func chunks[T any](seq iter.Seq2[T, error], n int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var out []T
		for x, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if out = append(out, x); len(out) == n {
				if !yield(out, nil) {
					return
				}
				out = nil
			}
		}
		if len(out) > 0 {
			yield(out, nil)
		}
	}
}

// inOrder reads items in one goroutine, works on them on all processors, and calls
// apply here with each outcome, in the order of the items. It returns the first
// error of the items, after everything that came before it was applied.
func inOrder[I, R any](items iter.Seq2[I, error], work func(I) R, apply func(R)) error {
	type job struct {
		in  I
		out chan R
	}
	workers := runtime.GOMAXPROCS(0)
	jobs := make(chan job, workers)
	results := make(chan chan R, 4*workers)
	var failed error
	for range workers {
		go func() {
			for j := range jobs {
				j.out <- work(j.in)
			}
		}()
	}
	go func() {
		defer close(results)
		defer close(jobs)
		for x, err := range items {
			if err != nil {
				failed = err // read below, after results was closed
				return
			}
			j := job{x, make(chan R, 1)}
			results <- j.out
			jobs <- j
		}
	}()
	for out := range results {
		apply(<-out)
	}
	return failed
}
