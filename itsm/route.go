package itsm

import (
	"fmt"
	"slices"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/watchbill/watchbill/internal/fault"
)

// Route is a node of the tree that says which receivers a message goes to, as in
// Alertmanager's configuration: of the children that match, the first that does not
// continue ends the search, and a node none of whose children match is the answer
// itself. It is the part of the receivers file that decides, and holds none of its
// secrets.
type Route struct {
	Receiver string `json:"receiver"`
	// Matchers are in Alertmanager's syntax; a message must fit all. See fold.Notice
	// for the labels that messages have.
	Matchers []string `json:"matchers,omitempty"`
	Continue bool     `json:"continue,omitempty"`
	Routes   []Route  `json:"routes,omitempty"`
}

// route is a Route, ready to match.
type route struct {
	receiver string
	matchers labels.Matchers
	goesOn   bool
	children []route
}

func (r Route) compile(field string) (route, fault.List) {
	out := route{receiver: r.Receiver, goesOn: r.Continue}
	var l fault.List
	if r.Receiver == "" {
		l = append(l, fault.Invalidf(field+".receiver", "is missing"))
	}
	for n, text := range r.Matchers {
		m, err := parse.Matcher(text)
		if err != nil {
			l = append(l, fault.Invalidf(fmt.Sprintf("%s.matchers[%d]", field, n), "want a matcher such as team=\"web\", got %q: %v", text, err))
			continue
		}
		out.matchers = append(out.matchers, m)
	}
	for n, child := range r.Routes {
		c, wrong := child.compile(fmt.Sprintf("%s.routes[%d]", field, n))
		out.children = append(out.children, c)
		l = append(l, wrong...)
	}
	return out, l
}

// match appends the receivers that the labels of a message lead to, each once, and says whether there
// is any below r.
func (r *route) match(of map[string]string, out *[]string) bool {
	for _, m := range r.matchers {
		if !m.Matches(of[m.Name]) {
			return false
		}
	}
	found := false
	for n := range r.children {
		c := &r.children[n]
		if c.match(of, out) {
			found = true
			if !c.goesOn {
				break
			}
		}
	}
	if !found && !slices.Contains(*out, r.receiver) {
		*out = append(*out, r.receiver)
	}
	return true
}

func (r *route) names(out map[string]bool) {
	out[r.receiver] = true
	for n := range r.children {
		r.children[n].names(out)
	}
}

// AllReceivers stands for whomever the routes will say, where the rules hold no routes.
const AllReceivers = ""

// ReceiversOf returns the receivers of a message with these labels, in the order of
// the routes.
func (d *Desk) ReceiversOf(labels map[string]string) []string {
	if d.routes == nil {
		return []string{AllReceivers}
	}
	var out []string
	d.routes.match(labels, &out)
	return out
}

// HasReceiver says whether any message can go to a receiver.
func (d *Desk) HasReceiver(name string) bool {
	if d.routes == nil {
		return name == AllReceivers
	}
	return d.receivers[name]
}
