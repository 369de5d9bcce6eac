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
}

// lifecycles in the order of an asset's life.
var lifecycles = []string{"ordered", "in_stock", "deployed", "maintenance", "retired", "disposed"}

// Criticalities in rising order, as the correlator reads them.
var Criticalities = []string{"low", "medium", "high", "critical"}

// commonFields belong to every class.
var commonFields = []Field{
	{Name: "lifecycle", Type: Enum, Values: lifecycles, Description: "where the asset is in its life, as people decide"},
	{Name: "criticality", Type: Enum, Values: Criticalities, Description: "how much the business needs it"},
	{Name: "owner", Type: Text, Description: "the person or role that answers for it"},
	{Name: "team", Type: Text, Description: "the team that runs it"},
	{Name: "location", Type: Text, Description: "where it stands"},
	{Name: "environment", Type: Text, Description: "production, test, ..."},
	{Name: "description", Type: Text},
	{Name: "asset_tag", Type: Text, Description: "the label on its case"},
	{Name: "cost", Type: Number, Description: "purchase price in currency"},
	{Name: "currency", Type: Text, Description: "ISO 4217 code"},
	{Name: "cost_center", Type: Text},
	{Name: "supplier", Type: Text},
	{Name: "contract", Type: Text},
	{Name: "purchased", Type: Date, Description: "day of purchase"},
	{Name: "warranty_end", Type: Date, Description: "last day of the warranty"},
	{Name: "end_of_life", Type: Date, Description: "last day of support by its maker"},
	{Name: "hostname", Type: Text}, {Name: "fqdn", Type: Text},
	{Name: "addresses", Type: Addresses, Description: "IP addresses it answers on"},
	{Name: "aliases", Type: Texts, Description: "other names that alerts use"},
	{Name: "vm_id", Type: Text, Description: "number of the virtual machine on its hypervisor"},
	{Name: "node", Type: Text, Description: "Kubernetes node name"},
	{Name: "namespace", Type: Text}, {Name: "cluster", Type: Text}, {Name: "url", Type: Text},
	{Name: "ports", Type: Numbers, Description: "ports it listens on"},
}

var hostFields = []Field{
	{Name: "hostname", Type: Text, Required: true},
	{Name: "addresses", Type: Addresses, Required: true},
	{Name: "os", Type: Text, Required: true, Description: "os-release ID, e.g. debian"},
	{Name: "owner", Type: Text, Required: true}, {Name: "team", Type: Text, Required: true},
	{Name: "location", Type: Text, Required: true},
	{Name: "serial_number", Type: Text}, {Name: "vendor", Type: Text}, {Name: "product", Type: Text},
	{Name: "machine_id", Type: Text}, {Name: "product_uuid", Type: Text}, {Name: "agent_id", Type: Text},
	{Name: "agent_version", Type: Text},
	{Name: "os_name", Type: Text}, {Name: "os_version", Type: Text}, {Name: "os_codename", Type: Text},
	{Name: "os_family", Type: Text}, {Name: "kernel", Type: Text}, {Name: "arch", Type: Text},
	{Name: "cpu_model", Type: Text}, {Name: "cpu_sockets", Type: Number}, {Name: "cpu_cores", Type: Number},
	{Name: "cpu_threads", Type: Number}, {Name: "memory_bytes", Type: Number}, {Name: "swap_bytes", Type: Number},
	{Name: "disk_bytes", Type: Number}, {Name: "disk_serials", Type: Texts}, {Name: "macs", Type: Texts},
	{Name: "virtualization", Type: Text}, {Name: "container", Type: Bool}, {Name: "timezone", Type: Text},
	{Name: "boot_time", Type: Text}, {Name: "packages", Type: Number, Counter: true},
	{Name: "cloud_provider", Type: Text}, {Name: "cloud_account", Type: Text}, {Name: "cloud_instance", Type: Text},
	{Name: "cloud_region", Type: Text}, {Name: "cloud_zone", Type: Text}, {Name: "cloud_type", Type: Text},
}

// deviceFields belong to what stands in a rack and runs no agent.
var deviceFields = append(required("owner", "location"), []Field{
	{Name: "serial_number", Type: Text}, {Name: "vendor", Type: Text}, {Name: "product", Type: Text}, {Name: "macs", Type: Texts}, {Name: "os_version", Type: Text, Description: "firmware"},
}...)

var serviceFields = []Field{
	{Name: "ports", Type: Numbers}, {Name: "unit", Type: Text}, {Name: "process", Type: Text},
	{Name: "product", Type: Text}, {Name: "version", Type: Text}, {Name: "state", Type: Text},
	{Name: "criticality", Type: Enum, Values: Criticalities, Required: true},
	{Name: "owner", Type: Text, Required: true}, {Name: "team", Type: Text, Required: true},
}

func required(names ...string) []Field {
	out := make([]Field, len(names))
	for i, n := range names {
		out[i] = Field{Name: n, Type: Text, Required: true}
	}
	return out
}

