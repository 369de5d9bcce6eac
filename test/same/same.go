// Package same compares a running server with a replay of its own export: the first
// law of the engine, on whatever a test did to the server. It refuses to know what
// was done.
package same

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

// Record is a record as JSON holds it.
type Record = map[string]any

// Server is what the comparison asks of a running server.
type Server struct {
	Alerts    func() ([]Record, error)
	Incidents func() ([]Record, error)
	// Export writes a recording of everything to a file of that name.
	Export func(file string) error
}

// ErrMoved says that the server decided something while it was read: ask again.
var ErrMoved = errors.New("the server went on deciding while it was read")

// AsReplayed returns what of the server's records a replay of its export decides
// otherwise, one text for each, or ErrMoved. dir takes the recording.
func AsReplayed(s Server, dir string) ([]string, error) {
	type lists struct{ alerts, incidents []Record }
	read := func() (l lists, err error) {
		if l.alerts, err = s.Alerts(); err == nil {
			l.incidents, err = s.Incidents()
		}
		return l, err
	}
	before, err := read()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "own.jsonl.gz")
	if err := s.Export(file); err != nil {
		return nil, err
	}
	after, err := read()
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(before, after) {
		return nil, ErrMoved
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, c := &replay.Player{State: fold.New(fold.DefaultRules())}, replay.NewCollector()
	for e, err := range replay.Read(f) {
		if err != nil {
			return nil, err
		}
		p.Play(e, c.Take)
	}
	if n, first := c.Unreadable(); n > 0 {
		return nil, fmt.Errorf("%d events of the export cannot be read, the first: %s", n, first)
	}
	alerts, err := records(c.Alerts())
	if err != nil {
		return nil, err
	}
	incidents, err := records(c.Incidents())
	if err != nil {
		return nil, err
	}
	return slices.Concat(differ("alert", after.alerts, alerts), differ("incident", after.incidents, incidents)), nil
}

func records[T any](docs []T) ([]Record, error) {
	b, err := json.Marshal(docs)
	if err != nil {
		return nil, err
	}
	var out []Record
	return out, json.Unmarshal(b, &out)
}

// differ compares the fields that both sides know.
func differ(kind string, live, replayed []Record) (out []string) {
	fields := func(list []Record) map[string]bool {
		m := map[string]bool{}
		for _, r := range list {
			for k := range r {
				m[k] = true
			}
		}
		return m
	}
	both := fields(replayed)
	maps.DeleteFunc(both, func(k string, _ bool) bool { return !fields(live)[k] })
	byID := map[string]Record{}
	for _, r := range replayed {
		byID[fmt.Sprint(r["id"])] = r
	}
	for _, l := range live {
		id := fmt.Sprint(l["id"])
		r := byID[id]
		if r == nil {
			out = append(out, fmt.Sprintf("%s %s is not in a replay", kind, id))
			continue
		}
		delete(byID, id)
		for _, k := range slices.Sorted(maps.Keys(both)) {
			if a, b := l[k], r[k]; !reflect.DeepEqual(a, b) && (!empty(a) || !empty(b)) {
				out = append(out, fmt.Sprintf("%s %s: %s is %v, in a replay %v", kind, id, k, text(a), text(b)))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		if byID[id]["merged_into"] == nil && byID[id]["merged"] == nil {
			out = append(out, fmt.Sprintf("a replay has a %s %s that the server has not", kind, id))
		}
	}
	return out
}

// empty says whether a value is one that JSON may leave out.
func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case bool:
		return !x
	case float64:
		return x == 0
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return false
}

func text(v any) string {
	b, _ := json.Marshal(v) // it came from JSON
	return string(b)
}
