package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/watchbill/watchbill/internal/fault"
)

// Links signs addresses that let whoever got a message acknowledge its incident
// without logging in. A link names its receiver, works for one incident, and ends.
type Links struct {
	base *url.URL
	key  []byte
}

// linkLife is how long a link works: the next shift must log in.
const linkLife = 24 * time.Hour

// NewLinks makes links below base, signed with key (at least 32 bytes).
func NewLinks(base *url.URL, key []byte) (*Links, error) {
	if len(key) < 32 {
		return nil, fault.Invalidf("key", "want at least 32 bytes to sign links with, got %d", len(key))
	}
	if base == nil || base.Host == "" {
		return nil, fault.Invalidf("external_url", "is missing: links in messages need the address under which people reach this server")
	}
	return &Links{base, key}, nil
}

// AcknowledgePath is where links lead, below the base.
const AcknowledgePath = "/acknowledge/"

// Incident is the address of an incident's page.
func (l *Links) Incident(id string) string { return l.base.JoinPath("incidents", id).String() }

// Acknowledge makes a link for a receiver.
func (l *Links) Acknowledge(incident, receiver string, now time.Time) string {
	until := strconv.FormatInt(now.Add(linkLife).Unix(), 10)
	u := l.base.JoinPath(AcknowledgePath, incident)
	u.RawQuery = url.Values{"to": {receiver}, "until": {until}, "sig": {l.sign(incident, receiver, until)}}.Encode()
	return u.String()
}

// Verify checks a link's query and returns the receiver that it was made for.
func (l *Links) Verify(incident string, q url.Values, now time.Time) (receiver string, err error) {
	receiver, until := q.Get("to"), q.Get("until")
	want := l.sign(incident, receiver, until)
	if !hmac.Equal([]byte(want), []byte(q.Get("sig"))) {
		return "", fault.Invalidf("sig", "this link was not made here, or was changed on its way")
	}
	sec, err := strconv.ParseInt(until, 10, 64)
	if err != nil || now.Unix() > sec {
		return "", fault.Invalidf("until", "this link has ended: log in and acknowledge the incident there")
	}
	return receiver, nil
}

func (l *Links) sign(parts ...string) string {
	h := hmac.New(sha256.New, l.key)
	h.Write([]byte("acknowledge\x00" + strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
