package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSON puts what the standard library says about a document that it cannot decode
// into the terms of who wrote it: a field, what it wants, a place. field names the
// whole document, where no field of it can be named.
func JSON(field string, err error) *Error {
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong):
		if wrong.Field != "" {
			field = wrong.Field
		}
		return Invalidf(field, "want %s, got %s", wanted(wrong.Type.Kind().String()), wrong.Value)
	case errors.As(err, &syntax):
		return Invalidf(field, "is no valid JSON at byte %d", syntax.Offset)
	case errors.Is(err, io.EOF):
		return Invalidf(field, "is empty: want a JSON document")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Invalidf(field, "ends in the middle of the JSON document")
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, ok := strings.CutPrefix(text, "unknown field "); ok {
		return Invalidf(field, "%s is no field of this request", name)
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	// A type that reads itself (a time) has its own words.
	return Invalidf(field, "%s", fmt.Sprint(text))
}

// wanted names a kind of value as JSON does.
func wanted(kind string) string {
	switch kind {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "struct", "map":
		return "an object"
	case "slice", "array":
		return "a list"
	default:
		return "a number"
	}
}
