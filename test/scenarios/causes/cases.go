package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/fold"
	"github.com/watchbill/watchbill/internal/engine/replay"
)

// key is an episode: startsAt counts to the millisecond.
type key struct {
	fingerprint string
	startsAt    int64
}

type truth struct {
	Alerts []struct {
		Fingerprint string    `json:"fingerprint"`
		StartsAt    time.Time `json:"starts_at"`
		Incident    *string   `json:"incident"`
	} `json:"alerts"`
	Incidents []struct {
		ID   string `json:"id"`
		Root *struct {
			Class string `json:"class"`
			Name  string `json:"name"`
		} `json:"root"`
	} `json:"incidents"`
}

// seen is what a state said of an incident when it last changed.
type seen struct {
	list  []correlator.Suspect
	none  []float64
	noneP float64
}

// casesOf replays a recording and takes, for every true incident, the incident that
// holds most of it.
func casesOf(name string, objects bool) ([]incident, error) {
	b, err := os.ReadFile(strings.TrimSuffix(name, ".jsonl.gz") + ".truth.json")
	if err != nil {
		return nil, err
	}
	var t truth
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, err
	}
	last, r, err := play(name)
	if err != nil {
		return nil, err
	}
	of := map[key]string{} // result incident of an episode
	size := map[string]int{}
	for _, i := range r.Incidents {
		for _, a := range i.Alerts {
			at, err := time.Parse(time.RFC3339, a.StartsAt)
			if err != nil {
				return nil, err
			}
			if k := (key{a.Fingerprint, at.UnixMilli()}); of[k] == "" {
				of[k] = i.ID
				size[i.ID]++
			}
		}
	}
	members := map[string]int{}
	common := map[string]map[string]int{}
	for _, a := range t.Alerts {
		if a.Incident == nil {
			continue
		}
		members[*a.Incident]++
		if i := of[key{a.Fingerprint, a.StartsAt.UnixMilli()}]; i != "" {
			if common[*a.Incident] == nil {
				common[*a.Incident] = map[string]int{}
			}
			common[*a.Incident][i]++
		}
	}
	var out []incident
	for _, x := range t.Incidents {
		best, most := "", 0.0
		for _, i := range r.Incidents {
			if n := common[x.ID][i.ID]; n > 0 {
				if j := float64(n) / float64(members[x.ID]+size[i.ID]-n); j > most {
					best, most = i.ID, j
				}
			}
		}
		s, ok := last[best]
		if !ok {
			continue
		}
		c := incident{none: s.none, noneP: s.noneP, root: x.Root != nil}
		for _, y := range s.list {
			thing := y.Class + " " + y.Name
			if objects && len(y.Parts) > 0 {
				thing = "workload " + y.Parts[0]
			}
			c.rows = append(c.rows, y.Features)
			c.told = append(c.told, y.Probability)
			c.thing = append(c.thing, thing)
			c.right = append(c.right, x.Root != nil && thing == x.Root.Class+" "+x.Root.Name)
		}
		out = append(out, c)
	}
	return out, nil
}

// play replays a recording and keeps what was said of each incident while it was open.
func play(name string) (map[string]seen, replay.Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, replay.Result{}, err
	}
	defer f.Close()
	p := &replay.Player{State: fold.New(fold.DefaultRules())}
	c := replay.NewCollector()
	last := map[string]seen{}
	var touched []string
	c.Each = func(e fold.Effect) {
		if b, ok := e.Body.(fold.PutIncident); ok && b.Incident.Live() && !slices.Contains(touched, b.Incident.ID) {
			touched = append(touched, b.Incident.ID)
		}
	}
	look := func() {
		for _, id := range touched {
			if list, none, noneP := p.State.Suspects(id); none != nil {
				last[id] = seen{list, none, noneP}
			}
		}
		touched = touched[:0]
	}
	for e, err := range replay.Read(f) {
		if err != nil {
			return nil, replay.Result{}, err
		}
		p.Play(e, c.Take)
		look()
	}
	p.Finish(c.Take)
	look()
	return last, c.Result(p, 0), nil
}
