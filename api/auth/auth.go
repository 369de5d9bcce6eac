// Package auth owns who may call: users, bearer tokens, browser sessions and
// one-time login links, and what a role means. Secrets leave it once, when they
// are made; it keeps only hashes of them. It refuses to know routes: which role
// a route asks for stands in package api.
package auth

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Role says what a credential may do. The four human roles are ordered, each
// may do what the one before may; the machine roles may do one thing each.
type Role string

const (
	Viewer    Role = "viewer"
	Responder Role = "responder"
	Manager   Role = "manager"
	Admin     Role = "admin"
	Ingest    Role = "ingest"
	Agent     Role = "agent"
)

// Roles lists every role, weakest human one first.
func Roles() []Role { return []Role{Viewer, Responder, Manager, Admin, Ingest, Agent} }

func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Responder:
		return 2
	case Manager:
		return 3
	case Admin:
		return 4
	default:
		return 0
	}
}

// Human says whether people hold the role.
func (r Role) Human() bool { return r.rank() > 0 }

// Allows says whether r may do what need is asked for.
func (r Role) Allows(need Role) bool {
	if !need.Human() {
		return r == need
	}
	return r.rank() >= need.rank()
}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles() {
		if string(r) == s {
			return r, nil
		}
	}
	return "", fault.Invalidf("role", "want viewer, responder, manager, admin, ingest or agent, got %q", s)
}

// Principal is who a request comes from.
type Principal struct {
	Actor   string // how records name them: a user's name, or "token:NAME"
	Role    Role
	User    string // the user, where a person stands behind it
	Token   string // id of the token; empty for a browser session
	Session string // id of the browser session; empty for a token
	Source  string // of an ingest token: the alert source it stands for
	CI      string // of an agent credential: the only item it may report for; empty for a join token
	Site    string // of an agent credential: the only mesh it may be a member of; empty: any
}

// Reason says why a call was denied.
type Reason int

const (
	Unauthenticated Reason = iota // no credential, or none that is good
	Forbidden                     // the credential is good for other things
	Limited                       // too many attempts
)

// Denied is a refusal for want of a credential. Its message is for the caller.
type Denied struct {
	Reason     Reason
	Message    string
	RetryAfter time.Duration // of Limited
}

func (d *Denied) Error() string { return d.Message }

func denied(why Reason, format string, args ...any) *Denied {
	return &Denied{Reason: why, Message: fmt.Sprintf(format, args...)}
}

// Journal takes the facts about who was given access, within a transaction.
type Journal interface {
	Append(tx store.Tx, events ...event.Event) ([]event.Event, error)
}

// Options of a Store.
type Options struct {
	DB store.DB
	// Journal makes each act on credentials a fact of the audit, in the
	// transaction that does it.
	Journal Journal
	Now     func() time.Time
	Rand    io.Reader // a source of secrets: crypto/rand.Reader
	Logger  *slog.Logger
}

// Store keeps credentials. It is safe for concurrent use.
type Store struct {
	o        Options
	tokens   *store.Collection[Token]
	users    *store.Collection[User]
	sessions *store.Collection[Session]
	links    *store.Collection[link]
	limit    *limiter
	hashing  chan struct{} // bounds how many passwords are hashed at once: each takes 19 MiB

	randMu sync.Mutex
}

// New opens the credentials in o.DB.
func New(o Options) *Store {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Store{
		o: o,
		tokens: store.NewCollection("token", func(t Token) string { return t.ID },
			store.Index[Token]{Name: "hash", Unique: true, Keys: func(t Token) [][]byte { return store.Keys(t.Hash) }},
			store.Index[Token]{Name: "role", Keys: func(t Token) [][]byte { return store.Keys(string(t.Role)) }},
			store.Index[Token]{Name: "ci", Keys: func(t Token) [][]byte {
				if t.CI == "" {
					return nil
				}
				return store.Keys(t.CI)
			}},
			store.Index[Token]{Name: "user", Keys: func(t Token) [][]byte {
				if t.User == "" {
					return nil
				}
				return store.Keys(t.User)
			}},
		),
		users: store.NewCollection("user", func(u User) string { return u.Name }),
		sessions: store.NewCollection("session", func(s Session) string { return s.ID },
			store.Index[Session]{Name: "user", Keys: func(s Session) [][]byte { return store.Keys(s.User) }},
			store.Index[Session]{Name: "expires", Keys: func(s Session) [][]byte { return store.Keys(s.ExpiresAt) }},
		),
		links: store.NewCollection("login_link", func(l link) string { return l.ID },
			store.Index[link]{Name: "expires", Keys: func(l link) [][]byte { return store.Keys(l.ExpiresAt) }},
		),
		limit:   newLimiter(o.Now),
		hashing: make(chan struct{}, 2),
	}
}

// By says who does an act, and from where.
type By struct {
	Actor  string
	Remote string
}

// act is what note journals: how it was asked for, and what there was before and
// after it. None of them ever holds a secret.
type act struct{ args, before, after any }

// note journals an act on credentials in the transaction that does it.
func (s *Store) note(tx store.Tx, by By, verb, kind, id string, a act) error {
	c := event.Command{Verb: verb, Record: kind, ID: id, Actor: by.Actor, Remote: by.Remote}
	if err := c.Audit(a.args, a.before, a.after); err != nil {
		return err
	}
	ev, err := event.New(&c)
	if err != nil {
		return err
	}
	_, err = s.o.Journal.Append(tx, ev)
	return err
}

// secret returns n random bytes.
func (s *Store) random(n int) ([]byte, error) {
	s.randMu.Lock()
	defer s.randMu.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(s.o.Rand, b); err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	return b, nil
}

// secret makes 256 random bits as text that needs no quoting anywhere.
func (s *Store) secret() (string, error) {
	b, err := s.random(32)
	return base64.RawURLEncoding.EncodeToString(b), err
}

var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// id makes a short random name that is no secret.
func (s *Store) id() (string, error) {
	b, err := s.random(5)
	return idText.EncodeToString(b), err
}

// hash of a 256-bit random secret. A fast hash is right here: there is nothing
// to guess, and every request pays for it. Passwords are hashed slowly instead.
func hash(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

// isNotFound says whether err is the absence of a record.
func isNotFound(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Kind == fault.NotFound
}

// cleanName checks a name that people give: printable, short, without edges.
func cleanName(field, s string) (string, error) {
	t := strings.TrimSpace(s)
	if t == "" {
		return "", fault.Invalidf(field, "is missing")
	}
	if len(t) > 100 {
		return "", fault.Invalidf(field, "is longer than 100 bytes")
	}
	for _, r := range t {
		if r < ' ' || r == 0x7f {
			return "", fault.Invalidf(field, "holds a control character")
		}
	}
	return t, nil
}
