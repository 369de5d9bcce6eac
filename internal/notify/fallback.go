package notify

import (
	"fmt"
	"html"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
)

// withoutBrokenTemplates tries every template of a receiver and puts plain text in
// the place of those that fail: a typing mistake in a template must not keep a
// page from somebody. It returns a copy, and what failed.
func (r *Receivers) withoutBrokenTemplates(rc config.Receiver, data *template.Data, plain string) (config.Receiver, string) {
	var failed []string
	w := walker{try: func(path, text string) string {
		isHTML := strings.HasSuffix(path, ".HTML")
		var err error
		if isHTML {
			_, err = r.tmpl.ExecuteHTMLString(text, data)
		} else {
			_, err = r.tmpl.ExecuteTextString(text, data)
		}
		if err == nil {
			return text
		}
		failed = append(failed, fmt.Sprintf("%s: %v", strings.TrimPrefix(path, "."), err))
		safe := strings.ReplaceAll(plain, "{{", "{ {")
		switch {
		case isHTML:
			return "<pre>" + html.EscapeString(safe) + "</pre>"
		case strings.Contains(path, ".Payload"):
			// A payload's texts are tried as YAML afterwards, and "[P1]" is a list. No
			// YAML begins with a tab, so this stays a text.
			return "\t" + safe
		}
		return safe
	}}
	out := w.copy("", reflect.ValueOf(rc)).Interface().(config.Receiver)
	return out, strings.Join(failed, "; ")
}

// walker copies a configuration deeply and passes each templated string to try.
type walker struct {
	try func(path, text string) string
}

var opaque = map[reflect.Type]bool{
	reflect.TypeFor[url.URL]():       true,
	reflect.TypeFor[regexp.Regexp](): true,
}

func (w walker) copy(path string, v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		// Named string types hold secrets and addresses: they are no texts.
		if v.Type() == reflect.TypeFor[string]() && strings.Contains(v.String(), "{{") {
			return reflect.ValueOf(w.try(path, v.String()))
		}
	case reflect.Pointer:
		if v.IsNil() || opaque[v.Type().Elem()] {
			return v
		}
		n := reflect.New(v.Type().Elem())
		n.Elem().Set(w.copy(path, v.Elem()))
		return n
	case reflect.Struct:
		n := reflect.New(v.Type()).Elem()
		n.Set(v)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				n.Field(i).Set(w.copy(path+"."+f.Name, v.Field(i)))
			}
		}
		return n
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		n := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			n.Index(i).Set(w.copy(fmt.Sprintf("%s[%d]", path, i), v.Index(i)))
		}
		return n
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		n := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			n.SetMapIndex(it.Key(), w.copy(fmt.Sprintf("%s.%v", path, it.Key()), it.Value()))
		}
		return n
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		n := reflect.New(v.Type()).Elem()
		n.Set(w.copy(path, v.Elem()))
		return n
	}
	return v
}
