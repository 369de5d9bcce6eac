package app

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/config"
	"github.com/watchbill/watchbill/internal/engine/ruletest"
	"github.com/watchbill/watchbill/internal/notify"
)

func TestExamplesLoad(t *testing.T) {
	dir := filepath.Join("..", "..", "deploy", "examples")
	c, err := config.Load(filepath.Join(dir, "watchbill.yml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Rules(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Desk.SLAs) != 4 || len(r.Desk.Services) != 2 || !r.Desk.Notify.Enabled || len(r.Desk.Calendars["office"].Holidays) != 3 {
		t.Errorf("read %+v", r.Desk)
	}
	if len(r.Correlation.Rules) != 5 {
		t.Errorf("read %+v", r.Correlation.Rules)
	}
	items, err := CMDBRules(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	window, known := items.Registry.Field("host", "patch_window")
	blades, _ := items.Registry.Field("turbine", "blades")
	_, gone := items.Registry.Silences("turbine")
	if !known || !window.Required || blades.Type != cmdb.Number || gone != 14*24*time.Hour || len(items.Prometheus) != 1 || items.Schedule.ReportSeconds != 60 {
		t.Errorf("read %+v, %+v, gone after %v, %d Prometheus", window, blades, gone, len(items.Prometheus))
	}
	if _, err := notify.LoadReceivers(filepath.Join(dir, c.Notifications.ReceiversFile), &url.URL{}, nil); err != nil {
		t.Error(err)
	}
}

// The example of rule tests passes by the example of a configuration.
func TestExampleRulesPassTheirTests(t *testing.T) {
	dir := filepath.Join("..", "..", "deploy", "examples")
	in, err := os.Open(filepath.Join(dir, "rules_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	f, err := ruletest.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(filepath.Join(dir, f.Config))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Rules(c)
	if err != nil {
		t.Fatal(err)
	}
	without := r
	without.Correlation.Rules = nil
	for _, x := range f.Tests {
		fails, err := x.Run(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fails {
			t.Errorf("%s at %s: %s", f.Test, f.At, f.Text)
		}
		if fails, err = x.Run(without); err != nil || len(fails) == 0 {
			t.Errorf("%s passes without the rules (%v): it tests none", x.Name, err)
		}
	}
}

func TestBadCMDBIsNamed(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ text, want string }{
		{"cmdb: {classes: [{name: Wind Turbine}]}", "cmdb.classes[0].name: want lower-case letters"},
		{"cmdb: {classes: [{name: turbine, fields: [{name: blades, type: integer}]}]}", `cmdb.classes[0].fields[0].type: want one of`},
		{"cmdb: {classes: [{name: turbine, fields: [{name: state, type: enum}]}]}", "cmdb.classes[0].fields[0].values"},
		{"cmdb: {classes: [{name: turbine, fields: [{name: a, type: text}, {name: a, type: date}]}]}", `cmdb.classes[0].fields[1].name: field "a" stands twice`},
		{"cmdb: {classes: [{name: turbine}, {name: turbine}]}", `cmdb.classes[1].name: class "turbine" stands twice`},
		{"cmdb: {classes: [{name: turbine, colour: red}]}", `unknown field "colour" in cmdb.classes`},
		{"cmdb: {classes: [{name: turbine, gone_after: 1h}]}", "cmdb.classes[0].gone_after: must not be shorter than stale_after"},
		{"cmdb: {authority: {ower: [person]}}", "cmdb.authority.ower: is a field of no class"},
		{"cmdb: {authority: {hots.owner: [person]}}", `cmdb.authority.hots.owner: there is no class "hots"`},
		{"cmdb: {authority: {host.blades: [person]}}", `class host has no field "blades"`},
		{"cmdb: {authority: {owner: []}}", "cmdb.authority.owner: lists no source"},
		{"cmdb: {authority: {owner: [people]}}", `cmdb.authority.owner[0]: want agent, person, import, person:NAME or import:NAME, got "people"`},
		{"cmdb: {silence: {agents: 1d}}", "cmdb.silence.agents: want agent, person or import"},
		{"cmdb: {silence: {agent: soon}}", `want a duration such as 30s, 5m, 4h or 30d, got "soon"`},
		{"cmdb: {prometheus: [{url: 'prometheus:9090'}]}", "cmdb.prometheus[0].url: want an address such as http://prometheus:9090"},
		{"cmdb: {prometheus: [{url: 'http://a:b@prometheus:9090'}]}", "cmdb.prometheus[0].url: must not hold a password"},
		{"cmdb: {prometheus: [{url: 'http://p:9090', bearer_token_file: nowhere}]}", "cmdb.prometheus[0].bearer_token_file: open"},
		{"cmdb: {prometheus: [{url: 'http://p:9090', bearer_token_file: " + secret + ", username: u, password_file: x}]}", "either a bearer token or a user name"},
		{"cmdb: {prometheus: [{url: 'http://p:9090', username: u}]}", "username and password_file go together"},
		{"cmdb: {prometheus: [{url: 'http://p:9090', ca_file: " + secret + "}]}", "cmdb.prometheus[0].ca_file"},
		{"agents: {stale_after: 30d, gone_after: 1d}", "agents.gone_after: must not be shorter"},
	} {
		file := filepath.Join(t.TempDir(), "c.yml")
		if err := os.WriteFile(file, []byte(x.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file)
		if err == nil {
			_, err = CMDBRules(c, filepath.Dir(file))
		}
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s\nsays %v\nwant %s", x.text, err, x.want)
		}
	}
}

func TestBadDeskIsNamed(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"desk: {slas: [{name: a, clock: resolution, target: 4h, start: [in_progress], pause: [on_hold/vendor]}]}", "desk.slas[0].pause[0]"},
		{"desk: {slas: [{name: a, clock: resolution, target: soon}]}", `want a duration such as 90s, 4h or 30d, got "soon"`},
		{"desk: {sla: []}", `desk.sla: unknown field`},
		{"desk: {calendars: {c: {open: [{weekdays: ['someday']}]}}}", "someday"},
		{"notifications: {external_url: watchbill}", "notifications.external_url"},
		{"notifications: {receivers: x}", `"receivers"`},
	} {
		file := filepath.Join(t.TempDir(), "c.yml")
		if err := os.WriteFile(file, []byte(x.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file)
		if err == nil {
			_, err = Rules(c)
		}
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s\nsays %v\nwant %s", x.text, err, x.want)
		}
	}
}
