package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Token is a bearer credential as it is kept: without its secret.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      Role       `json:"role"`
	Hash      string     `json:"hash"`
	User      string     `json:"user,omitempty"`   // whose acts it does; the user's role bounds its own
	Source    string     `json:"source,omitempty"` // ingest: the alert source; tokens of one HA pair share it
	CI        string     `json:"ci,omitempty"`     // agent: the item it is bound to; empty joins new agents
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	LastUsed  *time.Time `json:"last_used_at,omitempty"` // to the hour
	// JoinLimits bound a join token; of a credential only the site stands.
	JoinLimits
	Uses int `json:"uses,omitempty"` // hosts that a join token let in
}

// JoinLimits say whom a join token lets in. The zero value lets in whoever holds it.
type JoinLimits struct {
	MaxUses  int      `json:"max_uses,omitempty"` // hosts; 0: any number
	Networks []string `json:"networks,omitempty"` // prefixes that agents must come from
	Site     string   `json:"site,omitempty"`     // the only mesh that they may be members of
}

func (l JoinLimits) isZero() bool { return l.MaxUses == 0 && len(l.Networks) == 0 && l.Site == "" }

// check normalises the limits.
func (l *JoinLimits) check() error {
	const most = 100 // networks of one token
	if l.MaxUses < 0 {
		return fault.Invalidf("max_uses", "want the number of hosts that may join, or 0 for any, got %d", l.MaxUses)
	}
	if len(l.Networks) > most {
		return fault.Invalidf("networks", "more than %d", most)
	}
	nets := make([]string, len(l.Networks))
	for i, n := range l.Networks {
		p, err := netip.ParsePrefix(n)
		if a, single := netip.ParseAddr(n); err != nil && single == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return fault.Invalidf(fmt.Sprintf("networks[%d]", i), "want a network such as 10.1.0.0/16 or fd00::/8, got %q", n)
		}
		nets[i] = p.Masked().String()
	}
	if len(nets) > 0 {
		l.Networks = nets
	}
	return nil
}

// admits says whether a join token lets an agent in that comes from an address and
// calls itself a member of a site.
func (t Token) admits(remote, site string) error {
	if t.MaxUses > 0 && t.Uses >= t.MaxUses {
		return denied(Forbidden, "the join token %s (%s) has let in all %d hosts that it was made for: make a new one", t.ID, t.Name, t.MaxUses)
	}
	if t.Site != "" && site != t.Site {
		return denied(Forbidden, "the join token %s (%s) is for agents of site %q: this one says %q", t.ID, t.Name, t.Site, site)
	}
	if len(t.Networks) == 0 {
		return nil
	}
	if a, err := netip.ParseAddr(remote); err == nil {
		a = a.Unmap().WithZone("")
		for _, n := range t.Networks {
			if p, err := netip.ParsePrefix(n); err == nil && p.Contains(a) {
				return nil
			}
		}
	}
	return denied(Forbidden, "the join token %s (%s) is for hosts of %s: this one comes from %s", t.ID, t.Name, strings.Join(t.Networks, ", "), remote)
}

// Expired says whether the token is past its end.
func (t Token) Expired(now time.Time) bool { return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt) }

// NewToken is what a token is made of.
type NewToken struct {
	Name      string
	Role      Role
	User      string
	Source    string
	CI        string
	ExpiresAt *time.Time
	JoinLimits
}

// prefix lets secret scanners and people see what a string is.
const prefix = "wb_"

// CreateToken makes a token and returns its secret, once.
func (s *Store) CreateToken(ctx context.Context, by By, n NewToken) (Token, string, error) {
	t, secret, err := s.prepare(by, n)
	if err != nil {
		return t, "", err
	}
	err = s.o.DB.Update(ctx, func(tx store.Tx) error { return s.putToken(tx, by, t) })
	return t, secret, err
}

