package auth

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// User is a person who logs in.
type User struct {
	Name      string    `json:"name"`
	Display   string    `json:"display,omitempty"`
	Role      Role      `json:"role"`
	Password  string    `json:"password,omitempty"` // argon2id in PHC form; empty: login links only
	Disabled  bool      `json:"disabled,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// userFact is what the audit says of a user.
type userFact struct {
	Display  string `json:"display,omitempty"`
	Role     Role   `json:"role,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
	Password string `json:"password,omitempty"` // "set", never the password
}

func (u User) fact() userFact {
	f := userFact{Display: u.Display, Role: u.Role, Disabled: u.Disabled}
	if u.Password != "" {
		f.Password = "set"
	}
	return f
}

// CreateUser adds a person, with a password or without.
func (s *Store) CreateUser(ctx context.Context, by By, u User, password string) (User, error) {
	u.Name = strings.ToLower(strings.TrimSpace(u.Name))
	if !userName.MatchString(u.Name) {
		return u, fault.Invalidf("name", "want 1 to 64 of a-z, 0-9, dot, dash, underscore and @, beginning with a letter or digit; got %q", u.Name)
	}
	if !u.Role.Human() {
		return u, fault.Invalidf("role", "want viewer, responder, manager or admin, got %q", u.Role)
	}
	if password != "" {
		var err error
		if u.Password, err = s.hashPassword(ctx, u.Name, password); err != nil {
			return u, err
		}
	}
	u.CreatedAt, u.CreatedBy = s.o.Now().UTC(), by.Actor
	err := s.o.DB.Update(ctx, func(tx store.Tx) error {
		if _, ok, err := s.users.Find(tx, u.Name); err != nil {
			return err
		} else if ok {
			return fault.Conflictf("user %q exists already", u.Name)
		}
		if err := s.users.Put(tx, u); err != nil {
			return err
		}
		return s.note(tx, by, "create", "user", u.Name, act{after: u.fact()})
	})
	return u, err
}

// UserEdit changes what is not nil.
type UserEdit struct {
	Display  *string
	Role     *Role
	Disabled *bool
	Password *string // "" takes the password away
}

// EditUser changes a person. Whoever loses a role, the password or access loses
// their sessions too. The last admin stays one: nobody could let another in.
func (s *Store) EditUser(ctx context.Context, by By, name string, e UserEdit) (User, error) {
	var hashed string
	if e.Password != nil && *e.Password != "" {
		var err error
		if hashed, err = s.hashPassword(ctx, name, *e.Password); err != nil {
			return User{}, err
		}
	}
	if e.Role != nil && !e.Role.Human() {
		return User{}, fault.Invalidf("role", "want viewer, responder, manager or admin, got %q", *e.Role)
	}
	var u User
	err := s.o.DB.Update(ctx, func(tx store.Tx) error {
		row, err := s.users.Get(tx, name)
		if err != nil {
			return err
		}
		u = row.Doc
		before := u
		var changed struct { // what before and after cannot show
			Password string `json:"password,omitempty"`
		}
		if e.Display != nil {
			u.Display = *e.Display
		}
		if e.Role != nil {
			u.Role = *e.Role
		}
		if e.Disabled != nil {
			u.Disabled = *e.Disabled
		}
		if e.Password != nil {
			u.Password, changed.Password = hashed, "set"
			if hashed == "" {
				changed.Password = "removed"
			}
		}
		if err := s.keepAnAdmin(tx, before, u); err != nil {
			return err
		}
		if u.Role != before.Role || u.Disabled || u.Password != before.Password {
			if err := s.endSessions(tx, name); err != nil {
				return err
			}
		}
		if err := s.users.Put(tx, u); err != nil {
			return err
		}
		return s.note(tx, by, "edit", "user", name, act{args: changed, before: before.fact(), after: u.fact()})
	})
	return u, err
}

// DeleteUser removes a person with their tokens and sessions. Records keep the name.
func (s *Store) DeleteUser(ctx context.Context, by By, name string) error {
	return s.o.DB.Update(ctx, func(tx store.Tx) error {
		row, err := s.users.Get(tx, name)
		if err != nil {
			return err
		}
		if err := s.keepAnAdmin(tx, row.Doc, User{Name: name}); err != nil {
			return err
		}
		if err := s.endSessions(tx, name); err != nil {
			return err
		}
		p, err := s.tokens.List(tx, store.Query[Token]{Index: "user", Prefix: store.Key(name), Limit: 10000})
		if err != nil {
			return err
		}
		for _, t := range p.Rows {
			if err := s.tokens.Delete(tx, t.Doc.ID); err != nil {
				return err
			}
		}
		if err := s.users.Delete(tx, name); err != nil {
			return err
		}
		return s.note(tx, by, "delete", "user", name, act{before: row.Doc.fact()})
	})
}

func (s *Store) keepAnAdmin(tx store.Tx, before, after User) error {
	if before.Role != Admin || before.Disabled || after.Role == Admin && !after.Disabled {
		return nil
	}
	p, err := s.users.List(tx, store.Query[User]{Limit: 1, Keep: func(u User) bool {
		return u.Name != before.Name && u.Role == Admin && !u.Disabled
	}})
	if err != nil {
		return err
	}
	if len(p.Rows) == 0 {
		return fault.Conflictf("user %s is the last admin: make another one first", before.Name)
	}
	return nil
}

func (s *Store) endSessions(tx store.Tx, user string) error {
	p, err := s.sessions.List(tx, store.Query[Session]{Index: "user", Prefix: store.Key(user), Limit: 10000})
	if err != nil {
		return err
	}
	for _, x := range p.Rows {
		if err := s.sessions.Delete(tx, x.Doc.ID); err != nil {
			return err
		}
	}
	return nil
}

// Users lists people by name.
func (s *Store) Users(ctx context.Context, cursor string, limit int, keep func(User) bool) (items []User, next string, err error) {
	err = s.o.DB.View(ctx, func(r store.Reader) error {
		p, err := s.users.List(r, store.Query[User]{Cursor: cursor, Limit: limit, Keep: keep})
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

// User returns one person.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	var u User
	err := s.o.DB.View(ctx, func(r store.Reader) error {
		row, err := s.users.Get(r, name)
		u = row.Doc
		return err
	})
	return u, err
}
