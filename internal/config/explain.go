package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/watchbill/watchbill/internal/fault"
)

var (
	unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found in type (?:\w+\.)?(\w+)`)
	wrongType    = regexp.MustCompile("cannot unmarshal !!(\\w+)(?: `(.*)`)? into (.+)$")
	quoted       = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	atLine       = regexp.MustCompile(`^line (\d+): (.*)$`)
)

// Explain puts what the YAML library says of a file into the words of who wrote
// it: one fault a mistake, with the path of its field and its line. section names
// the part of the file that a Go type reads.
func Explain(file []byte, err error, section func(typ string) string) fault.List {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		return fault.List{fault.Invalidf("", "is no valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	var l fault.List
	for _, e := range te.Errors {
		if m := unknownField.FindStringSubmatch(e); m != nil {
			l = append(l, fault.Invalidf("line "+m[1], "unknown field %q in %s", m[2], section(m[3])))
			continue
		}
		m := atLine.FindStringSubmatch(e)
		if m == nil {
			l = append(l, fault.Invalidf("", "%s", e))
			continue
		}
		text, value := m[2], ""
		if x := wrongType.FindStringSubmatch(text); x != nil {
			value = x[2]
			text = "want " + wanted(x[3]) + ", got " + got(x[1], value)
		} else if q := quoted.FindAllString(text, -1); q != nil {
			value, _ = strconv.Unquote(q[len(q)-1]) // what types of our own refuse, they quote last
		}
		line, _ := strconv.Atoi(m[1])
		l = append(l, fault.Invalidf(pathAt(file, line, value), "%s (line %d)", text, line))
	}
	return l
}

// wanted names a Go type as people call what it is written as.
func wanted(typ string) string {
	switch {
	case strings.HasPrefix(typ, "int"), strings.HasPrefix(typ, "uint"):
		return "a whole number"
	case strings.HasPrefix(typ, "float"):
		return "a number"
	case typ == "bool":
		return "true or false"
	case typ == "string":
		return "a text"
	case strings.HasPrefix(typ, "[]"):
		return "a list"
	}
	return "a section of its own"
}

func got(tag, value string) string {
	switch tag {
	case "seq":
		return "a list"
	case "map":
		return "a section"
	}
	return strconv.Quote(value)
}

// pathAt finds the field whose value stands on a line; "" where that is not sure.
func pathAt(file []byte, line int, value string) string {
	var doc yaml.Node
	if yaml.Unmarshal(file, &doc) != nil || len(doc.Content) == 0 {
		return ""
	}
	var found []string
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		// A long value is cut in the library's words.
		if n.Line == line && (n.Kind != yaml.ScalarNode && value == "" || n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, strings.TrimSuffix(value, "..."))) {
			found = append(found, path)
		}
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."))
			}
		case yaml.SequenceNode:
			for i, x := range n.Content {
				walk(x, path+"["+strconv.Itoa(i)+"]")
			}
		}
	}
	walk(doc.Content[0], "")
	if len(found) != 1 {
		return ""
	}
	return found[0]
}
