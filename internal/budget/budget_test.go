package budget_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/watchbill/watchbill/internal/budget"
)

func TestNobodyTakesMoreThanAPart(t *testing.T) {
	b := budget.New(100, 60)
	if err := b.Take("a", 61); !errors.Is(err, budget.ErrSpent) {
		t.Errorf("more than a part: %v", err)
	}
	if err := b.Take("a", 60); err != nil {
		t.Error(err)
	}
	if err := b.Take("b", 41); !errors.Is(err, budget.ErrSpent) {
		t.Errorf("more than all: %v", err)
	}
	if err := b.Take("b", 40); err != nil {
		t.Error(err)
	}
	b.Give("a", 60)
	b.Give("b", 40)
	if b.Used() != 0 {
		t.Errorf("%d are left", b.Used())
	}
}

func TestAReaderTakesBeforeItReads(t *testing.T) {
	b := budget.New(1<<20, 1<<20)
	s := b.Share("a")
	n, err := io.Copy(io.Discard, s.Reader(strings.NewReader(strings.Repeat("x", 2<<20)), 1))
	if !errors.Is(err, budget.ErrSpent) || n > 1<<20 {
		t.Errorf("%d bytes were read, %v", n, err)
	}
	s.Close()
	s.Close()
	if b.Used() != 0 {
		t.Errorf("%d are left", b.Used())
	}
	// Bodies that only announce much take next to nothing.
	var got bytes.Buffer
	if _, err := got.ReadFrom(s.Reader(strings.NewReader("short"), 4)); err != nil || b.Used() > 1<<18 {
		t.Errorf("%d are taken for five bytes: %v", b.Used(), err)
	}
	s.Close()
}

func TestManyAtOnce(t *testing.T) {
	b := budget.New(1000, 1000)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 100 {
				if b.Take("x", 100) == nil {
					if u := b.Used(); u > 1000 {
						t.Errorf("%d of 1000 are taken", u)
					}
					b.Give("x", 100)
				}
			}
		})
	}
	wg.Wait()
	if b.Used() != 0 {
		t.Errorf("%d are left", b.Used())
	}
}
