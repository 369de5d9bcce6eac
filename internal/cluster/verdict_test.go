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
	return cluster.Host{Agent: name, Site: "fra", LastHeard: noon.Add(-heard), Interval: time.Minute}
}

func TestJudge(t *testing.T) {
	gone := func(witness, about string, ago time.Duration) cluster.Testimony {
		return cluster.Testimony{Witness: witness, About: about, At: noon.Add(-ago), Gone: true}
	}
	answers := func(t cluster.Testimony) cluster.Testimony { t.Answers = true; return t }
	connected := func(t cluster.Testimony) cluster.Testimony { t.Connections = 3; return t }
	back := func(t cluster.Testimony) cluster.Testimony { t.Gone = false; return t }
	second := time.Second
	for name, c := range map[string]struct {
		hosts []cluster.Host
		said  []cluster.Testimony
		want  cluster.Verdict // of "a"
		why   string
	}{
		"heard":                              {[]cluster.Host{host("a", second), host("b", second)}, nil, cluster.Fine, ""},
		"lost by neighbours":                 {[]cluster.Host{host("a", 30*second), host("b", second)}, []cluster.Testimony{gone("b", "a", 10*second)}, cluster.HostGone, "does not answer"},
		"lost, but its port refuses":         {[]cluster.Host{host("a", 30*second), host("b", second)}, []cluster.Testimony{answers(gone("b", "a", 10*second))}, cluster.AgentGone, "it is up"},
		"lost, but one has connections":      {[]cluster.Host{host("a", 30*second), host("b", second), host("c", second)}, []cluster.Testimony{gone("b", "a", 10*second), connected(gone("c", "a", 9*second))}, cluster.AgentGone, "3 live connections"},
		"heard after the testimony":          {[]cluster.Host{host("a", 5*second), host("b", second)}, []cluster.Testimony{gone("b", "a", 10*second)}, cluster.Fine, ""},
		"back by another witness":            {[]cluster.Host{host("a", 60*second), host("b", second), host("c", second)}, []cluster.Testimony{gone("b", "a", 30*second), back(gone("c", "a", 5*second))}, cluster.Fine, ""},
		"the witness took it back":           {[]cluster.Host{host("a", 60*second), host("b", second)}, []cluster.Testimony{back(gone("b", "a", 5*second)), gone("b", "a", 30*second)}, cluster.Fine, ""},
		"a whole site silent":                {[]cluster.Host{host("a", time.Hour), host("b", time.Hour)}, nil, cluster.SiteCutOff, "none of the 2 agents"},
		"a site silent, old testimony":       {[]cluster.Host{host("a", time.Hour), host("b", 50*time.Minute)}, []cluster.Testimony{gone("b", "a", 55*time.Minute)}, cluster.SiteCutOff, ""},
		"alone and silent":                   {[]cluster.Host{host("a", time.Hour)}, nil, cluster.Silent, "no neighbour"},
		"silent, its neighbour sees nothing": {[]cluster.Host{host("a", time.Hour), host("b", second)}, nil, cluster.Silent, "no neighbour"},
	} {
		got := cluster.Judge(noon, c.hosts, c.said)[0]
		if got.Agent != "a" || got.Verdict != c.want || !strings.Contains(strings.Join(got.Reasons, "; "), c.why) {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
		if (got.Verdict == cluster.Fine) != (len(got.Reasons) == 0) {
			t.Errorf("%s: verdict %s with reasons %q", name, got.Verdict, got.Reasons)
		}
	}
}

func TestSitesAreJudgedApart(t *testing.T) {
	a, b := host("a", time.Hour), host("b", time.Hour)
	c := host("c", time.Second)
	c.Site = "ams"
	got := cluster.Judge(noon, []cluster.Host{a, b, c}, nil)
	if got[0].Verdict != cluster.SiteCutOff || got[2].Verdict != cluster.Fine {
		t.Errorf("%+v", got)
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
