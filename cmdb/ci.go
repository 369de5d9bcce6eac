package cmdb

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/event"
)

// Liveness says whether an item is still heard of; it is apart from its
// lifecycle, which people decide (an attribute of its own).
type Liveness string

const (
	Seen  Liveness = "seen"  // heard of within the time its class allows
	Stale Liveness = "stale" // silent for longer
	Gone  Liveness = "gone"  // silent for so long that it counts as removed
	// Recorded items were told by people or imports; nothing reports them, so
	// silence means nothing.
	Recorded Liveness = "recorded"
)

// CI is one configuration item.
type CI struct {
	ID    string `json:"id"`
	Class string `json:"class"`
	Name  string `json:"name"`
	// Attributes hold what is known, by field name: the value of the source that
	// has the word for that field. Lifecycle, owner, team, location and finance
	// are fields like the others.
	Attributes Attributes        `json:"attributes,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	// Aliases are names it had or goes by elsewhere; a renamed machine is still found.
	Aliases []string `json:"aliases,omitempty"`
	// Parent is the item that this one was found on, Key its name there, which
	// does not change when the parent is renamed.
	Parent string `json:"parent,omitempty"`
	Key    string `json:"key,omitempty"`
	// Source told of it first, and of every attribute that has no claim of its own.
	Source string `json:"source"`
	// Claims list, for attributes that more than one source speaks about, what each says.
	Claims map[string][]Claim `json:"claims,omitempty"`
	// Heard is when each source other than an agent last spoke of this item.
	Heard     map[string]time.Time `json:"heard,omitempty"`
	FirstSeen time.Time            `json:"first_seen"`
	LastSeen  time.Time            `json:"last_seen"`
	Liveness  Liveness             `json:"liveness"`
	// Missing is since when its parent reports without it; zero while it is reported.
	Missing time.Time `json:"missing_since,omitzero"`
	// MergedInto names the item that this one was merged into.
	MergedInto string `json:"merged_into,omitempty"`
	// Completeness is the share of the class's required fields that have a value, 0 to 1.
	Completeness float64 `json:"completeness"`
	// Incomplete names the required fields without a value.
	Incomplete []string `json:"incomplete,omitempty"`
}

// Claim is what one source says about one attribute.
type Claim struct {
	Source string    `json:"source"`
	Value  any       `json:"value"` // nil: the source says there is none
	At     time.Time `json:"at"`
}

// UnmarshalJSON normalises the value.
func (c *Claim) UnmarshalJSON(b []byte) error {
	type plain Claim
	if err := json.Unmarshal(b, (*plain)(c)); err != nil {
		return err
	}
	c.Value = Normalize(c.Value)
	return nil
}

// Ref names the item in facts.
func (c *CI) Ref() event.Ref { return event.Ref{ID: c.ID, Class: c.Class, Name: c.Name} }

// Clone copies the document so that the copy can be edited.
func (c *CI) Clone() *CI {
	d := *c
	d.Attributes = c.Attributes.Clone()
	d.Labels = cloneMap(c.Labels)
	d.Heard = cloneMap(c.Heard)
	d.Tags, d.Aliases = slices.Clone(c.Tags), slices.Clone(c.Aliases)
	if c.Claims != nil {
		d.Claims = make(map[string][]Claim, len(c.Claims))
		for k, v := range c.Claims {
			d.Claims[k] = slices.Clone(v)
		}
	}
	return &d
}

func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return nil
	}
	out := make(map[K]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// AddAlias keeps a name that the item had or goes by.
func (c *CI) AddAlias(name string) {
	if name == "" || name == c.Name || slices.Contains(c.Aliases, name) {
		return
	}
	c.Aliases = append(c.Aliases, name)
	slices.Sort(c.Aliases)
}

// Relation is an edge, read "From Type To": From needs To.
type Relation struct {
	From string `json:"from"`
	Type string `json:"type"`
	To   string `json:"to"`
	// Sources are who says so, sorted: "agent:CI" for the machine that reports it,
	// else as in CI.Source. None are left when the last machine reports without it.
	Sources   []string  `json:"sources,omitempty"`
	FirstSeen time.Time `json:"first_seen"`
	// Unseen is since when nobody says so any more; it expires some time later.
	Unseen time.Time `json:"unseen_since,omitzero"`
	// Weight is what it counts for by then: see Fade. 0 is 1.
	Weight float64 `json:"weight,omitempty"`
	// Evidence says how it is known, e.g. "10.0.0.5:5432/tcp".
	Evidence string `json:"evidence,omitempty"`
}

// fadeSteps is in how many steps the weight of an edge that no longer shows falls:
// each step is a fact for the engine, so few of them.
const fadeSteps = 4

// Fade is the weight of an edge that nobody has shown for unseen and that expires
// after ttl: 1 at first, less in equal steps, never 0 before it expires.
func Fade(unseen, ttl time.Duration) float64 {
	if unseen <= 0 || ttl <= 0 {
		return 1
	}
	step := min(int64(unseen)/max(1, int64(ttl)/fadeSteps), fadeSteps-1)
	return float64(fadeSteps-step) / fadeSteps
}

// ID is the relation's key.
func (r *Relation) ID() string { return r.From + " " + r.Type + " " + r.To }

// Attributes are values by field name: string, float64, bool, []string or
// []float64. Dates are strings in RFC 3339's full-date form.
type Attributes map[string]any

// UnmarshalJSON normalises every value.
func (a *Attributes) UnmarshalJSON(b []byte) error {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	for k, v := range m {
		if v = Normalize(v); v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	*a = m
	return nil
}

// Clone copies the map; values are never changed in place.
func (a Attributes) Clone() Attributes { return cloneMap(a) }

// Text returns the attribute as a string, lists joined by a comma.
func (a Attributes) Text(name string) string { return TextOf(a[name]) }

// List returns the attribute's elements as strings.
func (a Attributes) List(name string) []string {
	switch v := a[name].(type) {
	case nil:
		return nil
	case []string:
		return v
	case []float64:
		out := make([]string, len(v))
		for i, f := range v {
			out[i] = TextOf(f)
		}
		return out
	default:
		return []string{TextOf(v)}
	}
}

// TextOf writes a normalised value the way people read it.
func TextOf(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case []string:
		return strings.Join(x, ",")
	case []float64:
		parts := make([]string, len(x))
		for i, f := range x {
			parts[i] = TextOf(f)
		}
		return strings.Join(parts, ",")
	default:
		return fmt.Sprint(x)
	}
}

// Normalize brings a decoded JSON value or a Go value into the five shapes that
// attributes have. Empty strings and lists are nil: an empty value is no value.
// A shape that attributes cannot have becomes its text.
func Normalize(v any) any {
	switch x := v.(type) {
	case nil, bool:
		return x
	case string:
		if x == "" {
			return nil
		}
		return x
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return x
	case int:
		return float64(x)
	case int64:
		return float64(x)
	case uint64:
		return float64(x)
	case time.Time:
		if x.IsZero() {
			return nil
		}
		return x.UTC().Format(time.RFC3339)
	case []string:
		if len(x) == 0 {
			return nil
		}
		return x
	case []float64:
		if len(x) == 0 {
			return nil
		}
		return x
	case []int:
		return Normalize(toFloats(x))
	case []any:
		return normalizeList(x)
	default:
		b, err := json.Marshal(x)
		if err != nil {
			return fmt.Sprint(x)
		}
		return string(b)
	}
}

func toFloats(x []int) []float64 {
	out := make([]float64, len(x))
	for i, n := range x {
		out[i] = float64(n)
	}
	return out
}

func normalizeList(x []any) any {
	nums := make([]float64, 0, len(x))
	texts := make([]string, 0, len(x))
	for _, e := range x {
		if e = Normalize(e); e == nil {
			continue
		}
		if f, ok := e.(float64); ok {
			nums = append(nums, f)
		}
		texts = append(texts, TextOf(e))
	}
	switch {
	case len(texts) == 0:
		return nil
	case len(nums) == len(texts):
		return nums
	default:
		return texts
	}
}

// Equal says whether two normalised values are the same.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case []string:
		y, ok := b.([]string)
		return ok && slices.Equal(x, y)
	case []float64:
		y, ok := b.([]float64)
		return ok && slices.Equal(x, y)
	}
	switch b.(type) {
	case []string, []float64:
		return false
	}
	return a == b
}
