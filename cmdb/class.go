package cmdb

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// FieldType says which values a field takes.
type FieldType string

const (
	Text      FieldType = "text"
	Number    FieldType = "number"
	Bool      FieldType = "bool"
	Date      FieldType = "date"      // YYYY-MM-DD, or RFC 3339
	Enum      FieldType = "enum"      // one of Values
	Texts     FieldType = "texts"     // a list of text
	Numbers   FieldType = "numbers"   // a list of numbers
	Addresses FieldType = "addresses" // a list of IP addresses
)

var fieldTypes = []FieldType{Text, Number, Bool, Date, Enum, Texts, Numbers, Addresses}

// Field is one typed field of a class.
type Field struct {
	Name   string    `json:"name"`
	Type   FieldType `json:"type"`
	Values []string  `json:"values,omitempty"` // of an enum, in their order
	// Required fields make up the completeness of an item; one may lack them.
	Required    bool   `json:"required,omitempty"`
	Description string `json:"description,omitempty"`
	// Counter fields move without anything having changed: they have no history.
	Counter bool `json:"counter,omitempty"`
}

// Class is a kind of configuration item. Every class also has the common fields.
type Class struct {
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	Fields      []Field `json:"fields,omitempty"`
	// Role is what its items are for others; "" is a service.
	Role RoleName `json:"role,omitempty"`
	// StaleAfter and GoneAfter bound the silence of an item that is reported; 0 takes the registry's.
	StaleAfter time.Duration `json:"stale_after,omitempty"`
	GoneAfter  time.Duration `json:"gone_after,omitempty"`
}

// RelationType is a kind of edge, read "From Name To": From needs To.
type RelationType struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Carries says that a failure of To reaches From. Membership and place do not carry.
	Carries bool `json:"carries"`
	// Strength is how surely a failure of To shows at From where nothing stands in, 0 to 1.
	Strength float64 `json:"strength,omitempty"`
	// Redundancy says which of several To can stand in for one another.
	Redundancy Redundancy `json:"redundancy,omitempty"`
	// Call says that From is a program that calls To: where From stands for many
	// programs, only one of them is affected.
	Call bool `json:"call,omitempty"`
	// Membership says that From is one of what To is made up of: where To's role
	// lives by its members, it fails with the last of them.
	Membership bool `json:"membership,omitempty"`
	// Replica says that From can take over from To, which it follows.
	Replica bool `json:"replica,omitempty"`
}

// Registry is the classes and relation types in force. It is immutable.
type Registry struct {
	classes   map[string]*classOf
	relations map[string]RelationType
	// StaleAfter and GoneAfter are the silences for classes that name none.
	staleAfter, goneAfter time.Duration
}

type classOf struct {
	Class
	fields   map[string]Field
	required []string
}

// Defaults of liveness. Sixty days is what ServiceNow ships; an agent that
// reports every few minutes is missed sooner.
const (
	DefaultStaleAfter = 24 * time.Hour
	DefaultGoneAfter  = 60 * 24 * time.Hour
)

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// NewRegistry is NewRegistryWith the default silences.
func NewRegistry(custom ...Class) (*Registry, error) {
	return NewRegistryWith(DefaultStaleAfter, DefaultGoneAfter, custom...)
}

// NewRegistryWith adds configured classes and fields to the built-in ones, and says
// after which silence items of classes that name none are stale and gone. A class
// of a built-in name adds its fields to it; a field of a known name replaces it.
// The error is a fault.List with every mistake.
func NewRegistryWith(staleAfter, goneAfter time.Duration, custom ...Class) (*Registry, error) {
	r := &Registry{classes: map[string]*classOf{}, relations: map[string]RelationType{}, staleAfter: staleAfter, goneAfter: goneAfter}
	for _, t := range builtinRelations {
		r.relations[t.Name] = t
	}
	var bad fault.List
	for i, c := range slices.Concat(builtinClasses, custom) {
		path := fmt.Sprintf("classes[%d]", i-len(builtinClasses))
		if !fieldName.MatchString(c.Name) {
			bad = append(bad, fault.Invalidf(path+".name", "want lower-case letters, digits and _, beginning with a letter, got %q", c.Name))
			continue
		}
		for j, f := range c.Fields {
			bad = append(bad, f.check(fmt.Sprintf("%s.fields[%d]", path, j))...)
		}
		if _, ok := roleByName[c.Role]; c.Role != "" && !ok {
			bad = append(bad, fault.Invalidf(path+".role", "want one of %v, got %q", roleNames(), c.Role))
			c.Role = ""
		}
		if c.StaleAfter < 0 || c.GoneAfter < 0 || (c.GoneAfter > 0 && c.GoneAfter < cmp.Or(c.StaleAfter, r.staleAfter)) {
			bad = append(bad, fault.Invalidf(path+".gone_after", "must not be shorter than stale_after"))
		}
		r.add(c)
	}
	return r, bad.Err()
}

