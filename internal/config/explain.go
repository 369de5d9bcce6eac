package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/watchbill/watchbill/internal/fault"
)

var (
	unknownField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type (\S+)$`)
	wrongKind    = regexp.MustCompile("^line (\\d+): cannot unmarshal !!(\\w+)(?: (`.*`))? into (\\S+)$")
	ownWords     = regexp.MustCompile(`^line (\d+): (.*)$`)
)

// Explain puts what the YAML library says of a file into the words of who wrote
// it: one fault a mistake, each with its line and the path of its field. section
// names the part of the file that a Go type reads.
func Explain(file []byte, err error, section func(typ string) string) fault.List {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		return fault.List{fault.Invalidf("", "is no valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	paths := pathsOf(file)
	at := func(line string) string {
		if p := paths[line]; p != "" {
			return "line " + line + ": " + p
		}
		return "line " + line
	}
	var l fault.List
	for _, e := range te.Errors {
		if m := unknownField.FindStringSubmatch(e); m != nil {
			typ := m[3][strings.LastIndexByte(m[3], '.')+1:]
			l = append(l, fault.Invalidf("line "+m[1], "unknown field %q in %s", m[2], section(typ)))
		} else if m := wrongKind.FindStringSubmatch(e); m != nil {
			got := kindOf("!!" + m[2])
			if m[3] != "" {
				got += " " + m[3]
			}
			l = append(l, fault.Invalidf(at(m[1]), "want %s, got %s", wantOf(m[4]), got))
		} else if m := ownWords.FindStringSubmatch(e); m != nil {
			l = append(l, fault.Invalidf(at(m[1]), "%s", m[2]))
		} else {
			l = append(l, fault.Invalidf("", "%s", e))
		}
	}
	return l
}

// kindOf says what stands in the file.
func kindOf(tag string) string {
	switch tag {
	case "!!seq":
		return "a list"
	case "!!map":
		return "names with values"
	case "!!str":
		return "the text"
	case "!!null":
		return "nothing"
	default:
		return "the value"
	}
}

// wantOf says what a Go type is written as.
func wantOf(typ string) string {
	typ = strings.TrimLeft(typ, "*")
	switch {
	case strings.HasPrefix(typ, "[]"):
		return "a list"
	case strings.HasPrefix(typ, "map["):
		return "names with values"
	case strings.HasPrefix(typ, "int"), strings.HasPrefix(typ, "uint"):
		return "a whole number"
	case strings.HasPrefix(typ, "float"):
		return "a number"
	case typ == "bool":
		return "true or false"
	case typ == "string":
		return "a text"
	case strings.Contains(typ, "."):
		return "names with values"
	default:
		return "a " + typ
	}
}

// pathsOf maps the lines of a file to the field that begins there. Where several
// stand in one line it is the innermost that holds all of them.
func pathsOf(file []byte) map[string]string {
	out := map[string]string{}
	var doc yaml.Node
	if yaml.Unmarshal(file, &doc) != nil {
		return out
	}
	note := func(line int, path string) {
		k := fmt.Sprint(line)
		if _, taken := out[k]; !taken {
			out[k] = path
		}
	}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		switch n.Kind {
		case yaml.DocumentNode:
			for _, c := range n.Content {
				walk(c, path)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				k := n.Content[i]
				p := k.Value
				if path != "" {
					p = path + "." + k.Value
				}
				if only := n.Style&yaml.FlowStyle != 0 && len(n.Content) == 2; only && out[fmt.Sprint(k.Line)] == path {
					out[fmt.Sprint(k.Line)] = p
				} else {
					note(k.Line, p)
				}
				walk(n.Content[i+1], p)
			}
		case yaml.SequenceNode:
			for i, c := range n.Content {
				p := fmt.Sprintf("%s[%d]", path, i)
				note(c.Line, p)
				walk(c, p)
			}
		}
	}
	walk(&doc, "")
	return out
}
