package filter

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Record is the language that a record's own form gives: every member of its JSON
// under the name that it has there, those of an object inside as OBJECT.MEMBER, a
// map's as MAP.NAME. What lists show can be asked for so under the name that it is
// shown with. Lists of objects are left out: no one value stands for them.
func Record[T any]() Language[T] {
	l := Language[T]{Fields: map[string]Field[T]{}, Dynamic: map[string]func(T, string) []string{}}
	members(l, "", reflect.TypeFor[T](), func(x T) reflect.Value { return reflect.ValueOf(x) })
	texts := make([]func(T) []string, 0, len(l.Fields))
	for _, n := range slices.Sorted(maps.Keys(l.Fields)) {
		if f := l.Fields[n]; f.Text != nil && len(f.Values) == 0 {
			texts = append(texts, f.Text)
		}
	}
	l.Free = func(x T) []string {
		var out []string
		for _, read := range texts {
			out = append(out, read(x)...)
		}
		return out
	}
	return l
}

// With returns l and what more has beside it: l's own meaning of a name stays, and
// so does what l looks for bare words in.
func (l Language[T]) With(more Language[T]) Language[T] {
	out := Language[T]{Fields: maps.Clone(more.Fields), Dynamic: maps.Clone(more.Dynamic), Free: more.Free}
	if out.Fields == nil {
		out.Fields = map[string]Field[T]{}
	}
	if out.Dynamic == nil {
		out.Dynamic = map[string]func(T, string) []string{}
	}
	maps.Copy(out.Fields, l.Fields)
	maps.Copy(out.Dynamic, l.Dynamic)
	if l.Free != nil {
		out.Free = l.Free
	}
	return out
}

// From is the language of another form of the same record: of what is stored, where
// as makes of it what is shown.
func From[S, T any](l Language[T], as func(S) T) Language[S] {
	out := Language[S]{Fields: map[string]Field[S]{}, Dynamic: map[string]func(S, string) []string{}}
	for name, f := range l.Fields {
		g := Field[S]{Doc: f.Doc, Values: f.Values}
		switch {
		case f.Text != nil:
			g.Text = func(x S) []string { return f.Text(as(x)) }
		case f.Flag != nil:
			g.Flag = func(x S) bool { return f.Flag(as(x)) }
		case f.Number != nil:
			g.Number = func(x S) float64 { return f.Number(as(x)) }
		default:
			g.Time = func(x S) time.Time { return f.Time(as(x)) }
		}
		out.Fields[name] = g
	}
	for p, read := range l.Dynamic {
		out.Dynamic[p] = func(x S, n string) []string { return read(as(x), n) }
	}
	if l.Free != nil {
		out.Free = func(x S) []string { return l.Free(as(x)) }
	}
	return out
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// members adds the members of a struct of type t, which at finds in a record; what
// is not there is the zero Value.
func members[T any](l Language[T], prefix string, t reflect.Type, at func(T) reflect.Value) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" || !f.IsExported() {
			continue
		}
		read := func(x T) reflect.Value {
			v := at(x)
			for v.IsValid() && v.Kind() == reflect.Pointer {
				v = v.Elem() // of nil: the zero Value
			}
			if !v.IsValid() {
				return v
			}
			return v.Field(i)
		}
		if f.Anonymous && tag == "" {
			members(l, prefix, f.Type, read)
			continue
		}
		if tag == "" {
			continue
		}
		member(l, prefix+strings.ToLower(tag), f, read)
	}
}

func member[T any](l Language[T], name string, f reflect.StructField, read func(T) reflect.Value) {
	t := f.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	get := func(x T) reflect.Value {
		v := read(x)
		for v.IsValid() && v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		return v
	}
	texts := func(x T) []string { return textsOf(get(x)) }
	switch {
	case t == timeType:
		l.Fields[name] = Field[T]{Doc: "time", Time: func(x T) time.Time {
			if v := get(x); v.IsValid() {
				return v.Interface().(time.Time)
			}
			return time.Time{}
		}}
	case t == rawType:
		l.Fields[name] = Field[T]{Text: texts}
	case t.Kind() == reflect.Bool:
		l.Fields[name] = Field[T]{Flag: func(x T) bool { v := get(x); return v.IsValid() && v.Bool() }}
	case t.Kind() == reflect.String:
		g := Field[T]{Text: texts}
		if e := f.Tag.Get("enum"); e != "" {
			g.Values = strings.Split(e, ",")
		}
		l.Fields[name] = g
	case number(t.Kind()):
		l.Fields[name] = Field[T]{Number: func(x T) float64 {
			if v := get(x); v.IsValid() {
				return v.Convert(reflect.TypeFor[float64]()).Float()
			}
			return 0
		}}
	case t.Kind() == reflect.Interface, t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		l.Fields[name] = Field[T]{Text: texts}
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && simple(t.Elem().Kind()):
		l.Dynamic[name+"."] = func(x T, n string) []string {
			m := get(x)
			if !m.IsValid() || m.IsNil() {
				return nil
			}
			return textsOf(m.MapIndex(reflect.ValueOf(n).Convert(t.Key())))
		}
	case t.Kind() == reflect.Struct && strings.Count(name, ".") == 0:
		members(l, name+".", t, read)
	}
}

func number(k reflect.Kind) bool {
	return k >= reflect.Int && k <= reflect.Float64 && k != reflect.Uintptr
}

func simple(k reflect.Kind) bool {
	return k == reflect.String || k == reflect.Bool || k == reflect.Interface || number(k)
}

// textsOf writes a value as people would type it.
func textsOf(v reflect.Value) []string {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return nil
	case v.Kind() == reflect.String:
		return []string{v.String()}
	case v.Type() == rawType:
		return []string{string(v.Bytes())}
	case v.Kind() == reflect.Slice:
		out := make([]string, 0, v.Len())
		for i := range v.Len() {
			out = append(out, textsOf(v.Index(i))...)
		}
		return out
	default:
		return []string{fmt.Sprint(v.Interface())}
	}
}
