package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/internal/engine/replay"
	"github.com/watchbill/watchbill/itsm"
)

// played is a recording as one configuration decided it.
type played struct {
	result replay.Result
	all    *replay.Collector
}

// episode is what was received, whatever was decided about it.
type episode struct {
	fingerprint string
	starts      time.Time
}

func episodes(p played) map[episode]correlator.Alert {
	out := map[episode]correlator.Alert{}
	for _, a := range p.all.Alerts() {
		out[episode{a.Fingerprint, a.StartsAt.UTC()}] = a
	}
	return out
}

// place is where an alert ended: an incident's id, or its fate.
func place(p played, a correlator.Alert) string {
	if a.Incident != "" {
		return p.all.Standing(a.Incident)
	}
	if a.FinalFate != "" {
		return string(a.FinalFate)
	}
	return string(a.Fate)
}

// because is why an alert is where it is.
func because(a correlator.Alert) string {
	if a.Incident != "" && len(a.Evidence) > 0 {
		parts := make([]string, 0, len(a.Evidence))
		for _, e := range a.Evidence {
			parts = append(parts, e.Text)
		}
		return strings.Join(parts, "; ")
	}
	if a.FinalWhy != "" && a.Incident == "" {
		return a.FinalWhy
	}
	return a.Why // of an alert that began an incident, what kept it out of others
}

// differMost bounds what one section of a difference lists.
const differMost = 50

// difference tells what another configuration would have decided, and why. Ids
// depend on the order of incidents: they are the same where they hold the same
// alerts, and related where they share some.
func difference(w io.Writer, a, b played) error {
	totals(w, a.result, b.result)
	changed(w, a, b)
	silent(w, "Incidents without alerts that would not be there", a.result, b.result)
	silent(w, "Incidents without alerts that would be there", b.result, a.result)
	same(w, a, b)
	return nil
}

func totals(w io.Writer, a, b replay.Result) {
	count := func(what string, x, y int) {
		if x == y {
			fmt.Fprintf(w, "%-16s %d, unchanged\n", what, x)
			return
		}
		fmt.Fprintf(w, "%-16s %d → %d (%+d)\n", what, x, y, y-x)
	}
	count("incidents", len(a.Incidents), len(b.Incidents))
	count("problems", len(a.Problems), len(b.Problems))
	for _, f := range slices.Sorted(maps.Keys(a.Fates)) {
		if a.Fates[f] != b.Fates[f] {
			count("fate "+f, int(a.Fates[f]), int(b.Fates[f]))
		}
	}
}

