package app

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func TestBadDeskIsNamed(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"desk: {slas: [{name: a, clock: resolution, target: 4h, start: [in_progress], pause: [on_hold/vendor]}]}", "desk.slas[0].pause[0]"},
		{"desk: {slas: [{name: a, clock: resolution, target: soon}]}", `want a duration such as 90s, 4h or 30d, got "soon"`},
		{"desk: {sla: []}", `unknown field "sla"`},
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
