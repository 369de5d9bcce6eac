package cmdb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// SourceAgent is the source of what a machine's own agent reports. Others are
// "import", "import:NAME" and "person:NAME": the part before the colon is the
// kind that authority is given to.
const SourceAgent = "agent"

// Kinds of sources.
const (
	kindAgent  = "agent"
	kindPerson = "person"
	kindImport = "import"
)

// Authority says which kind of source has the word for which field, and after
// which silence the next one takes over. It is immutable.
type Authority struct {
	fields  map[string][]string // "class.field" or "field" → kinds, first wins
	people  []string
	reports []string
	silence map[string]time.Duration
}

// human fields are decided by people; of the others reports know more.
var human = map[string]bool{
	"lifecycle": true, "criticality": true, "owner": true, "team": true, "location": true, "environment": true, "description": true,
	"asset_tag": true, "cost": true, "currency": true, "cost_center": true, "supplier": true, "contract": true, "purchased": true,
	"warranty_end": true, "end_of_life": true,
}

// DefaultSilence is how long an agent may be silent before what others say of
// its fields counts. People and imports do not go silent.
const DefaultSilence = 7 * 24 * time.Hour

// sourceName is a kind of source, or one source of a kind.
var sourceName = regexp.MustCompile(`^(agent|(person|import)(:[A-Za-z0-9][A-Za-z0-9@._-]{0,127})?)$`)

// NewAuthority makes the rules: order by "field" or "class.field", silence by
// kind of source, over the classes of r (nil: the built-in ones). nil maps mean
// the defaults: people, then imports, then agents for what people decide; agents,
// then people, then imports for what is found. The error is a fault.List.
func NewAuthority(r *Registry, order map[string][]string, silence map[string]time.Duration) (*Authority, error) {
	a := &Authority{
		fields: map[string][]string{}, silence: map[string]time.Duration{kindAgent: DefaultSilence},
		people: []string{kindPerson, kindImport, kindAgent}, reports: []string{kindAgent, kindPerson, kindImport},
	}
	var bad fault.List
	for _, f := range slices.Sorted(maps.Keys(order)) {
		path := "authority." + f
		if why := r.unknownField(f); why != "" {
			bad = append(bad, fault.Invalidf(path, "%s", why))
		}
		if len(order[f]) == 0 {
			bad = append(bad, fault.Invalidf(path, "lists no source"))
		}
		for i, s := range order[f] {
			at := fmt.Sprintf("%s[%d]", path, i)
			switch {
			case !sourceName.MatchString(s):
				bad = append(bad, fault.Invalidf(at, "want agent, person, import, person:NAME or import:NAME, got %q", s))
			case slices.Contains(order[f][:i], s):
				bad = append(bad, fault.Invalidf(at, "%q stands twice", s))
			}
		}
		a.fields[f] = slices.Clone(order[f])
	}
	for _, kind := range slices.Sorted(maps.Keys(silence)) {
		switch d := silence[kind]; {
		case kind != kindAgent && kind != kindPerson && kind != kindImport:
			bad = append(bad, fault.Invalidf("silence."+kind, "want agent, person or import"))
		case d < 0:
			bad = append(bad, fault.Invalidf("silence."+kind, "must not be negative"))
		default:
			a.silence[kind] = d
		}
	}
	return a, bad.Err()
}

// unknownField says why "field" or "class.field" names nothing.
func (r *Registry) unknownField(name string) string {
	if r == nil {
		return ""
	}
	class, field, ok := strings.Cut(name, ".")
	if !ok {
		for _, c := range r.classes {
			if _, ok := c.fields[name]; ok {
				return ""
			}
		}
		return "is a field of no class"
	}
	c := r.classes[class]
	if c == nil {
		return fmt.Sprintf("there is no class %q", class)
	}
	if _, ok := c.fields[field]; !ok {
		return fmt.Sprintf("class %s has no field %q", class, field)
	}
	return ""
}

// MarshalJSON writes the rules, so that two can be compared.
func (a *Authority) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"fields": a.fields, "silence": a.silence})
}

func kindOf(source string) string {
	k, _, _ := strings.Cut(source, ":")
	return k
}

