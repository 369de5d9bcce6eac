package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// full is a store on a disk that has no room while it says so.
type full struct {
	store.DB
	now bool
}

var errFull = errors.New("no space left on device")

func (f *full) Update(ctx context.Context, c func(store.Tx) error) error {
	if f.now {
		return errFull
	}
	return f.DB.Update(ctx, c)
}

// A package that was first met in a report which could not be stored has a number
// already. The next machine that has it must not be stored with a number that a
// restart knows nothing of.
func TestPackagesOutliveACommitThatFailed(t *testing.T) {
	l := newLab(t)
	one, two := l.box("one", 1).enroll(), l.box("two", 2).enroll()
	disk := &full{DB: l.db}
	l.Inventory.db = disk

	disk.now = true
	if _, err := l.Report(context.Background(), one.ci, one.envelope()); !errors.Is(err, errFull) {
		t.Fatalf("a full disk: %v", err)
	}
	if got := l.names("software:openssl"); got != nil {
		t.Fatalf("%v has what was not stored", got)
	}
	disk.now = false
	two.send()
	l.reopen()
	l.want("software:openssl", "two")
	packages, err := l.Packages(context.Background(), two.ci)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range packages {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"bash", "openssl"}) {
		t.Fatalf("after a restart two has %v", names)
	}
}

// Lines share transactions, and each is still whole or not at all: one that fails
// half way leaves nothing, and the lines around it stay.
func TestALineThatFailsLeavesItsNeighbours(t *testing.T) {
	l := newLab(t)
	ctx := context.Background()
	errs, err := l.each(ctx, 3*together, func(b *batch, i int) error {
		c, _, err := b.upsert(Item{Class: "host", Name: fmt.Sprintf("imp-%03d", i), Attributes: cmdb.Attributes{"owner": "ann"}}, "import")
		if err != nil {
			return err
		}
		switch i % 50 {
		case 7:
			return fault.Invalidf("x", "line %d", i)
		case 8:
			panic(c.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		got := map[string]bool{}
		for _, n := range l.names("owner:ann") {
			got[n] = true
		}
		for i, err := range errs {
			bad := i%50 == 7 || i%50 == 8
			if name := fmt.Sprintf("imp-%03d", i); got[name] == bad || (err != nil) != bad {
				t.Errorf("%s: %s is there: %v, its error: %v", when, name, got[name], err)
			}
		}
	}
	check("at once")
	l.reopen()
	check("after a restart")
	// What the store refuses is nobody's: not in memory either.
	disk := &full{DB: l.db, now: true}
	l.Inventory.db = disk
	if _, err := l.ImportCSV(ctx, strings.NewReader("class,name,owner\nhost,late-1,bob\nhost,late-2,bob\n"), ImportOptions{}); !errors.Is(err, errFull) {
		t.Errorf("an import onto a full disk: %v", err)
	}
	l.want("owner:bob")
}
