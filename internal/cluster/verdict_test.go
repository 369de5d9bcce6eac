package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/cluster"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func host(name string, heard time.Duration) cluster.Host {
	return cluster.Host{Agent: name, LastHeard: noon.Add(-heard), Interval: time.Minute}
}

func TestJudge(t *testing.T) {
	gone := func(witness, about string, ago time.Duration) cluster.Testimony {
		return cluster.Testimony{Witness: witness, About: about, At: noon.Add(-ago), Gone: true}
	}
	answers := func(t cluster.Testimony) cluster.Testimony { t.Answers = true; return t }
	connected := func(t cluster.Testimony) cluster.Testimony { t.Connections = 3; return t }
	back := func(t cluster.Testimony) cluster.Testimony { t.Gone = false; return t }
	second := time.Second
	type hosts = []cluster.Host
	type said = []cluster.Testimony
	for name, c := range map[string]struct {
		hosts hosts
		said  said
		pulse time.Duration
		heard time.Duration // of the site, ago
		want  cluster.Verdict
		why   string
	}{
		"heard":                              {hosts: hosts{host("a", second), host("b", second)}, want: cluster.Fine},
		"lost by its only neighbour":         {hosts: hosts{host("a", 30*second), host("b", second)}, said: said{gone("b", "a", 10*second)}, want: cluster.HostGone, why: "does not answer"},
		"lost by one of many":                {hosts: hosts{host("a", 30*second), host("b", second), host("c", second)}, said: said{gone("b", "a", 10*second)}, want: cluster.Fine},
		"lost by two of many":                {hosts: hosts{host("a", 30*second), host("b", second), host("c", second), host("d", second)}, said: said{gone("b", "a", 10*second), gone("c", "a", 9*second)}, want: cluster.HostGone, why: "c lost the agent"},
		"lost by one of many, and overdue":   {hosts: hosts{host("a", 91*second), host("b", second), host("c", second)}, said: said{gone("b", "a", 10*second)}, want: cluster.HostGone, why: "does not answer"},
		"lost, but its port refuses":         {hosts: hosts{host("a", 30*second), host("b", second)}, said: said{answers(gone("b", "a", 10*second))}, want: cluster.AgentGone, why: "it is up"},
		"lost, but one has connections":      {hosts: hosts{host("a", 30*second), host("b", second), host("c", second)}, said: said{gone("b", "a", 10*second), connected(gone("c", "a", 9*second))}, want: cluster.AgentGone, why: "3 live connections"},
		"heard after the testimony":          {hosts: hosts{host("a", 5*second), host("b", second)}, said: said{gone("b", "a", 10*second)}, want: cluster.Fine},
		"back by another witness":            {hosts: hosts{host("a", 60*second), host("b", second), host("c", second)}, said: said{gone("b", "a", 30*second), back(gone("c", "a", 5*second))}, want: cluster.Fine},
		"the witness took it back":           {hosts: hosts{host("a", 60*second), host("b", second)}, said: said{back(gone("b", "a", 5*second)), gone("b", "a", 30*second)}, want: cluster.Fine},
		"a whole site silent":                {hosts: hosts{host("a", time.Hour), host("b", time.Hour)}, heard: time.Hour, want: cluster.SiteCutOff, why: "none of the 2 agents"},
		"a site silent, old testimony":       {hosts: hosts{host("a", time.Hour), host("b", 50*time.Minute)}, heard: 50 * time.Minute, said: said{gone("b", "a", 55*time.Minute)}, want: cluster.SiteCutOff},
		"a pulse that stopped":               {hosts: hosts{host("a", 40*second), host("b", 16*second)}, pulse: 5 * second, heard: 16 * second, want: cluster.SiteCutOff, why: "speaks every 5s"},
		"a pulse that is late":               {hosts: hosts{host("a", 40*second), host("b", 14*second)}, pulse: 5 * second, heard: 14 * second, want: cluster.Fine},
		"no pulse, a report late":            {hosts: hosts{host("a", 100*second), host("b", 160*second)}, heard: 100 * second, want: cluster.Fine},
		"alone and silent":                   {hosts: hosts{host("a", time.Hour)}, heard: time.Hour, want: cluster.Silent, why: "no neighbour"},
		"silent, its neighbour sees nothing": {hosts: hosts{host("a", time.Hour), host("b", second)}, want: cluster.Silent, why: "no neighbour"},
	} {
		site := cluster.Site{Name: "fra", Pulse: c.pulse, LastHeard: noon.Add(-c.heard), Hosts: c.hosts, Testimonies: c.said}
		got, all := cluster.Judge(noon, site)
		if got.Verdict == cluster.SiteCutOff {
			if len(all) != 0 {
				t.Errorf("%s: hosts of a silent site were judged: %+v", name, all)
			}
		} else {
			got = all[0]
			if got.Agent != "a" {
				t.Errorf("%s: %+v is not of a", name, got)
			}
		}
		if got.Verdict != c.want || !strings.Contains(strings.Join(got.Reasons, "; "), c.why) {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
		if (got.Verdict == cluster.Fine) != (len(got.Reasons) == 0) {
			t.Errorf("%s: verdict %s with reasons %q", name, got.Verdict, got.Reasons)
		}
	}
}

func TestWitnessesAreFewSharedAndAgreed(t *testing.T) {
	var members []string
	for i := range 1000 {
		members = append(members, fmt.Sprintf("agent-%d", i))
	}
	work := map[string]int{}
	for _, lost := range members {
		w := cluster.Witnesses(lost, members, 3)
		if len(w) != 3 || w[0] == w[1] || w[1] == w[2] {
			t.Fatalf("%v", w)
		}
		for _, name := range w {
			if name == lost {
				t.Fatalf("%s is to testify of itself", lost)
			}
			work[name]++
		}
	}
	most := 0
	for _, n := range work {
		most = max(most, n)
	}
	if most > 15 {
		t.Errorf("one member has %d of 1000 deaths to tell, a fair share is 3", most)
	}
	if got := cluster.Witnesses("a", []string{"a"}, 3); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
