package auth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Bootstrap is what a start needs to let the first people and machines in.
type Bootstrap struct {
	// Dir is the storage path; files go below bootstrap/ in it.
	Dir string
	// URL under which senders and people reach the server, without a path.
	URL string
	// AdminToken, where given, is a token of role admin: the operator chose it.
	AdminToken string
}

// Started says what a start found or made. It holds one secret, LoginCode, and
// only on the first start.
type Started struct {
	First        bool
	LoginCode    string // one-time login code of the user admin
	Alertmanager string // path of the ready receiver snippet
	AdminToken   string // path of the admin token for the command line; "" when the operator gave one
	JoinToken    string // path of the token with which agents join
}

// adminUser is who the first start lets in.
const adminUser = "admin"

// givenToken is the id of the token that the operator names at each start.
const givenToken = "admin-given"

// Start makes the first admin, tokens and files on the first start; later it
// only follows a changed AdminToken or URL. Secrets are written to files that
// only their owner reads.
func (s *Store) Start(ctx context.Context, b Bootstrap) (Started, error) {
	dir := filepath.Join(b.Dir, "bootstrap")
	out := Started{
		Alertmanager: filepath.Join(dir, "alertmanager.yml"),
		AdminToken:   filepath.Join(dir, "admin-token"),
		JoinToken:    filepath.Join(dir, "join-token"),
	}
	if strings.IndexFunc(b.AdminToken, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0 {
		return out, fault.Invalidf("WATCHBILL_ADMIN_TOKEN", "holds white space or control characters: give one token and nothing else")
	}
	if b.AdminToken != "" && len(b.AdminToken) < 20 {
		s.o.Logger.Warn("the given admin token is short and can be guessed: use 32 random characters or more", "characters", len(b.AdminToken))
	}
	users, _, err := s.Users(ctx, "", 1, nil)
	if err != nil {
		return out, fmt.Errorf("look for users: %w", err)
	}
	if len(users) == 0 {
		if err := s.first(ctx, dir, b, &out); err != nil {
			return out, fmt.Errorf("first start: %w", err)
		}
		return out, nil
	}
	if err := s.followGiven(ctx, b.AdminToken); err != nil {
		return out, fmt.Errorf("take the given admin token: %w", err)
	}
	if err := followURL(out.Alertmanager, b.URL); err != nil {
		return out, err
	}
	if _, err := os.Stat(out.AdminToken); err != nil {
		out.AdminToken = ""
	}
	return out, nil
}

// first writes the files before the database: if it breaks off in between, the
// next start is the first one again and writes them anew.
func (s *Store) first(ctx context.Context, dir string, b Bootstrap, out *Started) error {
	by := By{Actor: "watchbill"}
	now := s.o.Now().UTC()
	var tokens []Token
	secrets := map[string]string{}
	wanted := []NewToken{
		{Name: "first Alertmanager", Role: Ingest, Source: "alertmanager"},
		{Name: "agents join", Role: Agent},
	}
	if b.AdminToken == "" {
		wanted = append(wanted, NewToken{Name: "first admin", Role: Admin, User: adminUser})
	} else {
		out.AdminToken = ""
		tokens = append(tokens, Token{ID: givenToken, Name: "given at start", Role: Admin, User: adminUser, Hash: hash(b.AdminToken), CreatedAt: now, CreatedBy: by.Actor})
	}
	for _, w := range wanted {
		t, secret, err := s.prepare(by, w)
		if err != nil {
			return err
		}
		tokens = append(tokens, t)
		secrets[string(w.Role)] = secret
	}
	code, err := s.secret()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files := map[string]string{out.Alertmanager: snippet(b.URL, secrets[string(Ingest)]), out.JoinToken: secrets[string(Agent)] + "\n"}
	if b.AdminToken == "" {
		files[out.AdminToken] = secrets[string(Admin)] + "\n"
	}
	for path, text := range files {
		if err := writePrivate(path, text); err != nil {
			return err
		}
	}
	out.First, out.LoginCode = true, code
	return s.o.DB.Update(ctx, func(tx store.Tx) error {
		u := User{Name: adminUser, Role: Admin, CreatedAt: now, CreatedBy: by.Actor}
		if err := s.users.Put(tx, u); err != nil {
			return err
		}
		if err := s.note(tx, by, "create", "user", u.Name, act{after: userFact{Role: Admin}}); err != nil {
			return err
		}
		for _, t := range tokens {
			if err := s.putToken(tx, by, t); err != nil {
				return err
			}
		}
		return s.putLink(tx, by, link{ID: hash(code), User: adminUser, ExpiresAt: now.Add(FirstLinkLife), CreatedBy: by.Actor})
	})
}

// followGiven keeps the operator's token the one that was given last. A start
// without one leaves it as it is: not naming it is no order to lock people out.
func (s *Store) followGiven(ctx context.Context, given string) error {
	if given == "" {
		return nil
	}
	by := By{Actor: "watchbill"}
	return s.o.DB.Update(ctx, func(tx store.Tx) error {
		old, ok, err := s.tokens.Find(tx, givenToken)
		if err != nil {
			return err
		}
		if ok && old.Doc.Hash == hash(given) {
			return nil
		}
		if ok {
			if err := s.tokens.Delete(tx, givenToken); err != nil {
				return err
			}
			if err := s.note(tx, by, "revoke", "token", givenToken, act{before: old.Doc.fact()}); err != nil {
				return err
			}
		}
		// An operator may name a token that the server made itself.
		if _, taken, err := s.tokens.Lookup(tx, "hash", store.Key(hash(given))); err != nil || taken {
			return err
		}
		t := Token{ID: givenToken, Name: "given at start", Role: Admin, Hash: hash(given), CreatedAt: s.o.Now().UTC(), CreatedBy: by.Actor}
		if u, ok, err := s.users.Find(tx, adminUser); err != nil {
			return err
		} else if ok && u.Doc.Role == Admin && !u.Doc.Disabled {
			t.User = adminUser
		}
		return s.putToken(tx, by, t)
	})
}

// Snippet is the Alertmanager configuration for an ingest token.
func (s *Store) Snippet(url, token string) string { return snippet(url, token) }

// snippet is a whole Alertmanager configuration that works by itself; its
// receiver can be pasted into another one.
func snippet(url, token string) string {
	return `# Made by Watchbill. Either run Alertmanager with this file, or paste the receiver
# into your own configuration and route to it. The token is a secret.
route:
  receiver: watchbill
  group_by: [alertname]
  group_wait: 5s        # Watchbill groups and holds by itself: longer only delays it
  group_interval: 30s
receivers:
  - name: watchbill
    webhook_configs:
      - url: ` + url + ingestPath + `
        send_resolved: true
        max_alerts: 0
        http_config:
          authorization:
            credentials: ` + token + `
`
}

const ingestPath = "/api/v1/ingest/alertmanager"

var urlLine = regexp.MustCompile(`(?m)^(\s*- url: )\S+` + regexp.QuoteMeta(ingestPath) + `$`)

// followURL puts a changed address into the snippet; its token stays.
func followURL(path, url string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the operator took it away
	}
	if err != nil {
		return fmt.Errorf("read the receiver snippet: %w", err)
	}
	now := urlLine.ReplaceAllString(string(b), "${1}"+strings.ReplaceAll(url, "$", "$$")+ingestPath)
	if now == string(b) {
		return nil
	}
	return writePrivate(path, now)
}

// writePrivate replaces a file whole, readable by its owner only.
func writePrivate(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
