package app

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/notify"
	"github.com/watchbill/watchbill/itsm"
)

// Who a page is counted for is whom Alertmanager's own tree delivers it to: over
// random trees, through the JSON that rules are journaled as.
func TestRouteTableMatchesAsTheTree(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	names := []string{"team", "priority", "step"}
	values := []string{"", "web", "shop", "1", "2", "opened", `qu"ote`, `back\slash`, "a\nb", "tab\tü"}
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	var tree func(depth int, at string) string
	tree = func(depth int, at string) string {
		var b strings.Builder
		for n := range rng.IntN(4) {
			if depth == 0 {
				break
			}
			matchers := ""
			for range rng.IntN(3) {
				op := pick([]string{"=", "!=", "=~", "!~"})
				v := pick(values)
				if op[len(op)-1] == '~' {
					v = pick([]string{"web|shop", "1|2", ".*", ".+", "w.*"})
				}
				matchers += fmt.Sprintf("%s  - %q\n", at, pick(names)+op+strconv.Quote(v))
			}
			if n == 0 {
				fmt.Fprintf(&b, "%sroutes:\n", at)
			}
			fmt.Fprintf(&b, "%s- continue: %t\n", at, rng.IntN(2) == 0)
			if rng.IntN(4) > 0 { // else it inherits
				fmt.Fprintf(&b, "%s  receiver: r%d\n", at, rng.IntN(5))
			}
			if matchers != "" {
				fmt.Fprintf(&b, "%s  matchers:\n%s", at, matchers)
			}
			b.WriteString(tree(depth-1, at+"  "))
		}
		return b.String()
	}
	several := 0
	for range 300 {
		text := "receivers: [{name: r0}, {name: r1}, {name: r2}, {name: r3}, {name: r4}]\nroute:\n  receiver: r0\n" + tree(3, "  ")
		r, err := notify.ParseReceivers(text, nil, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		rules := itsm.DefaultRules()
		rules.Notify.Routes = routeTable(r.Root())
		d, err := itsm.NewDesk(rules)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for range 20 {
			labels, set := map[string]string{}, model.LabelSet{}
			for _, n := range names {
				if v := pick(values); v != "" {
					labels[n], set[model.LabelName(n)] = v, model.LabelValue(v)
				}
			}
			var want []string
			for _, m := range r.Root().Match(set) {
				if !slices.Contains(want, m.RouteOpts.Receiver) {
					want = append(want, m.RouteOpts.Receiver)
				}
			}
			if got := d.ReceiversOf(labels); !slices.Equal(got, want) {
				t.Fatalf("%v goes to %v, by Alertmanager to %v\n%s", labels, got, want, text)
			}
			if len(want) > 1 {
				several++
			}
		}
	}
	if several < 500 {
		t.Fatalf("only %d messages went to several receivers: this proves nothing", several)
	}
}

// The routes are in the rules, and with them in the journal; a mistake in the
// receivers file is told with the others.
func TestLoadPutsRoutesIntoTheRules(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "watchbill.yml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("watchbill.yml", "notifications: {receivers_file: r.yml}\n")
	write("r.yml", "route: {receiver: mail, routes: [{matchers: [team=web], receiver: web, continue: true}]}\nreceivers: [{name: mail}, {name: web, webhook_configs: [{url: 'http://127.0.0.1:1/secret'}]}]\n")
	l, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	raw := string(fold.New(l.Rules).RulesJSON())
	if !strings.Contains(raw, `"routes":{"receiver":"mail","routes":[{"receiver":"web","matchers":["team=\"web\""],"continue":true}]}`) || strings.Contains(raw, "secret") {
		t.Errorf("the rules are %s", raw)
	}
	write("watchbill.yml", "notifications: {receivers_file: r.yml}\ndesk: {notify: {limit: -1, routes: {receiver: me}}}\n")
	write("r.yml", "route: {receiver: nobody}\nreceivers: [{name: mail}]\n")
	_, err = Load(file)
	for _, want := range []string{"desk.notify.limit: ", "desk.notify.routes: stand in the file that notifications.receivers_file names", `notifications.receivers_file: ` + filepath.Join(dir, "r.yml") + `: undefined receiver "nobody"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in: %v", want, err)
		}
	}
}