func (s *Store) prepare(by By, n NewToken) (Token, string, error) {
	now := s.o.Now().UTC()
	t := Token{Role: n.Role, User: n.User, Source: n.Source, CI: n.CI, CreatedAt: now, CreatedBy: by.Actor, JoinLimits: n.JoinLimits}
	var err error
	if t.Name, err = cleanName("name", n.Name); err != nil {
		return t, "", err
	}
	if _, err := ParseRole(string(n.Role)); err != nil {
		return t, "", err
	}
	switch {
	case n.User != "" && !n.Role.Human():
		return t, "", fault.Invalidf("user", "a token of role %s stands for a machine, not for a user", n.Role)
	case n.Source != "" && n.Role != Ingest:
		return t, "", fault.Invalidf("source", "only a token of role ingest has a source")
	case n.CI != "" && n.Role != Agent:
		return t, "", fault.Invalidf("ci", "only a token of role agent is bound to an item")
	case n.Role != Agent && !n.JoinLimits.isZero():
		return t, "", fault.Invalidf("role", "max_uses, networks and site bound a join token, which has the role agent, not %s", n.Role)
	}
	if err := t.JoinLimits.check(); err != nil {
		return t, "", err
	}
	if n.ExpiresAt != nil {
		if !n.ExpiresAt.After(now) {
			return t, "", fault.Invalidf("expires_at", "lies in the past: %s", n.ExpiresAt.UTC().Format(time.RFC3339))
		}
		at := n.ExpiresAt.UTC()
		t.ExpiresAt = &at
	}
	if t.ID, err = s.id(); err != nil {
		return t, "", err
	}
	random, err := s.secret()
	if err != nil {
		return t, "", err
	}
	secret := prefix + t.ID + "_" + random
	t.Hash = hash(secret)
	if t.Role == Ingest && t.Source == "" {
		t.Source = t.ID
	}
	return t, secret, nil
}