func (f Field) check(path string) (bad fault.List) {
	if !fieldName.MatchString(f.Name) {
		bad = append(bad, fault.Invalidf(path+".name", "want lower-case letters, digits and _, beginning with a letter, got %q", f.Name))
	}
	if !slices.Contains(fieldTypes, f.Type) {
		bad = append(bad, fault.Invalidf(path+".type", "want one of %v, got %q", fieldTypes, f.Type))
	}
	if (f.Type == Enum) != (len(f.Values) > 0) {
		bad = append(bad, fault.Invalidf(path+".values", "an enum lists its values, and only an enum does"))
	}
	return bad
}

func (r *Registry) add(c Class) {
	have := r.classes[c.Name]
	if have == nil {
		have = &classOf{Class: c, fields: map[string]Field{}}
		for _, f := range commonFields {
			have.fields[f.Name] = f
		}
		r.classes[c.Name] = have
	}
	have.Description, have.Role = cmp.Or(c.Description, have.Description), cmp.Or(c.Role, have.Role)
	have.StaleAfter, have.GoneAfter = cmp.Or(c.StaleAfter, have.StaleAfter), cmp.Or(c.GoneAfter, have.GoneAfter)
	for _, f := range c.Fields {
		f.Description = cmp.Or(f.Description, have.fields[f.Name].Description)
		have.fields[f.Name] = f
	}
	have.Fields = slices.SortedFunc(maps.Values(have.fields), func(a, b Field) int { return cmp.Compare(a.Name, b.Name) })
	have.required = nil
	for _, f := range have.Fields {
		if f.Required {
			have.required = append(have.required, f.Name)
		}
	}
}

// Classes lists every class by name, with all its fields.
func (r *Registry) Classes() []Class {
	out := make([]Class, 0, len(r.classes))
	for _, n := range slices.Sorted(maps.Keys(r.classes)) {
		out = append(out, r.classes[n].Class)
	}
	return out
}

// Class returns one class.
func (r *Registry) Class(name string) (Class, bool) {
	c := r.classes[name]
	if c == nil {
		return Class{}, false
	}
	return c.Class, true
}

// Field returns a field of a class, known or open.
func (r *Registry) Field(class, name string) (Field, bool) {
	c := r.classes[class]
	if c == nil {
		return Field{}, false
	}
	f, ok := c.fields[name]
	return f, ok
}

// Agreed returns a field as all classes that have it agree on it: its type, and the
// values of an enum. ok is false where no class has it, or two differ in its type.
func (r *Registry) Agreed(name string) (f Field, ok bool) {
	for _, n := range slices.Sorted(maps.Keys(r.classes)) {
		x, has := r.classes[n].fields[name]
		switch {
		case !has:
		case !ok:
			f, ok = x, true
			f.Values = slices.Clone(x.Values)
		case x.Type != f.Type:
			return Field{}, false
		default:
			for _, v := range x.Values {
				if !slices.Contains(f.Values, v) {
					f.Values = append(f.Values, v)
				}
			}
		}
	}
	return f, ok
}

// Relations lists the relation types by name.
func (r *Registry) Relations() []RelationType {
	return slices.SortedFunc(maps.Values(r.relations), func(a, b RelationType) int { return cmp.Compare(a.Name, b.Name) })
}

// Relation returns one relation type.
func (r *Registry) Relation(name string) (RelationType, bool) {
	t, ok := r.relations[name]
	return t, ok
}

// Silences returns how long an item of class may be silent before it is stale, and gone.
func (r *Registry) Silences(class string) (stale, gone time.Duration) {
	stale, gone = r.staleAfter, r.goneAfter
	if c := r.classes[class]; c != nil {
		stale, gone = cmp.Or(c.StaleAfter, stale), cmp.Or(c.GoneAfter, gone)
	}
	return stale, max(stale, gone)
}

// Complete returns the share of required fields of class that have a value, and
// the names of those without. A class that requires nothing is complete.
func (r *Registry) Complete(class string, a Attributes) (float64, []string) {
	c := r.classes[class]
	if c == nil || len(c.required) == 0 {
		return 1, nil
	}
	var missing []string
	for _, f := range c.required {
		if _, ok := a[f]; !ok {
			missing = append(missing, f)
		}
	}
	return 1 - float64(len(missing))/float64(len(c.required)), missing
}

