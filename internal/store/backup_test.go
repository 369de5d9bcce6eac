package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/watchbill/watchbill/internal/fault"
)

// craft makes a backup whose checksums are right and whose content is not.
func craft(parts ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString(backupMagic)
	z := s2.NewWriter(&b)
	for _, p := range parts {
		_, _ = z.Write(p)
	}
	_ = z.Close()
	return b.Bytes()
}

// nowhere is a database that takes everything and keeps nothing.
type nowhere struct{ DB }

func (nowhere) Update(_ context.Context, f func(Tx) error) error { return f(nothing{}) }

func (nowhere) Limit() Limit { return Limit{} }

type nothing struct{ Tx }

func (nothing) Scan([]byte, []byte, bool) iter.Seq2[Pair, error] {
	return func(func(Pair, error) bool) {}
}
func (nothing) Put(_, _ []byte) error { return nil }
func (nothing) Delete([]byte) error   { return nil }

func TestCraftedBackups(t *testing.T) {
	pair := []byte("\x01k\x01v")
	n := func(v uint64) []byte { return binary.AppendUvarint(nil, v) }
	if err := ReadBackup(context.Background(), nowhere{}, bytes.NewReader(craft(pair, n(0), n(1)))); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for what, b := range map[string][]byte{
		"holds 1 entries and should hold 2": craft(pair, n(0), n(2)),
		"it ends in the middle":             craft(pair, []byte("\x01")),
		"longer than":                       craft(n(MaxKey+1), []byte(strings.Repeat("k", MaxKey+1)), n(0), n(0), n(1)),
		"after 0 entries":                   craft(pair, n(1), []byte("k"), n(1<<40)),
		"not a Watchbill backup":            []byte("watchbill backup 9\nand more"),
	} {
		err := ReadBackup(context.Background(), nowhere{}, bytes.NewReader(b))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), what) {
			t.Errorf("want Invalid about %q, got %v", what, err)
		}
	}
}

func TestReadFieldDoesNotTrustItsLength(t *testing.T) {
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(binary.AppendUvarint(nil, 1<<30-1)), strings.NewReader("short")))
	if _, err := readField(in, 1<<30); err == nil {
		t.Fatal("a field that ends early was taken")
	}
}
