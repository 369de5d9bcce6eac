package config

import (
	"fmt"
	"net/url"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// CMDB says what the inventory knows beside what is built in, whom it believes,
// and whom it asks for coverage.
type CMDB struct {
	Classes []CMDBClass `yaml:"classes"`
	// Authority lists, by "field" or "class.field", whose word counts: agent,
	// person, import, person:NAME or import:NAME, the first wins.
	Authority map[string][]string `yaml:"authority"`
	// Silence is, by kind of source, how long it may be silent before the next one's
	// word counts; 0: it keeps its word.
	Silence map[string]Duration `yaml:"silence"`
	// Prometheus whose targets and rules are compared with what there is.
	Prometheus []Prometheus `yaml:"prometheus"`
}

// CMDBClass is a new class, or more fields of a built-in one.
type CMDBClass struct {
	Name        string      `yaml:"name"`
	Description string      `yaml:"description"`
	Fields      []CMDBField `yaml:"fields"`
	// Role is what its items are for others: machine, service, store, ...; its values are cmdb.RoleName's.
	Role       string   `yaml:"role"`
	StaleAfter Duration `yaml:"stale_after"`
	GoneAfter  Duration `yaml:"gone_after"`
}

// CMDBField is one field of a class; its meaning is cmdb.Field's.
type CMDBField struct {
	Name        string   `yaml:"name"`
	Type        string   `yaml:"type"`
	Values      []string `yaml:"values"`
	Required    bool     `yaml:"required"`
	Counter     bool     `yaml:"counter"`
	Description string   `yaml:"description"`
}

// Prometheus is a server whose HTTP API is read. Secrets lie in files.
type Prometheus struct {
	URL             string   `yaml:"url"`
	BearerTokenFile string   `yaml:"bearer_token_file"`
	Username        string   `yaml:"username"`
	PasswordFile    string   `yaml:"password_file"`
	CAFile          string   `yaml:"ca_file"`
	Timeout         Duration `yaml:"timeout"`
}

const promTimeout = 30 * time.Second

func (c CMDB) validate() (l fault.List) {
	bad := func(field, format string, args ...any) { l = append(l, fault.Invalidf(field, format, args...)) }
	classes := map[string]bool{}
	for i, x := range c.Classes {
		path := fmt.Sprintf("cmdb.classes[%d]", i)
		if classes[x.Name] {
			bad(path+".name", "class %q stands twice: put its fields together", x.Name)
		}
		classes[x.Name] = true
		fields := map[string]bool{}
		for j, f := range x.Fields {
			if fields[f.Name] {
				bad(fmt.Sprintf("%s.fields[%d].name", path, j), "field %q stands twice", f.Name)
			}
			fields[f.Name] = true
		}
	}
	return append(l, servers("cmdb.prometheus", c.Prometheus)...)
}

// servers checks how other programs' APIs are reached.
func servers(field string, list []Prometheus) (l fault.List) {
	bad := func(field, format string, args ...any) { l = append(l, fault.Invalidf(field, format, args...)) }
	seen := map[string]bool{}
	for i, p := range list {
		path := fmt.Sprintf("%s[%d]", field, i)
		switch u, err := url.Parse(p.URL); {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			bad(path+".url", "want an address such as http://prometheus:9090, got %q", p.URL)
		case u.User != nil:
			bad(path+".url", "must not hold a password: use username and password_file")
		case seen[p.URL]:
			bad(path+".url", "%s stands twice", p.URL)
		}
		seen[p.URL] = true
		if p.BearerTokenFile != "" && (p.Username != "" || p.PasswordFile != "") {
			bad(path+".bearer_token_file", "either a bearer token or a user name, not both")
		}
		if (p.Username == "") != (p.PasswordFile == "") {
			bad(path+".password_file", "username and password_file go together")
		}
	}
	return l
}

// TimeoutOr is the time-out of one request, 30s where none is given.
func (p Prometheus) TimeoutOr() time.Duration {
	if p.Timeout == 0 {
		return promTimeout
	}
	return p.Timeout.Std()
}
