package scenarios_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/watchbill/watchbill/internal/engine/replay"
)

// What a labelled recording's truth says, and how a replay's result compares with
// it: the measures of docs/correlation.md, by the definitions of the scorer that
// comes with the recordings.

// truth is a NAME.truth.json.
type truth struct {
	Alerts []struct {
		Fingerprint string    `json:"fingerprint"`
		StartsAt    time.Time `json:"starts_at"`
		Incident    *string   `json:"incident"`
		Role        string    `json:"role"`
	} `json:"alerts"`
	Incidents []struct {
		ID      string  `json:"id"`
		Fault   string  `json:"fault"`
		Root    *item   `json:"root"`
		Problem *string `json:"problem"`
	} `json:"incidents"`
	Knobs struct {
		Days float64 `json:"days"`
	} `json:"knobs"`
}

type item struct{ Class, Name string }

// key is an episode: startsAt counts to the millisecond.
type key struct {
	fingerprint string
	startsAt    int64
}

// scores by the names that the scorer prints; a measure that does not apply is absent.
type scores map[string]float64

func (s scores) ratio(name string, a, b float64) {
	if b > 0 {
		s[name] = a / b
	}
}

func f1(p, r float64) float64 {
	if p+r == 0 {
		return 0
	}
	return 2 * p * r / (p + r)
}

func mean(all []scores) scores {
	sum, n := scores{}, map[string]float64{}
	for _, s := range all {
		for k, v := range s {
			sum[k] += v
			n[k]++
		}
	}
	for k := range sum {
		sum[k] /= n[k]
	}
	return sum
}

type labelled struct {
	incident  string // true incident; empty is none
	precursor bool
	group     int // result incident; -1 is none
}

// score compares a result with the truth.
func score(r replay.Result, t truth) scores {
	s := scores{}
	alerts := map[key]labelled{}
	for _, a := range t.Alerts {
		l := labelled{precursor: a.Role == "precursor", group: -1}
		if a.Incident != nil {
			l.incident = *a.Incident
		}
		if k := (key{a.Fingerprint, a.StartsAt.UnixMilli()}); alerts[k] == (labelled{}) {
			alerts[k] = l
		}
	}
	groups := make([][]key, len(r.Incidents)) // alerts that the truth knows
	shown := map[key]time.Time{}
	for n, i := range r.Incidents {
		opened := instant(i.OpenedAt)
		for _, a := range i.Alerts {
			k := key{a.Fingerprint, instant(a.StartsAt).UnixMilli()}
			l, known := alerts[k]
			if !known || l.group >= 0 {
				continue
			}
			l.group = n
			alerts[k] = l
			groups[n] = append(groups[n], k)
			shown[k] = instant(a.AttachedAt)
			if opened.After(shown[k]) {
				shown[k] = opened
			}
		}
	}
	members := map[string][]key{}
	for k, l := range alerts {
		if l.incident != "" {
			members[l.incident] = append(members[l.incident], k)
		}
	}
	s.clusters(alerts, groups)
	best := s.found(alerts, groups, members, t)
	s.delays(alerts, members, shown)
	s.rootCauses(r, t, members, best)
	s.recurrence(r, t, alerts, groups, members)
	return s
}

func instant(text string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, text) // what replay wrote
	return t
}

