package cluster

import "testing"

func TestAProofIsOfOneMemberOfOneSiteUnderOneKey(t *testing.T) {
	key, other := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	p := Prove(key, "fra1", "agent-1")
	if !p.Holds("fra1", "agent-1") || p != Prove(key, "fra1", "agent-1") {
		t.Fatal("a member cannot prove itself")
	}
	if p.Holds("fra1", "agent-2") || p.Holds("fra2", "agent-1") {
		t.Error("a proof is good for another member or site")
	}
	if q := Prove(other, "fra1", "agent-1"); q.Key == p.Key || (Proof{p.Key, q.Signature}).Holds("fra1", "agent-1") {
		t.Error("another key proves the same")
	}
	if p.Key == Prove(key, "fra2", "agent-1").Key {
		t.Error("two sites with one key show that they have one")
	}
	for _, bad := range []Proof{{}, {p.Key, ""}, {"", p.Signature}, {"AAAA", p.Signature}, {p.Key, "not base64!"}} {
		if bad.Holds("fra1", "agent-1") {
			t.Errorf("%+v holds", bad)
		}
	}
}