func (a *Authority) rank(class, field, source string) int {
	order, ok := a.fields[class+"."+field]
	if !ok {
		order, ok = a.fields[field]
	}
	if !ok {
		order = a.reports
		if human[field] {
			order = a.people
		}
	}
	for i, k := range order {
		if k == source || k == kindOf(source) {
			return i
		}
	}
	return len(order)
}

// Silent says that source has not been heard for longer than it may.
func (a *Authority) Silent(source string, heard, now time.Time) bool {
	d := a.silence[kindOf(source)]
	return d > 0 && !heard.IsZero() && now.Sub(heard) > d
}

// Say records what source says about fields of c at a time (nil: the source says
// there is none) and settles who has the word. heard tells when a source last
// spoke of c. The outcome depends on what was said when, not on the order of the
// calls: an older saying of the same source changes nothing.
func (a *Authority) Say(c *CI, source string, values map[string]any, at time.Time, heard func(source string) time.Time, now time.Time) {
	for field, v := range values {
		claims := c.claims(field)
		i := slices.IndexFunc(claims, func(x Claim) bool { return x.Source == source })
		switch {
		case i >= 0 && claims[i].At.After(at):
			continue
		case i >= 0 && Equal(claims[i].Value, v):
			// The same again moves nothing: a document that changes on every report is history noise.
		case i >= 0 && v == nil:
			claims = slices.Delete(claims, i, i+1)
		case i >= 0:
			claims[i] = Claim{source, v, at}
		case v != nil:
			claims = append(claims, Claim{source, v, at})
		}
		a.settle(c, field, claims, heard, now)
	}
}

// Settle decides every contested field again, because time has passed.
func (a *Authority) Settle(c *CI, heard func(source string) time.Time, now time.Time) {
	for field := range cloneMap(c.Claims) {
		a.settle(c, field, c.claims(field), heard, now)
	}
}

// claims returns a field's claims; one that only the item's own source makes is implied.
func (c *CI) claims(field string) []Claim {
	if have, ok := c.Claims[field]; ok {
		return slices.Clone(have)
	}
	if v, ok := c.Attributes[field]; ok {
		return []Claim{{c.Source, v, c.FirstSeen}}
	}
	return nil
}

// SameClaims compares two sets of claims.
func SameClaims(a, b map[string][]Claim) bool {
	if len(a) != len(b) {
		return false
	}
	for field, x := range a {
		y, ok := b[field]
		if !ok || !slices.EqualFunc(x, y, func(p, q Claim) bool { return p.Source == q.Source && Equal(p.Value, q.Value) }) {
			return false
		}
	}
	return true
}

// AllClaims lists what every source says about every field, implied claims too.
func (c *CI) AllClaims() map[string][]Claim {
	out := make(map[string][]Claim, len(c.Attributes))
	for field := range c.Attributes {
		out[field] = c.claims(field)
	}
	for field := range c.Claims {
		out[field] = c.claims(field)
	}
	return out
}

func (a *Authority) settle(c *CI, field string, claims []Claim, heard func(string) time.Time, now time.Time) {
	slices.SortFunc(claims, func(x, y Claim) int { return cmp.Compare(x.Source, y.Source) })
	var best *Claim
	var bestSilent bool
	for i := range claims {
		x := &claims[i]
		silent := a.Silent(x.Source, heard(x.Source), now)
		better := best == nil
		if !better {
			rx, rb := a.rank(c.Class, field, x.Source), a.rank(c.Class, field, best.Source)
			switch {
			case silent != bestSilent:
				better = bestSilent
			case rx != rb:
				better = rx < rb
			default:
				better = x.At.After(best.At)
			}
		}
		if better {
			best, bestSilent = x, silent
		}
	}
	if c.Attributes == nil {
		c.Attributes = Attributes{}
	}
	if best == nil {
		delete(c.Attributes, field)
		delete(c.Claims, field)
		return
	}
	c.Attributes[field] = best.Value
	if len(claims) == 1 && claims[0].Source == c.Source {
		delete(c.Claims, field)
		return
	}
	if c.Claims == nil {
		c.Claims = map[string][]Claim{}
	}
	c.Claims[field] = claims
}