// clusters are B-cubed without the episode itself and its macro average. A result
// incident of nothing but re-fires of one background alert is no grouping error.
func (s scores) clusters(alerts map[key]labelled, groups [][]key) {
	refires := make([]bool, len(groups))
	for n, g := range groups {
		refires[n] = len(g) > 0
		for _, k := range g {
			refires[n] = refires[n] && alerts[k].incident == "" && k.fingerprint == g[0].fingerprint
		}
	}
	type cell struct {
		incident string
		group    int
	}
	size, held, both := map[string]float64{}, map[int]float64{}, map[cell]float64{}
	var sp, sr, ip, ir, total, inside float64
	single := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	for _, l := range alerts {
		if l.group >= 0 && refires[l.group] {
			l.group = -1
		}
		total++
		if l.incident != "" {
			inside++
			size[l.incident]++
		}
		if l.group >= 0 {
			held[l.group]++
		}
		both[cell{l.incident, l.group}]++
	}
	purity, recall := map[int]float64{}, map[string]float64{}
	for c, n := range both {
		// Background and what is in no incident stand alone, each for itself.
		a, b, same := size[c.incident], held[c.group], n
		if c.incident == "" {
			a, same = 1, 1
		}
		if c.group < 0 {
			b, same = 1, 1
		}
		precision, found := single(a == 1), single(b == 1)
		if b > 1 {
			precision = (same - 1) / (b - 1)
		}
		if a > 1 {
			found = (same - 1) / (a - 1)
		}
		sp, sr = sp+n*precision, sr+n*found
		if c.incident != "" {
			ip, ir = ip+n*precision, ir+n*found
			if a > 1 {
				recall[c.incident] += n * same / a / a
			}
		}
		if b > 1 {
			purity[c.group] += n * same / b / b
		}
	}
	s["B3"], s["B3inc"] = f1(sp/total, sr/total), f1(ip/inside, ir/inside)
	s["macro"] = f1(average(purity), average(recall))
}

func average[K comparable](m map[K]float64) float64 {
	var sum float64
	for _, v := range m {
		sum += v
	}
	return sum / float64(max(1, len(m)))
}

// found counts which true incidents were found, and returns for each the result
// incident that matches it best.
func (s scores) found(alerts map[key]labelled, groups [][]key, members map[string][]key, t truth) map[string]int {
	best, real := map[string]int{}, map[int]bool{}
	var matched, missed, lost, total float64
	for id, ks := range members {
		in := map[int]float64{}
		for _, k := range ks {
			total++
			if g := alerts[k].group; g >= 0 {
				in[g]++
				real[g] = true
			} else {
				lost++
			}
		}
		most := 0.0
		for _, g := range slices.Sorted(maps.Keys(in)) {
			if j := in[g] / (float64(len(ks)+len(groups[g])) - in[g]); j > most {
				most, best[id] = j, g
			}
		}
		if most >= 0.5 {
			matched++
		}
		if len(in) == 0 {
			missed++
		}
	}
	noise := 0.0
	for n, g := range groups {
		if len(g) > 0 && !real[n] {
			noise++
		}
	}
	n := float64(len(members))
	s.ratio("match", matched, n)
	s.ratio("missI", missed, n)
	s.ratio("missA", lost, total)
	s.ratio("noise/d", noise, t.Knobs.Days)
	return best
}

// delays are seconds from the first alert of an incident that is no precursor to
// the first incident that shows one of its alerts.
func (s scores) delays(alerts map[key]labelled, members map[string][]key, shown map[key]time.Time) {
	var delays []float64
	for _, ks := range members {
		first, any, seen := int64(math.MaxInt64), int64(math.MaxInt64), time.Time{}
		for _, k := range ks {
			any = min(any, k.startsAt)
			if !alerts[k].precursor {
				first = min(first, k.startsAt)
			}
			if at, ok := shown[k]; ok && (seen.IsZero() || at.Before(seen)) {
				seen = at
			}
		}
		if first == math.MaxInt64 {
			first = any
		}
		if !seen.IsZero() {
			delays = append(delays, max(0, float64(seen.UnixMilli()-first)/1000))
		}
	}
	slices.Sort(delays)
	at := func(q float64) float64 {
		x := q * float64(len(delays)-1)
		lo := int(x)
		return delays[lo] + (delays[min(lo+1, len(delays)-1)]-delays[lo])*(x-float64(lo))
	}
	if len(delays) > 0 {
		s["t50"], s["t95"] = at(0.5), at(0.95)
	}
}

