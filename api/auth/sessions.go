package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Session is one browser that is logged in.
type Session struct {
	ID        string    `json:"id"` // hash of the cookie
	User      string    `json:"user"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Remote    string    `json:"remote,omitempty"`
	Via       string    `json:"via"` // "password" or "link"
}

// link is a one-time login link.
type link struct {
	ID        string    `json:"id"` // hash of the code
	User      string    `json:"user"`
	ExpiresAt time.Time `json:"expires_at"`
	CreatedBy string    `json:"created_by"`
}

const (
	// SessionLife is how long a browser stays logged in.
	SessionLife = 7 * 24 * time.Hour
	// LinkLife is how long a login link waits for its one use.
	LinkLife = 15 * time.Minute
	// FirstLinkLife is LinkLife for the link of the very first start.
	FirstLinkLife = 24 * time.Hour
)

// Login opens a session for a user's password. Wrong names and wrong passwords
// look the same from outside.
func (s *Store) Login(ctx context.Context, user, password, remote string) (Session, string, error) {
	user = strings.ToLower(strings.TrimSpace(user))
	if wait := s.limit.take(user, remote); wait > 0 {
		return Session{}, "", &Denied{Reason: Limited, Message: fmt.Sprintf("too many attempts to log in: try again in %s", wait.Round(time.Second)), RetryAfter: wait}
	}
	u, err := s.User(ctx, user)
	if err != nil && !isNotFound(err) {
		return Session{}, "", err
	}
	ok, err := s.checkPassword(ctx, u.Password, password)
	if err != nil {
		return Session{}, "", fmt.Errorf("check the password of %s: %w", user, err)
	}
	if !ok || u.Disabled {
		s.o.Logger.Warn("a login was refused", "user", clean(user), "remote", remote)
		return Session{}, "", denied(Unauthenticated, "user and password do not match")
	}
	s.limit.forget(user, remote)
	return s.open(ctx, By{Actor: user, Remote: remote}, user, "password", "")
}

// Redeem opens a session for a login link's code, which is good once.
func (s *Store) Redeem(ctx context.Context, code, remote string) (Session, string, error) {
	if wait := s.limit.take("", remote); wait > 0 {
		return Session{}, "", &Denied{Reason: Limited, Message: fmt.Sprintf("too many attempts to log in: try again in %s", wait.Round(time.Second)), RetryAfter: wait}
	}
	x, secret, err := s.open(ctx, By{Remote: remote}, "", "link", code)
	if err == nil {
		s.limit.forget("", remote)
	}
	return x, secret, err
}

func (s *Store) open(ctx context.Context, by By, user, via, code string) (Session, string, error) {
	secret, err := s.secret()
	if err != nil {
		return Session{}, "", err
	}
	now := s.o.Now().UTC()
	x := Session{ID: hash(secret), User: user, CreatedAt: now, ExpiresAt: now.Add(SessionLife), Remote: by.Remote, Via: via}
	err = s.o.DB.Update(ctx, func(tx store.Tx) error {
		if via == "link" {
			row, ok, err := s.links.Find(tx, hash(code))
			if err != nil {
				return err
			}
			if !ok || !now.Before(row.Doc.ExpiresAt) {
				return denied(Unauthenticated, "this login link was used already or has expired: make a new one with `watchbill login-link USER`")
			}
			if err := s.links.Delete(tx, row.Doc.ID); err != nil {
				return err
			}
			u, err := s.users.Get(tx, row.Doc.User)
			if err != nil && !isNotFound(err) {
				return err
			}
			if err != nil || u.Doc.Disabled {
				return denied(Unauthenticated, "user %s cannot log in", row.Doc.User)
			}
			x.User, by.Actor = row.Doc.User, row.Doc.User
		}
		if err := s.sweep(tx, now); err != nil {
			return err
		}
		if err := s.sessions.Put(tx, x); err != nil {
			return err
		}
		return s.note(tx, by, "login", "session", x.ID[:12], act{args: map[string]string{"via": via}})
	})
	return x, secret, err
}

// sweep drops what has expired, some at a time.
func (s *Store) sweep(tx store.Tx, now time.Time) error {
	old, err := s.sessions.List(tx, store.Query[Session]{Index: "expires", To: store.Key(now), Limit: 50})
	if err != nil {
		return err
	}
	for _, r := range old.Rows {
		if err := s.sessions.Delete(tx, r.Doc.ID); err != nil {
			return err
		}
	}
	dead, err := s.links.List(tx, store.Query[link]{Index: "expires", To: store.Key(now), Limit: 50})
	if err != nil {
		return err
	}
	for _, r := range dead.Rows {
		if err := s.links.Delete(tx, r.Doc.ID); err != nil {
			return err
		}
	}
	return nil
}

// NewLink makes a one-time login link for a user and returns its code, once.
func (s *Store) NewLink(ctx context.Context, by By, user string) (code string, expires time.Time, err error) {
	return s.newLink(ctx, by, user, LinkLife)
}

func (s *Store) newLink(ctx context.Context, by By, user string, life time.Duration) (string, time.Time, error) {
	code, err := s.secret()
	if err != nil {
		return "", time.Time{}, err
	}
	at := s.o.Now().UTC().Add(life)
	err = s.o.DB.Update(ctx, func(tx store.Tx) error {
		u, ok, err := s.users.Find(tx, user)
		if err != nil {
			return err
		}
		if !ok {
			return fault.NotFoundf("user %q does not exist", user)
		}
		if u.Doc.Disabled {
			return fault.Conflictf("user %s is disabled", user)
		}
		return s.putLink(tx, by, link{ID: hash(code), User: user, ExpiresAt: at, CreatedBy: by.Actor})
	})
	return code, at, err
}

func (s *Store) putLink(tx store.Tx, by By, l link) error {
	if err := s.links.Put(tx, l); err != nil {
		return err
	}
	return s.note(tx, by, "login-link", "user", l.User, act{args: map[string]time.Time{"expires_at": l.ExpiresAt}})
}

// Browser finds who a session cookie stands for.
func (s *Store) Browser(ctx context.Context, secret string) (Principal, error) {
	var p Principal
	err := s.o.DB.View(ctx, func(r store.Reader) error {
		x, ok, err := s.sessions.Find(r, hash(secret))
		if err != nil {
			return err
		}
		if !ok || !s.o.Now().Before(x.Doc.ExpiresAt) {
			return denied(Unauthenticated, "the session has ended: log in again")
		}
		u, ok, err := s.users.Find(r, x.Doc.User)
		if err != nil {
			return err
		}
		if !ok || u.Doc.Disabled {
			return denied(Unauthenticated, "user %s cannot log in", x.Doc.User)
		}
		p = Principal{Actor: u.Doc.Name, User: u.Doc.Name, Role: u.Doc.Role, Session: x.Doc.ID}
		return nil
	})
	return p, err
}

// Logout ends a browser session by its id.
func (s *Store) Logout(ctx context.Context, by By, id string) error {
	return s.o.DB.Update(ctx, func(tx store.Tx) error {
		if err := s.sessions.Delete(tx, id); err != nil {
			return err
		}
		return s.note(tx, by, "logout", "session", id[:min(12, len(id))], act{})
	})
}

// clean makes what a stranger typed fit for a log line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s[:min(len(s), 64)])
}

// ChangePassword sets a person's own password, ends all their sessions and opens
// a new one. Where a password is set it must be given: a browser that was left
// open must not become an account that was taken over.
func (s *Store) ChangePassword(ctx context.Context, by By, p Principal, current, next string) (Session, string, error) {
	u, err := s.User(ctx, p.User)
	if err != nil {
		return Session{}, "", err
	}
	if u.Password != "" {
		if wait := s.limit.take(u.Name, by.Remote); wait > 0 {
			return Session{}, "", &Denied{Reason: Limited, Message: fmt.Sprintf("too many attempts: try again in %s", wait.Round(time.Second)), RetryAfter: wait}
		}
		ok, err := s.checkPassword(ctx, u.Password, current)
		if err != nil {
			return Session{}, "", fmt.Errorf("check the password of %s: %w", u.Name, err)
		}
		if !ok {
			return Session{}, "", fault.Invalidf("current", "is not your password")
		}
		s.limit.forget(u.Name, by.Remote)
	}
	if next == "" {
		return Session{}, "", fault.Invalidf("new", "is empty")
	}
	if _, err := s.EditUser(ctx, by, u.Name, UserEdit{Password: &next}); err != nil {
		return Session{}, "", err
	}
	return s.open(ctx, by, u.Name, "password", "")
}
