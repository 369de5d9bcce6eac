package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/watchbill/watchbill/internal/fault"
)

// Costs of argon2id: 19 MiB, two passes, one lane (OWASP's password storage
// cheat sheet). They stand in each hash, so they can be raised.
const (
	argonMemory  = 19 * 1024
	argonTime    = 2
	argonThreads = 1
	argonKey     = 32
)

// passwordLeast is NIST SP 800-63B's least length for a password that is the only factor.
const passwordLeast = 12

func (s *Store) hashPassword(ctx context.Context, user, password string) (string, error) {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return "", fault.Invalidf("password", "is not valid UTF-8")
	case n < passwordLeast:
		return "", fault.Invalidf("password", "has %d characters, the least is %d", n, passwordLeast)
	case len(password) > 1024:
		return "", fault.Invalidf("password", "is longer than 1024 bytes")
	case strings.Contains(strings.ToLower(password), user) && n < passwordLeast+len(user):
		return "", fault.Invalidf("password", "is little more than the user's name")
	}
	salt, err := s.random(16)
	if err != nil {
		return "", err
	}
	key, err := s.argon(ctx, password, salt, argonTime, argonMemory, argonThreads, argonKey)
	if err != nil {
		return "", err
	}
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, e.EncodeToString(salt), e.EncodeToString(key)), nil
}

// argon takes one of the places for hashing, so that a flood of logins cannot
// take all memory.
func (s *Store) argon(ctx context.Context, password string, salt []byte, time, memory uint32, threads uint8, length uint32) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.hashing }()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, length), nil
}

// checkPassword says whether password is the one behind the hash. An empty hash
// costs the same time and never matches: who exists must not show in the time.
func (s *Store) checkPassword(ctx context.Context, phc, password string) (bool, error) {
	if phc == "" {
		_, err := s.argon(ctx, password, make([]byte, 16), argonTime, argonMemory, argonThreads, argonKey)
		return false, err
	}
	var version int
	var memory, time uint32
	var threads uint8
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("stored password hash has an unknown form")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, fmt.Errorf("stored password hash has an unknown version %q", parts[2])
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return false, fmt.Errorf("stored password hash has unreadable costs: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("stored password hash has an unreadable salt: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("stored password hash is unreadable: %w", err)
	}
	got, err := s.argon(ctx, password, salt, time, memory, threads, uint32(len(want)))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}
