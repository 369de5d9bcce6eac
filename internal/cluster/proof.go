package cluster

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// A member proves to the server that it holds its site's key without showing it:
// the key is the seed of a signing key, of which the server knows the public half,
// and the member signs its own name. Who has not the key cannot be a witness,
// whatever it says of itself.

// Proof is what a member shows: the public half of its site's signing key and its
// signature over site and name, both in base64.
type Proof struct{ Key, Signature string }

const (
	seedPurpose  = "watchbill mesh site "
	proofPurpose = "watchbill mesh member\x00"
)

// Prove makes the proof of a member with a name (its agent's id).
func Prove(key []byte, site, name string) Proof {
	seed := hmac.New(sha256.New, key)
	seed.Write([]byte(seedPurpose + site))
	signer := ed25519.NewKeyFromSeed(seed.Sum(nil))
	public := signer.Public().(ed25519.PublicKey)
	return Proof{base64.StdEncoding.EncodeToString(public), base64.StdEncoding.EncodeToString(ed25519.Sign(signer, statement(site, name)))}
}

// Holds says whether the proof is one of the named member of the site, under the
// key that it shows.
func (p Proof) Holds(site, name string) bool {
	key, err := base64.StdEncoding.DecodeString(p.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return false
	}
	signature, err := base64.StdEncoding.DecodeString(p.Signature)
	return err == nil && ed25519.Verify(key, statement(site, name), signature)
}

func statement(site, name string) []byte { return []byte(proofPurpose + site + "\x00" + name) }