var builtinClasses = []Class{
	{Name: "host", Description: "a machine, physical or virtual, that runs an operating system", Fields: hostFields},
	{Name: "virtual_machine", Description: "a virtual machine as its hypervisor knows it", Fields: hostFields},
	{Name: "hypervisor", Description: "a machine that runs virtual machines", Fields: hostFields},
	{Name: "container", Description: "a container on a host", Fields: []Field{{Name: "image", Type: Text}, {Name: "runtime", Type: Text}, {Name: "container_id", Type: Text}}},
	{Name: "operating_system", Description: "an installed operating system", Fields: []Field{
		{Name: "version", Type: Text}, {Name: "codename", Type: Text}, {Name: "kernel", Type: Text}, {Name: "arch", Type: Text}, {Name: "family", Type: Text}, {Name: "installed", Type: Date}}},
	{Name: "software", Description: "a product that is installed or licensed", Fields: append(required("owner"),
		Field{Name: "version", Type: Text}, Field{Name: "vendor", Type: Text}, Field{Name: "purl", Type: Text, Description: "package URL"},
		Field{Name: "license", Type: Text}, Field{Name: "licenses_bought", Type: Number}, Field{Name: "license_end", Type: Date})},
	{Name: "service", Description: "a program that others use", Fields: serviceFields},
	{Name: "process", Description: "a running program", Fields: []Field{
		{Name: "executable", Type: Text}, {Name: "user", Type: Text}, {Name: "unit", Type: Text}, {Name: "product", Type: Text}, {Name: "version", Type: Text}, {Name: "count", Type: Number, Counter: true}}},
	{Name: "listener", Description: "an open port", Fields: []Field{
		{Name: "protocol", Type: Enum, Values: []string{"tcp", "tcp6", "udp", "udp6", "sctp"}}, {Name: "port", Type: Number}, {Name: "process", Type: Text}, {Name: "unit", Type: Text}}},
	{Name: "database", Description: "a database server", Fields: serviceFields},
	{Name: "cache", Description: "a cache server", Fields: serviceFields},
	{Name: "queue", Description: "a message broker", Fields: serviceFields},
	{Name: "loadbalancer", Description: "a proxy that spreads requests", Fields: serviceFields},
	{Name: "storage", Description: "a storage system", Fields: serviceFields},
	{Name: "certificate", Description: "an X.509 certificate", Fields: []Field{
		{Name: "fingerprint", Type: Text}, {Name: "subject", Type: Text}, {Name: "issuer", Type: Text}, {Name: "serial", Type: Text},
		{Name: "dns_names", Type: Texts}, {Name: "not_before", Type: Date}, {Name: "not_after", Type: Date, Required: true}, {Name: "owner", Type: Text, Required: true}}},
	{Name: "interface", Description: "a network interface", Fields: []Field{
		{Name: "mac", Type: Text}, {Name: "speed_mbps", Type: Number}, {Name: "mtu", Type: Number}, {Name: "vlan", Type: Number}, {Name: "state", Type: Text}}},
	{Name: "disk", Description: "a disk", Fields: []Field{
		{Name: "serial_number", Type: Text}, {Name: "vendor", Type: Text}, {Name: "model", Type: Text}, {Name: "disk_bytes", Type: Number},
		{Name: "kind", Type: Text, Description: "ssd, hdd, nvme, virtual, ..."}}},
	{Name: "rack", Description: "a rack", Fields: append(required("location"), Field{Name: "height_units", Type: Number}, Field{Name: "serial_number", Type: Text})},
	{Name: "site", Description: "a place with racks", Fields: []Field{{Name: "address", Type: Text}, {Name: "country", Type: Text, Description: "ISO 3166-1 code"}, {Name: "timezone", Type: Text}}},
	{Name: "switch", Description: "a network switch", Fields: deviceFields},
	{Name: "pdu", Description: "a power unit", Fields: append([]Field{{Name: "capacity_watts", Type: Number}}, deviceFields...)},
	{Name: "cluster", Description: "machines that act as one", Fields: append(required("owner", "team"),
		Field{Name: "kind", Type: Text, Description: "kubernetes, postgresql, proxmox, ..."}, Field{Name: "version", Type: Text})},
	{Name: "namespace", Description: "a part of a cluster", Fields: required("team")},
	{Name: "workload", Description: "a deployment, stateful set, daemon set or scheduled job", Fields: append(required("team"),
		Field{Name: "kind", Type: Text, Description: "deployment, statefulset, daemonset, job, ..."}, Field{Name: "replicas", Type: Number}, Field{Name: "image", Type: Text})},
	{Name: "pod", Description: "one instance of a workload", Fields: []Field{{Name: "image", Type: Text}, {Name: "state", Type: Text}, {Name: "pod_ip", Type: Addresses}}},
	{Name: "external", Description: "an endpoint outside of what is inventoried", Fields: []Field{{Name: "prefix", Type: Text}}},
	{Name: "application", Description: "an application that people know by name", Fields: append(required("owner", "team"), Field{Name: "criticality", Type: Enum, Values: Criticalities, Required: true})},
	{Name: "business_service", Description: "what the organisation offers", Fields: append(required("owner", "team"), Field{Name: "criticality", Type: Enum, Values: Criticalities, Required: true})},
	{Name: "person", Description: "a person", Fields: []Field{{Name: "email", Type: Text, Required: true}, {Name: "phone", Type: Text}}},
	{Name: "team", Description: "people who run something together", Fields: []Field{{Name: "email", Type: Text}, {Name: "chat", Type: Text}, {Name: "manager", Type: Text}}},
	{Name: "location", Description: "an address or room", Fields: []Field{{Name: "address", Type: Text}, {Name: "room", Type: Text}, {Name: "country", Type: Text}, {Name: "timezone", Type: Text}}},
}

var builtinRelations = []RelationType{
	{"runs_on", "the machine or platform it runs on", true},
	{"depends_on", "what it calls", true},
	{"exposes", "the workload behind a service", true},
	{"replicates", "the primary that a replica follows", true},
	{"secured_by", "its certificate", true},
	{"attached_to", "the switch it is plugged into", true},
	{"powered_by", "its power unit", true},
	{"member_of", "the group it belongs to", false},
	{"located_in", "the place it stands in", false},
	{"composed_of", "the parts of a service or an application", true},
	{"owned_by", "the person or team that answers for it", false},
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
	have.Description = cmp.Or(c.Description, have.Description)
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
