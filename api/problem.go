package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchbill/watchbill/api/auth"
	"github.com/watchbill/watchbill/collector"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Problem is what every failed call answers: a problem document of RFC 9457.
type Problem struct {
	Type      string       `json:"type" doc:"What kind of problem it is: urn:watchbill:problem:KIND" example:"urn:watchbill:problem:conflict"`
	Title     string       `json:"title" doc:"The status in words"`
	Status    int          `json:"status" doc:"HTTP status"`
	Detail    string       `json:"detail,omitempty" doc:"What is wrong and how to mend it"`
	RequestID string       `json:"request_id,omitempty" doc:"Names this call in the server's log"`
	Errors    []FieldError `json:"errors,omitempty" doc:"What is wrong with which field"`
	Legal     []string     `json:"legal,omitempty" doc:"The verbs that the record allows now"`
	Revision  *uint64      `json:"revision,omitempty" doc:"The record's current revision, where If-Match named another one"`

	header http.Header
}

// FieldError is one field that is wrong.
type FieldError struct {
	Field   string `json:"field" doc:"Path of the field, e.g. alerts[3].labels" example:"impact"`
	Message string `json:"message" doc:"What is wrong and how to mend it"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// problem turns any error into what the caller may see of it. It is the only
// place that does. What the caller cannot mend is logged here, once.
func (a *API) problem(ctx context.Context, err error) *Problem {
	c := callOf(ctx)
	p := &Problem{RequestID: c.id, header: http.Header{}}
	var kind string
	var already *Problem
	var d *auth.Denied
	var undecodable *store.Undecodable
	var tooLong *http.MaxBytesError
	var oversized *collector.Oversized
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &d):
		p.Detail = d.Message
		switch d.Reason {
		case auth.Unauthenticated:
			kind, p.Status = "unauthenticated", http.StatusUnauthorized
			p.header.Set("WWW-Authenticate", `Bearer realm="watchbill"`)
		case auth.Forbidden:
			kind, p.Status = "forbidden", http.StatusForbidden
		default:
			kind, p.Status = "limited", http.StatusTooManyRequests
			p.header.Set("Retry-After", strconv.Itoa(int(d.RetryAfter.Seconds())+1))
		}
	case errors.As(err, &tooLong):
		kind, p.Status, p.Detail = "too-large", http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", tooLong.Limit)
	case errors.As(err, &oversized):
		kind, p.Status, p.Detail = "too-large", http.StatusRequestEntityTooLarge, oversized.Error()
	case errors.As(err, &undecodable):
		kind, p.Status = "internal", http.StatusInternalServerError
		p.Detail = fmt.Sprintf("the stored %s %s is damaged; the server's log has the cause", undecodable.Collection, undecodable.ID)
		a.log.Error("a stored record is damaged", "request", c.id, "err", err)
	case ctx.Err() != nil && fault.KindOf(err) == fault.Internal:
		kind, p.Status, p.Detail = "unavailable", http.StatusServiceUnavailable, "the request ended before it was done"
	case errors.Is(err, store.ErrClosed):
		kind, p.Status, p.Detail = "unavailable", http.StatusServiceUnavailable, "the server is shutting down"
	default:
		f := fault.Public(err)
		kind, p.Detail, p.Legal = f.Kind.String(), f.Error(), f.Legal
		p.Status = statusOf(f.Kind)
		if f.Revision != 0 { // the precondition If-Match failed: RFC 9110, 13.1.1
			kind, p.Status = "stale", http.StatusPreconditionFailed
			p.Revision = &f.Revision
			p.header.Set("ETag", etag(f.Revision))
		}
		var l fault.List
		if errors.As(err, &l) {
			p.Detail = l.Error()
			for _, e := range l {
				if e.Field == "" {
					continue // the detail has it
				}
				p.Errors = append(p.Errors, FieldError{e.Field, e.Message})
			}
		} else if f.Field != "" {
			p.Errors = []FieldError{{f.Field, f.Message}}
		}
		switch f.Kind {
		case fault.Internal:
			a.log.Error("a request failed", "request", c.id, "method", c.method, "path", c.path, "actor", c.who.Actor, "err", err)
		case fault.Unavailable:
			p.header.Set("Retry-After", "2")
		}
	}
	p.Type, p.Title = "urn:watchbill:problem:"+kind, http.StatusText(p.Status)
	return p
}

func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// kinds of problems that have no fault: they come from HTTP itself.
func kindOfStatus(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "invalid"
	case http.StatusNotFound:
		return "not-found"
	case http.StatusMethodNotAllowed:
		return "method-not-allowed"
	case http.StatusUnsupportedMediaType:
		return "media-type"
	case http.StatusRequestEntityTooLarge:
		return "too-large"
	case http.StatusRequestTimeout:
		return "timeout"
	default:
		return "internal"
	}
}

// plain makes a problem from a status and words.
func (a *API) plain(ctx context.Context, status int, format string, args ...any) *Problem {
	return &Problem{
		Type: "urn:watchbill:problem:" + kindOfStatus(status), Title: http.StatusText(status), Status: status,
		Detail: fmt.Sprintf(format, args...), RequestID: callOf(ctx).id, header: http.Header{},
	}
}

// writeProblem answers with a problem outside of huma.
func (a *API) writeProblem(w http.ResponseWriter, p *Problem) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", problemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may be gone: nobody is left to tell
}

// ownWords puts huma's own refusals (validation, body, media type) into our form.
func (a *API) ownWords(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	status := m.Status
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	p := a.plain(ctx.Context(), status, "%s", m.Detail)
	var lines []string
	for _, e := range m.Errors {
		f := FieldError{fieldOf(e.Location), e.Message}
		switch {
		case status == http.StatusInternalServerError:
			a.log.Error("a request failed", "request", p.RequestID, "err", e.Message)
			p.Detail = "internal error; the server's log has the cause"
			continue
		case f.Field == "body" && status == http.StatusBadRequest && !strings.Contains(e.Message, "propert"):
			f.Message = "is no valid JSON"
			if strings.Contains(e.Message, "unexpected end") || strings.Contains(e.Message, "EOF") {
				f.Message = "ends in the middle of the JSON document"
			}
		case strings.HasPrefix(e.Message, "unexpected property"):
			f.Message = "is no field of this request"
		case strings.HasPrefix(e.Message, "unknown query parameter"):
			f.Message = "is no parameter of this request"
		case strings.HasPrefix(e.Message, "expected required property "):
			name, _, _ := strings.Cut(strings.TrimPrefix(e.Message, "expected required property "), " ")
			f.Field, f.Message = strings.TrimPrefix(f.Field+"."+name, "body."), "is missing"
		}
		p.Errors = append(p.Errors, f)
		lines = append(lines, strings.TrimPrefix(f.Field+": "+f.Message, ": "))
	}
	if len(lines) > 0 {
		p.Detail = strings.Join(lines, "; ")
	}
	return p, nil
}

// fieldOf turns huma's location into the path that a caller knows the field by.
func fieldOf(location string) string {
	for _, p := range []string{"body.", "query.", "path.", "header."} {
		if f, ok := strings.CutPrefix(location, p); ok {
			return f
		}
	}
	return location
}

// plainStatus answers 400 where huma says 422: to a caller, bad input is one thing.
type plainStatus struct{ humaContext }

// humaContext embeds under another name than its own method Context.
type humaContext = huma.Context

func (c plainStatus) SetStatus(code int) {
	if code == http.StatusUnprocessableEntity {
		code = http.StatusBadRequest
	}
	c.humaContext.SetStatus(code)
}

// Unwrap lets humago find the request below.
func (c plainStatus) Unwrap() huma.Context { return c.humaContext }

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }
