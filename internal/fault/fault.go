// Package fault is the one vocabulary of failures that cross a package border:
// five kinds, each of which every edge (HTTP, CLI) knows how to show. It owns
// no transport and no message catalogue; it refuses kinds for single cases.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says who can mend a failure.
type Kind int

const (
	// Internal is a defect or a broken machine: the user cannot mend it.
	Internal Kind = iota
	// Invalid input: the caller mends the named field and calls again.
	Invalid
	// NotFound: the named thing is not there.
	NotFound
	// Conflict: the state does not allow it, or a revision is stale, or a unique value is taken.
	Conflict
	// Unavailable: the same call may succeed later.
	Unavailable
)

// String returns the kind's name as it stands in problem documents.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case NotFound:
		return "not-found"
	case Conflict:
		return "conflict"
	case Unavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

// Error is a failure with its kind, the field it concerns and the words for
// the caller. What wraps it adds context for the log; the caller sees only
// Field and Message, so internal text never reaches users.
type Error struct {
	Kind    Kind
	Field   string   // path of the offending field, e.g. "alerts[3].labels"; may be empty
	Message string   // what is wrong and how to mend it
	Legal   []string // for Conflict on a verb: the verbs that are legal now
	// Revision is the current one, for Conflict on an edit of an older one; else 0.
	Revision uint64
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Invalidf reports a bad field.
func Invalidf(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// NotFoundf reports a missing thing.
func NotFoundf(format string, args ...any) *Error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf(format, args...)}
}

// Conflictf reports a state that does not allow the call.
func Conflictf(format string, args ...any) *Error {
	return &Error{Kind: Conflict, Message: fmt.Sprintf(format, args...)}
}

// Unavailablef reports a passing condition.
func Unavailablef(format string, args ...any) *Error {
	return &Error{Kind: Unavailable, Message: fmt.Sprintf(format, args...)}
}

// KindOf returns the kind of the first Error in err's tree, Internal if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Public returns what the caller may read of err: the first Error in its tree,
// or a plain internal error that says nothing about the inside.
func Public(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: "internal error; the server's log has the cause"}
}

// List is several faults told at once, so that a file is mended in one round.
type List []*Error

func (l List) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets KindOf see the members.
func (l List) Unwrap() []error {
	out := make([]error, len(l))
	for i, e := range l {
		out[i] = e
	}
	return out
}

// Err returns the list as an error, nil when it is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}