// tokenFact is what the audit says of a token.
type tokenFact struct {
	Name      string     `json:"name"`
	Role      Role       `json:"role"`
	User      string     `json:"user,omitempty"`
	Source    string     `json:"source,omitempty"`
	CI        string     `json:"ci,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	JoinLimits
}

func (t Token) fact() tokenFact {
	return tokenFact{t.Name, t.Role, t.User, t.Source, t.CI, t.ExpiresAt, t.JoinLimits}
}

func (s *Store) putToken(tx store.Tx, by By, t Token) error {
	if t.User != "" {
		u, ok, err := s.users.Find(tx, t.User)
		if err != nil {
			return err
		}
		if !ok {
			return fault.Invalidf("user", "%q does not exist", t.User)
		}
		if !u.Doc.Role.Allows(t.Role) {
			return fault.Invalidf("role", "user %s is %s: a token of theirs cannot be %s", t.User, u.Doc.Role, t.Role)
		}
	}
	if err := s.tokens.PutIf(tx, t, 0); err != nil {
		return err
	}
	return s.note(tx, by, "create", "token", t.ID, act{after: t.fact()})
}

// TokenFilter selects tokens; at most one field is given.
type TokenFilter struct {
	Role Role
	CI   string
	Keep func(Token) bool
}

// Tokens lists tokens by id.
func (s *Store) Tokens(ctx context.Context, f TokenFilter, cursor string, limit int) (items []Token, next string, err error) {
	q := store.Query[Token]{Cursor: cursor, Limit: limit, Keep: f.Keep}
	switch {
	case f.Role != "":
		q.Index, q.Prefix = "role", store.Key(string(f.Role))
	case f.CI != "":
		q.Index, q.Prefix = "ci", store.Key(f.CI)
	}
	err = s.o.DB.View(ctx, func(r store.Reader) error {
		p, err := s.tokens.List(r, q)
		if err != nil {
			return err
		}
		items, next = items[:0], p.Next
		for _, row := range p.Rows {
			items = append(items, row.Doc)
		}
		return nil
	})
	return items, next, err
}

// RevokeToken ends a token at once.
func (s *Store) RevokeToken(ctx context.Context, by By, id string) error {
	return s.o.DB.Update(ctx, func(tx store.Tx) error {
		row, err := s.tokens.Get(tx, id)
		if err != nil {
			return err
		}
		if err := s.tokens.Delete(tx, id); err != nil {
			return err
		}
		return s.note(tx, by, "revoke", "token", id, act{before: row.Doc.fact()})
	})
}

// BindAgent makes the credential of an agent that joined, bound to one item. The
// credential that it proved to have held before, and every other one of the
// item, ends: one machine has one credential. join is the token that it joined
// with; counts says that this uses it up by one host.
func (s *Store) BindAgent(ctx context.Context, by By, join string, counts bool, ci, name string) (Token, string, error) {
	t, secret, err := s.prepare(by, NewToken{Name: name, Role: Agent, CI: ci})
	if err != nil {
		return t, "", err
	}
	err = s.o.DB.Update(ctx, func(tx store.Tx) error {
		row, ok, err := s.tokens.Find(tx, join)
		if err != nil {
			return err
		}
		if ok {
			t.Site = row.Doc.Site
			if counts && row.Doc.MaxUses > 0 {
				if row.Doc.Uses >= row.Doc.MaxUses { // another came in between
					return row.Doc.admits("", row.Doc.Site)
				}
				row.Doc.Uses++
				if err := s.tokens.Put(tx, row.Doc); err != nil {
					return err
				}
			}
		}
		if err := s.unbind(tx, by, ci); err != nil {
			return err
		}
		return s.putToken(tx, by, t)
	})
	return t, secret, err
}

// Admit says whether a join token lets in an agent that comes from an address and
// calls itself a member of a site, "" for none.
func (s *Store) Admit(ctx context.Context, token, remote, site string) error {
	var t Token
	err := s.o.DB.View(ctx, func(r store.Reader) error {
		row, err := s.tokens.Get(r, token)
		t = row.Doc
		return err
	})
	if isNotFound(err) {
		return denied(Unauthenticated, "the join token was revoked")
	}
	if err != nil {
		return err
	}
	return t.admits(remote, site)
}

// Bound says whether a good credential is bound to an item.
func (s *Store) Bound(ctx context.Context, ci string) (bool, error) {
	items, _, err := s.Tokens(ctx, TokenFilter{CI: ci}, "", 1)
	return len(items) > 0, err
}

// UnbindAgents ends the credentials that are bound to an item.
func (s *Store) UnbindAgents(ctx context.Context, by By, ci string) error {
	return s.o.DB.Update(ctx, func(tx store.Tx) error { return s.unbind(tx, by, ci) })
}

func (s *Store) unbind(tx store.Tx, by By, ci string) error {
	p, err := s.tokens.List(tx, store.Query[Token]{Index: "ci", Prefix: store.Key(ci), Limit: 1000})
	if err != nil {
		return err
	}
	for _, row := range p.Rows {
		if err := s.tokens.Delete(tx, row.Doc.ID); err != nil {
			return err
		}
		if err := s.note(tx, by, "revoke", "token", row.Doc.ID, act{before: row.Doc.fact()}); err != nil {
			return err
		}
	}
	return nil
}

// Bearer finds who a bearer secret stands for.
func (s *Store) Bearer(ctx context.Context, secret string) (Principal, error) {
	if secret == "" || len(secret) > 1024 {
		return Principal{}, denied(Unauthenticated, "the bearer token is empty or too long")
	}
	var t Token
	var found bool
	var u User
	err := s.o.DB.View(ctx, func(r store.Reader) error {
		row, ok, err := s.tokens.Lookup(r, "hash", store.Key(hash(secret)))
		if err != nil || !ok {
			found = false
			return err
		}
		t, found = row.Doc, true
		if t.User == "" {
			return nil
		}
		owner, err := s.users.Get(r, t.User)
		u = owner.Doc
		if isNotFound(err) {
			found, err = false, nil
		}
		return err
	})
	if err != nil {
		return Principal{}, err
	}
	now := s.o.Now()
	switch {
	case !found:
		return Principal{}, denied(Unauthenticated, "the bearer token%s is not known here: it was revoked or belongs to another server", named(secret))
	case t.Expired(now):
		return Principal{}, denied(Unauthenticated, "the token %s (%s) expired at %s: make a new one", t.ID, t.Name, t.ExpiresAt.UTC().Format(time.RFC3339))
	}
	p := Principal{Actor: "token:" + t.Name, Role: t.Role, Token: t.ID, Source: t.Source, CI: t.CI, Site: t.Site}
	if t.User != "" {
		if u.Disabled {
			return Principal{}, denied(Unauthenticated, "user %s is disabled", u.Name)
		}
		p.Actor, p.User = u.Name, u.Name
		if !u.Role.Allows(t.Role) { // the user was given less since the token was made
			p.Role = u.Role
		}
	}
	if t.LastUsed == nil || now.Sub(*t.LastUsed) > time.Hour {
		s.touch(ctx, t.ID, now)
	}
	return p, nil
}

// touch notes that a token was used. It is worth no failed request.
func (s *Store) touch(ctx context.Context, id string, now time.Time) {
	at := now.UTC().Truncate(time.Second)
	err := s.o.DB.Update(ctx, func(tx store.Tx) error {
		row, ok, err := s.tokens.Find(tx, id)
		if err != nil || !ok {
			return err
		}
		row.Doc.LastUsed = &at
		return s.tokens.Put(tx, row.Doc)
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		s.o.Logger.Warn("could not note that a token was used", "token", id, "err", err)
	}
}

// named returns the id that a token carries in the clear, for messages and logs.
func named(secret string) string {
	rest, ok := strings.CutPrefix(secret, prefix)
	id, _, more := strings.Cut(rest, "_")
	if !ok || !more || len(id) != 8 || strings.Trim(id, "0123456789abcdefghjkmnpqrstvwxyz") != "" {
		return ""
	}
	return " " + id
}
