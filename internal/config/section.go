package config

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Section is a part of the file whose meaning lies in another package: it is handed
// on as JSON, and checked there.
type Section struct{ node *yaml.Node }

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Section) UnmarshalYAML(n *yaml.Node) error {
	s.node = n
	return nil
}

// JSON returns the section as a JSON document; nil where the file has none. Scalars
// that YAML would take for dates stay the texts that they are in the file.
func (s Section) JSON() (json.RawMessage, error) {
	if s.node == nil {
		return nil, nil
	}
	v, err := plain(s.node)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

func plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := plain(c)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
				return nil, fmt.Errorf("line %d: want a plain name here", k.Line)
			}
			if _, twice := out[k.Value]; twice {
				return nil, fmt.Errorf("line %d: %q stands twice", k.Line, k.Value)
			}
			v, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			out[k.Value] = v
		}
		return out, nil
	}
	switch n.Tag {
	case "!!int", "!!float", "!!bool", "!!null":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
		return v, nil
	}
	return n.Value, nil
}
