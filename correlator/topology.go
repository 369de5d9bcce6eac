package correlator

import "github.com/watchbill/watchbill/internal/event"

// Topology returns the facts that rebuild the graph in an empty state: an item made of
// its fact is the item.
func (s *State) Topology() []event.Body {
	var out []event.Body
	for _, id := range s.g.nodes.Keys() {
		n := s.g.nodes.Get(id)
		attr := map[string]any{}
		put := func(k, v string) {
			if v != "" {
				attr[k] = v
			}
		}
		put("cluster", n.Cluster)
		put("namespace", n.Namespace)
		put("criticality", n.Criticality)
		put("kind", n.Kind)
		put("engine", n.Engine)
		put("product", n.Product)
		put("first_seen", n.Since)
		if len(n.Aliases) > 0 {
			attr["aliases"] = n.Aliases
		}
		if len(n.Addresses) > 0 {
			attr["addresses"] = n.Addresses
		}
		if len(n.Ports) > 0 {
			attr["ports"] = n.Ports
		}
		out = append(out, &event.CI{Ref: event.Ref{ID: n.ID, Class: n.Class, Name: n.Name}, Attributes: attr, Labels: n.Labels})
	}
	for _, k := range s.g.edges.Keys() {
		e := s.g.edges.Get(k)
		out = append(out, &event.Relation{From: event.Ref{ID: e.From}, Type: e.Type, To: event.Ref{ID: e.To}})
	}
	return out
}