// CheckName says what is wrong with a class and a name.
func (r *Registry) CheckName(class, name string) (bad fault.List) {
	if _, ok := r.classes[class]; !ok {
		bad = append(bad, fault.Invalidf("class", "%q is no class: want one of %s, or declare it under cmdb.classes in the configuration", class, strings.Join(slices.Sorted(maps.Keys(r.classes)), ", ")))
	}
	switch {
	case strings.TrimSpace(name) == "":
		bad = append(bad, fault.Invalidf("name", "missing: an item is known by its class and name"))
	case len(name) > 512:
		bad = append(bad, fault.Invalidf("name", "longer than 512 bytes"))
	case strings.ContainsFunc(name, func(c rune) bool { return c < ' ' }):
		bad = append(bad, fault.Invalidf("name", "contains a control character"))
	}
	return bad
}

const (
	maxAttributes = 256
	maxValue      = 8 << 10
	maxElements   = 1024
)

// Check validates attributes of class and returns them in their typed form.
// Fields that the class does not name are kept as they are, if their names could
// be fields: what an import knows is not thrown away. The error is a fault.List.
func (r *Registry) Check(class string, attrs Attributes) (Attributes, error) {
	var bad fault.List
	out := make(Attributes, len(attrs))
	if len(attrs) > maxAttributes {
		return nil, fault.Invalidf("attributes", "more than %d of them", maxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		path := "attributes." + name
		if !fieldName.MatchString(name) {
			bad = append(bad, fault.Invalidf(path, "want a name of lower-case letters, digits and _, beginning with a letter"))
			continue
		}
		v := Normalize(attrs[name])
		if v == nil {
			continue
		}
		if f, ok := r.Field(class, name); ok {
			typed, why := f.typed(v)
			if why != "" {
				bad = append(bad, fault.Invalidf(path, "%s", why))
				continue
			}
			v = typed
		}
		if len(TextOf(v)) > maxValue {
			bad = append(bad, fault.Invalidf(path, "longer than %d bytes", maxValue))
			continue
		}
		out[name] = v
	}
	return out, bad.Err()
}

// Parse reads a field's value from text, as in a CSV cell. Lists are split at commas or semicolons.
func (r *Registry) Parse(class, name, text string) (any, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	if !fieldName.MatchString(name) {
		return nil, fault.Invalidf(name, "is no field name: want lower-case letters, digits and _, beginning with a letter")
	}
	f, ok := r.Field(class, name)
	if !ok {
		return text, nil
	}
	v, why := f.typed(text)
	if why != "" {
		return nil, fault.Invalidf(name, "%s", why)
	}
	return v, nil
}

// typed brings a normalised value into the field's type, or says why it cannot be.
func (f Field) typed(v any) (any, string) {
	switch f.Type {
	case Text:
		return TextOf(v), ""
	case Number:
		if n, ok := v.(float64); ok {
			return n, ""
		}
		n, err := strconv.ParseFloat(TextOf(v), 64)
		if err != nil || Normalize(n) == nil {
			return nil, fmt.Sprintf("want a number, got %.60q", TextOf(v))
		}
		return n, ""
	case Bool:
		b, err := strconv.ParseBool(TextOf(v))
		if err != nil {
			return nil, fmt.Sprintf("want true or false, got %.60q", TextOf(v))
		}
		return b, ""
	case Date:
		s := TextOf(v)
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t.UTC().Format(time.DateOnly), ""
		}
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return nil, fmt.Sprintf("want a date as YYYY-MM-DD, got %.60q", s)
		}
		return s, ""
	case Enum:
		s := strings.ToLower(TextOf(v))
		if !slices.Contains(f.Values, s) {
			return nil, fmt.Sprintf("want one of %s, got %.60q", strings.Join(f.Values, ", "), TextOf(v))
		}
		return s, ""
	}
	parts := elements(v)
	if len(parts) > maxElements {
		return nil, fmt.Sprintf("more than %d elements", maxElements)
	}
	switch f.Type {
	case Numbers:
		out := make([]float64, 0, len(parts))
		for _, p := range parts {
			n, err := strconv.ParseFloat(p, 64)
			if err != nil || Normalize(n) == nil {
				return nil, fmt.Sprintf("want numbers, got %.60q", p)
			}
			out = append(out, n)
		}
		return Normalize(out), ""
	case Addresses:
		out := make([]string, 0, len(parts))
		for _, p := range parts {
			a, err := netip.ParseAddr(strings.TrimSpace(p))
			if err != nil {
				return nil, fmt.Sprintf("want IP addresses, got %.60q", p)
			}
			out = append(out, a.Unmap().String())
		}
		return Normalize(out), ""
	default:
		return Normalize(parts), ""
	}
}

func elements(v any) []string {
	switch x := v.(type) {
	case []string:
		return x
	case []float64:
		return (Attributes{"": x}).List("")
	}
	var out []string
	for p := range strings.FieldsFuncSeq(TextOf(v), func(c rune) bool { return c == ',' || c == ';' }) {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
