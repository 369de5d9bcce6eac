package scenarios_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

var (
	titleForm = regexp.MustCompile(`^(.+?) on (.+?)( and \d+ more affected)?$`)
	titleMany = regexp.MustCompile(`^\d+ [a-z ]+ \((.+)\)$`)
)

// namesIn are the items that a title says its alert is on.
func namesIn(title string) (alert string, items []string) {
	m := titleForm.FindStringSubmatch(title)
	if m == nil {
		return "", nil
	}
	items = []string{m[2]}
	if many := titleMany.FindStringSubmatch(m[2]); many != nil {
		items = slices.DeleteFunc(strings.Split(many[1], ", "), func(n string) bool { return n == "…" })
	}
	return m[1], items
}

// Who is woken by a title must be able to trust it: no alert is said to be on an item
// that does not carry that very alert. Held on every state of every incident.
func TestNoTitleNamesAnItemThatDoesNotCarryItsAlert(t *testing.T) {
	files, err := filepath.Glob("../../testdata/storms/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		titles := map[string]map[string]bool{} // by incident
		alerts := map[string]correlator.Alert{}
		_, err = replay.File(f, fold.DefaultRules(), time.Now, func(e fold.Effect) {
			switch b := e.Body.(type) {
			case fold.PutIncident:
				if titles[b.Incident.ID] == nil {
					titles[b.Incident.ID] = map[string]bool{}
				}
				titles[b.Incident.ID][b.Incident.Title] = true
			case fold.PutAlert:
				alerts[b.Alert.ID] = b.Onto(alerts[b.Alert.ID])
			}
		})
		f.Close()
		if err != nil {
			t.Fatal(name, err)
		}
		carried := map[string]bool{} // alert name and item, wherever the alert is now: incidents merge
		for _, a := range alerts {
			name := strings.TrimSpace(a.Labels.Get("alertname"))
			if a.Binding != nil {
				carried[name+"\x00"+a.Binding.Name] = true
				continue
			}
			for _, l := range a.Labels {
				carried[name+"\x00"+l.Value] = true
			}
		}
		n, wrong := 0, 0
		for id, all := range titles {
			for title := range all {
				alert, items := namesIn(title)
				if alert == "" && !strings.HasPrefix(title, "Flood of ") && !strings.Contains(title, "has not been heard") {
					t.Errorf("%s: %s: %q does not say what fires where", name, id, title)
				}
				for _, item := range items {
					if n++; !carried[alert+"\x00"+item] {
						wrong++
						t.Errorf("%s: %s: %q, but no %s is on %s", name, id, title, alert, item)
					}
				}
			}
		}
		t.Logf("%s: %d items named in titles, %d wrong", filepath.Base(name), n, wrong)
	}
}
