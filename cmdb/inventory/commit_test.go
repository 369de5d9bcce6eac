package inventory

import (
	"context"
	"errors"
	"slices"
	"testing"

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