// rootCauses look at the best-matching result incident. Equal scores do not occur
// often enough to share their ranks here: the order told counts.
func (s scores) rootCauses(r replay.Result, t truth, members map[string][]key, best map[string]int) {
	var rooted, first, third, rootless, abstained float64
	for _, i := range t.Incidents {
		if len(members[i.ID]) == 0 {
			continue
		}
		var causes []replay.Cause
		g, ok := best[i.ID]
		if ok {
			causes = r.Incidents[g].ProbableCauses
		}
		if i.Root == nil {
			if ok {
				rootless++
				if len(causes) == 0 {
					abstained++
				}
			}
			continue
		}
		rooted++
		for n, c := range causes[:min(len(causes), 3)] {
			if c.Class == i.Root.Class && c.Name == i.Root.Name {
				third++
				if n == 0 {
					first++
				}
				break
			}
		}
	}
	s.ratio("AC@1", first, rooted)
	s.ratio("AC@3", third, rooted)
	s.ratio("abst+", abstained, rootless)
}

// recurrence compares pairs of incidents in one problem, and what "seen before" points at.
func (s scores) recurrence(r replay.Result, t truth, alerts map[key]labelled, groups [][]key, members map[string][]key) {
	problem := map[string]string{}
	size := map[string]float64{}
	for _, i := range t.Incidents {
		if i.Problem != nil && len(members[i.ID]) > 0 {
			problem[i.ID] = *i.Problem
			size[*i.Problem]++
		}
	}
	stands := make([]string, len(groups)) // the true incident that a result incident overlaps best
	byID := map[string]int{}
	for n, g := range groups {
		byID[r.Incidents[n].ID] = n
		in := map[string]float64{}
		for _, k := range g {
			if id := alerts[k].incident; id != "" {
				in[id]++
			}
		}
		most := 0.0
		for _, id := range slices.Sorted(maps.Keys(in)) {
			if j := in[id] / (float64(len(members[id])+len(g)) - in[id]); j > most || j == most && in[id] > in[stands[n]] {
				most, stands[n] = j, id
			}
		}
	}
	same := func(a, b string) bool { return problem[a] != "" && problem[a] == problem[b] }
	type pair struct{ a, b string }
	good, bad := map[pair]bool{}, map[pair]bool{}
	for x, i := range r.Incidents {
		for y, j := range r.Incidents[:x] {
			if i.Problem == nil || j.Problem == nil || *i.Problem != *j.Problem || len(groups[x]) == 0 || len(groups[y]) == 0 {
				continue
			}
			a, b := stands[x], stands[y]
			switch {
			case a == b:
			case a == "" || b == "":
				bad[pair{i.ID, j.ID}] = true
			case same(a, b):
				good[pair{min(a, b), max(a, b)}] = true
			default:
				bad[pair{min(a, b), max(a, b)}] = true
			}
		}
	}
	var want, again, right, wrong float64
	for _, n := range size {
		want += n * (n - 1) / 2
		again += n - 1
	}
	if told := float64(len(good) + len(bad)); told > 0 {
		s["probF"] = f1(float64(len(good))/told, float64(len(good))/max(want, 1))
	} else if want > 0 {
		s["probF"] = 0
	}
	hit := map[string]map[string]bool{}
	for n, i := range r.Incidents {
		if i.SeenBefore == nil || len(groups[n]) == 0 {
			continue
		}
		q, known := byID[*i.SeenBefore]
		a, b := stands[n], ""
		if known {
			b = stands[q]
		}
		switch {
		case known && a == b:
		case a != "" && b != "" && same(a, b):
			right++
			if hit[problem[a]] == nil {
				hit[problem[a]] = map[string]bool{}
			}
			hit[problem[a]][a] = true
		default:
			wrong++
		}
	}
	s.ratio("seenP", right, right+wrong)
	pointed := 0.0
	for p, m := range hit {
		pointed += min(float64(len(m)), size[p]-1)
	}
	s.ratio("seenR", pointed, again)
}

// readTruth reads a NAME.truth.json.
func readTruth(b []byte) (t truth, err error) {
	err = json.Unmarshal(b, &t)
	return t, err
}
