package engine

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/notify"
)

// The summary of a storm names each incident with its title and the link to it; one
// of a version without titles still names and links.
func TestSummaryLinksEachIncident(t *testing.T) {
	base, err := url.Parse("http://watchbill.example:7470/wb")
	if err != nil {
		t.Fatal(err)
	}
	links, err := notify.NewLinks(base, []byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for title, titles := range map[string][]string{" [P1] disk full": {"[P1] disk full"}, "": nil} {
		body, err := json.Marshal(fold.Notice{Text: "3 incidents wait", Incidents: []string{"INC00000001"}, Count: 3, Titles: titles})
		if err != nil {
			t.Fatal(err)
		}
		m, err := (&Outbox{links: links}).render(fold.Message{Topic: fold.TellSummary, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		want := "3 incidents wait\nINC00000001" + title + " " + links.Incident("INC00000001") + "\nand 2 more"
		if m.Plain != want || m.Annotations["description"] != want {
			t.Errorf("%q, want %q", m.Plain, want)
		}
	}
}
