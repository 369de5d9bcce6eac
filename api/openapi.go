package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/correlator"
	"github.com/watchbill/watchbill/itsm"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// schemaName keeps the agents' wire types apart from records of the same name.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if strings.HasSuffix(t.PkgPath(), "/cmdb/report") && !strings.HasPrefix(name, "List") {
		return "Report" + name
	}
	return name
}

// describe finishes the OpenAPI document: our problem document instead of huma's,
// who may call what, closed sets of words, no null where we never send one.
func (a *API) describe() error {
	doc := a.huma.OpenAPI()
	doc.Info.Description = "Watchbill's API. Errors are problem documents (RFC 9457). Lists are {\"items\": [...], \"next\": cursor or null}."
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":  {Type: "http", Scheme: "bearer", Description: "A token of a role that the operation asks for"},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "A browser that is logged in"},
	}
	problem := doc.Components.Schemas.Schema(typeOf[Problem](), true, "")
	seen := map[string]bool{}
	for path, item := range doc.Paths {
		for method, o := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if o == nil {
				continue
			}
			pattern := method + " " + path
			acc, ok := routes[pattern]
			if !ok {
				return fmt.Errorf("api: route %s is not in the table of roles", pattern)
			}
			seen[pattern] = true
			a.secure(o, acc)
			o.Responses["default"] = &huma.Response{Description: "A problem", Content: map[string]*huma.MediaType{problemType: {Schema: problem}}}
			delete(o.Responses, "500")
			delete(o.Responses, "422")
		}
	}
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for _, s := range schemas {
		closed(s)
	}
	for _, e := range []struct {
		schema, field string
		values        []any
	}{
		{"Incident", "state", words(itsm.New, itsm.InProgress, itsm.OnHold, itsm.Resolved, itsm.Closed, itsm.Canceled)},
		{"Incident", "hold_reason", words(itsm.HoldCaller, itsm.HoldProblem, itsm.HoldVendor, itsm.HoldChange)},
		{"ProblemRecord", "state", words(itsm.ProblemNew, itsm.ProblemAssess, itsm.ProblemRootCause, itsm.ProblemFix, itsm.ProblemResolved, itsm.ProblemClosed)},
		{"Alert", "status", words(correlator.AlertFiring, correlator.AlertResolved, correlator.AlertExpired, correlator.AlertStale, correlator.AlertSuperseded)},
		{"Alert", "fate", words(correlator.Fates()...)},
		{"Alert", "final_fate", words(correlator.Fates()...)},
		{"Token", "role", words(auth.Roles()...)},
		{"MadeToken", "role", words(auth.Roles()...)},
		{"User", "role", words(auth.Roles()[:4]...)},
		{"Who", "role", words(auth.Roles()[:4]...)},
	} {
		s := schemas[e.schema]
		if s == nil || s.Properties[e.field] == nil {
			return fmt.Errorf("api: schema %s has no field %s", e.schema, e.field)
		}
		s.Properties[e.field].Enum = e.values
	}
	spec, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	a.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(spec)
	})
	a.docsRoutes()
	return nil
}

// secure documents who may call an operation.
func (a *API) secure(o *huma.Operation, acc access) {
	text := "Needs no credential."
	switch {
	case acc.operations:
		o.Security = []map[string][]string{{}, {"bearer": {}}}
		text = "Needs no credential where the server listens on loopback; otherwise role " + string(acc.role) + "."
	case acc.public:
		o.Security = []map[string][]string{}
	case acc.role.Human():
		o.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
		text = "Role: " + string(acc.role) + "."
	default:
		o.Security = []map[string][]string{{"bearer": {}}}
		text = "Role: " + string(acc.role) + "."
	}
	o.Description = strings.TrimSpace(o.Description + "\n\n" + text)
	if o.Extensions == nil {
		o.Extensions = map[string]any{}
	}
	o.Extensions["x-role"] = string(acc.role)
	if acc.public {
		o.Extensions["x-role"] = "public"
	}
}

// closed takes null away from arrays: what we send is [] at least, or left out.
func closed(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	closed(s.Items)
	for _, p := range s.Properties {
		closed(p)
	}
}

func words[T ~string](values ...T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