// changed tells of incidents that would hold other alerts: what is related is told
// together, with the alerts that would be elsewhere and why.
func changed(w io.Writer, a, b played) {
	ea, eb := episodes(a), episodes(b)
	// Incidents of either side that share an alert are one matter.
	parent := map[string]string{}
	var find func(string) string
	find = func(x string) string {
		if p, ok := parent[x]; ok && p != x {
			parent[x] = find(p)
			return parent[x]
		}
		parent[x] = x
		return x
	}
	count := map[string]int{} // alerts by side and incident
	shared := map[[2]string]int{}
	keys := slices.SortedFunc(maps.Keys(ea), func(x, y episode) int {
		return cmp.Or(x.starts.Compare(y.starts), cmp.Compare(x.fingerprint, y.fingerprint))
	})
	for _, k := range keys {
		x, y := ea[k], eb[k]
		px, py := "", ""
		if x.Incident != "" {
			px = "a" + place(a, x)
			count[px]++
			find(px)
		}
		if y.Incident != "" {
			py = "b" + place(b, y)
			count[py]++
			find(py)
		}
		if px != "" && py != "" {
			parent[find(px)] = find(py)
			shared[[2]string{px, py}]++
		}
	}
	matters := map[string][]string{}
	for _, x := range slices.Sorted(maps.Keys(count)) {
		matters[find(x)] = append(matters[find(x)], x)
	}
	docs := map[string]itsm.Incident{}
	for _, i := range a.all.Incidents() {
		docs["a"+i.ID] = i
	}
	for _, i := range b.all.Incidents() {
		docs["b"+i.ID] = i
	}
	type matter struct {
		before, after []string
		at            time.Time
	}
	var list []matter
	for _, ids := range matters {
		var m matter
		for _, id := range ids {
			if id[0] == 'a' {
				m.before = append(m.before, id)
			} else {
				m.after = append(m.after, id)
			}
			if o := docs[id].OpenedAt; m.at.IsZero() || o.Before(m.at) {
				m.at = o
			}
		}
		if len(m.before) == 1 && len(m.after) == 1 && count[m.before[0]] == count[m.after[0]] && shared[[2]string{m.before[0], m.after[0]}] == count[m.before[0]] {
			continue
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(x, y matter) int { return cmp.Or(x.at.Compare(y.at), slices.Compare(x.before, y.before)) })
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\nIncidents that would hold other alerts\n")
	for n, m := range list {
		if n == differMost {
			fmt.Fprintf(w, "\n  and %d matters more\n", len(list)-n)
			break
		}
		fmt.Fprintln(w)
		show := func(mark string, ids []string) {
			if len(ids) == 0 {
				fmt.Fprintf(w, "  %s no incident\n", mark)
			}
			for _, id := range ids {
				i := docs[id]
				fmt.Fprintf(w, "  %s %s  %s  %d alerts  %s\n", mark, i.ID, i.OpenedAt.UTC().Format(time.RFC3339), count[id], cut(i.Title, 90))
			}
		}
		show("now  ", m.before)
		show("then ", m.after)
		moves(w, m.before, m.after, shared, func(each func(x, y correlator.Alert)) {
			for _, k := range keys {
				x, y := ea[k], eb[k]
				if slices.Contains(m.before, "a"+place(a, x)) || slices.Contains(m.after, "b"+place(b, y)) {
					each(x, y)
				}
			}
		}, a, b)
	}
}

// moves tells which alerts of a matter would be elsewhere: not those that stay with
// most of their company.
func moves(w io.Writer, before, after []string, shared map[[2]string]int, alerts func(func(x, y correlator.Alert)), a, b played) {
	heir := map[string]string{} // of each incident now, the one that takes most of it
	taken := map[string]bool{}
	type pair struct {
		x, y string
		n    int
	}
	var pairs []pair
	for _, x := range before {
		for _, y := range after {
			if n := shared[[2]string{x, y}]; n > 0 {
				pairs = append(pairs, pair{x[1:], y[1:], n})
			}
		}
	}
	slices.SortStableFunc(pairs, func(p, q pair) int { return cmp.Compare(q.n, p.n) })
	for _, p := range pairs {
		if _, has := heir[p.x]; !has && !taken[p.y] {
			heir[p.x], taken[p.y] = p.y, true
		}
	}
	type move struct{ what, from, to string }
	counts, whys := map[move]int{}, map[move]string{}
	var order []move
	alerts(func(x, y correlator.Alert) {
		from, to := place(a, x), place(b, y)
		if from == to && x.Incident == "" || x.Incident != "" && heir[from] == to {
			return
		}
		what := x.Labels.Get("alertname")
		if x.Binding != nil {
			what += " on " + x.Binding.Name
		}
		m := move{what, from, to}
		if counts[m]++; counts[m] == 1 {
			order = append(order, m)
			whys[m] = because(y)
		}
	})
	for n, m := range order {
		if n == 8 {
			fmt.Fprintf(w, "      and %d kinds of alerts more\n", len(order)-n)
			break
		}
		times := ""
		if counts[m] > 1 {
			times = fmt.Sprintf("%d × ", counts[m])
		}
		fmt.Fprintf(w, "      %s%s: %s → %s, because %s\n", times, cut(m.what, 80), m.from, m.to, cut(whys[m], 200))
	}
}

// silent tells of incidents that hold no alert, such as those of a silent heartbeat,
// which the other side has not.
func silent(w io.Writer, title string, list, other replay.Result) {
	there := map[string]bool{}
	for _, i := range other.Incidents {
		if len(i.Alerts) == 0 {
			there[i.Title] = true
		}
	}
	told := 0
	for _, i := range list.Incidents {
		if len(i.Alerts) > 0 || there[i.Title] {
			continue
		}
		if told++; told == 1 {
			fmt.Fprintf(w, "\n%s\n", title)
		}
		if told <= differMost {
			fmt.Fprintf(w, "  %s  %s  %s\n", i.ID, i.OpenedAt, cut(i.Title, 110))
		}
	}
}

// same tells of incidents that would hold the same alerts, and be otherwise all the same.
func same(w io.Writer, a, b played) {
	byAlerts := map[string]itsm.Incident{}
	docs := func(p played) map[string]itsm.Incident {
		out := map[string]itsm.Incident{}
		for _, i := range p.all.Incidents() {
			out[i.ID] = i
		}
		return out
	}
	da, db := docs(a), docs(b)
	for _, i := range b.result.Incidents {
		byAlerts[alertsOf(i)] = db[i.ID]
	}
	told := 0
	for _, i := range a.result.Incidents {
		y, ok := byAlerts[alertsOf(i)]
		if !ok || len(i.Alerts) == 0 {
			continue
		}
		diff := otherwise(da[i.ID], y)
		if len(diff) == 0 {
			continue
		}
		if told++; told == 1 {
			fmt.Fprintf(w, "\nThe same incidents, otherwise\n")
		}
		if told <= differMost {
			fmt.Fprintf(w, "  %s  %s: %s\n", i.ID, cut(i.Title, 60), strings.Join(diff, "; "))
		}
	}
	if told > differMost {
		fmt.Fprintf(w, "  and %d more\n", told-differMost)
	}
}

func otherwise(x, y itsm.Incident) (out []string) {
	if c, d := suspect(x), suspect(y); c != d {
		out = append(out, fmt.Sprintf("suspects %s, not %s", d, c))
	}
	if x.Priority != y.Priority {
		out = append(out, fmt.Sprintf("priority %d, not %d (%s)", y.Priority, x.Priority, y.Derivation))
	}
	if x.Page != y.Page {
		out = append(out, fmt.Sprintf("page %q, not %q", y.Page, x.Page))
	}
	shift := func(what string, s, t time.Time) {
		switch d := t.Sub(s); {
		case d >= time.Second:
			out = append(out, what+" "+span(d)+" later")
		case d <= -time.Second:
			out = append(out, what+" "+span(-d)+" earlier")
		}
	}
	shift("opens", x.OpenedAt, y.OpenedAt)
	switch {
	case x.ResolvedAt != nil && y.ResolvedAt != nil:
		shift("resolves", *x.ResolvedAt, *y.ResolvedAt)
	case x.ResolvedAt != nil:
		out = append(out, "stays open")
	case y.ResolvedAt != nil:
		out = append(out, "resolves")
	}
	if (x.Problem == "") != (y.Problem == "") {
		out = append(out, map[bool]string{true: "belongs to no problem", false: "belongs to a problem"}[y.Problem == ""])
	}
	return out
}

func suspect(i itsm.Incident) string {
	if len(i.Causes) == 0 {
		return "nothing"
	}
	return i.Causes[0].Class + " " + i.Causes[0].Name
}

func alertsOf(i replay.Incident) string {
	keys := make([]string, len(i.Alerts))
	for n, a := range i.Alerts {
		keys[n] = a.Fingerprint + " " + a.StartsAt
	}
	slices.Sort(keys)
	return strings.Join(keys, "\n")
}
