package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// TestEachVersionLeadsOn: from every schema version since the first a way leads to this one.
func TestEachVersionLeadsOn(t *testing.T) {
	now, err := strconv.Atoi(SchemaVersion)
	if err != nil {
		t.Fatal(err)
	}
	for v := 1; v < now; v++ {
		found := false
		for _, m := range migrations() {
			found = found || m.From == strconv.Itoa(v) && m.To == strconv.Itoa(v+1)
		}
		if !found {
			t.Errorf("no migration leads from schema version %d to %d", v, v+1)
		}
	}
}

// version1 makes a database as schema version 1 stored it: alerts were JSON behind their revision.
func version1(t *testing.T, dir string, alerts int) *badgerdb.DB {
	t.Helper()
	db, err := badgerdb.Open(badgerdb.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/alert-schema1.json")
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < alerts; from += 1000 {
		err = db.Update(context.Background(), func(tx store.Tx) error {
			for i := from; i < min(from+1000, alerts); i++ {
				id := fmt.Sprintf("A%08d", i)
				row := append(binary.AppendUvarint(nil, uint64(i%300+1)), fmt.Appendf(nil, string(text), id, id)...)
				if err := errors.Join(tx.Put([]byte("d/alert\x00"+id), row), tx.Put([]byte("d/other\x00"+id), []byte("{}"))); err != nil {
					return err
				}
			}
			return tx.Put([]byte("m/schema"), []byte("1"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// stopping is a database whose writes fail after some, as one that is killed.
type stopping struct {
	store.DB
	left int
}

var errKilled = errors.New("killed")

func (s *stopping) Update(ctx context.Context, f func(store.Tx) error) error {
	if s.left--; s.left < 0 {
		return errKilled
	}
	return s.DB.Update(ctx, f)
}

// TestMigrateFrom1 brings alerts of the former layout forward, through interruptions.
func TestMigrateFrom1(t *testing.T) {
	const alerts = 20_000 // several transactions
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	db := version1(t, t.TempDir(), alerts)
	defer db.Close()
	kills := 0
	for {
		err := store.Migrate(ctx, &stopping{db, 2}, SchemaVersion, migrations(), log)
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if kills++; kills > 1000 {
			t.Fatal("the migration does not come forward")
		}
		if err := store.CheckSchema(ctx, db, "1"); err == nil {
			t.Fatal("the earlier program takes data that is half migrated")
		}
	}
	if kills < 3 {
		t.Errorf("the migration was interrupted %d times: too few to show that it goes on", kills)
	}
	records := engine.NewRecords(db)
	for _, i := range []int{0, 1, 777, alerts - 1} {
		id := fmt.Sprintf("A%08d", i)
		a, err := records.Alert(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if a.ID != id || revision(t, db, id) != uint64(i%300+1) || a.Labels.Get("alertname") != "DiskFull" || a.Fingerprint != "b9ae1e0d6c21f0c5" || a.Binding == nil || a.Binding.CI != "CI1" ||
			a.Incident != "INC00000001" || a.Receipts != 3 || len(a.Evidence) != 1 || a.Evidence[0].Weight != 0.5 {
			t.Errorf("alert %s is %+v", id, a)
		}
	}
	if err := store.Migrate(ctx, db, SchemaVersion, migrations(), log); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := store.Migrate(ctx, db, "1", migrations(), log); err == nil {
		t.Error("data of a later version is taken")
	}
}

func revision(t *testing.T, db store.DB, id string) (n uint64) {
	t.Helper()
	err := db.View(context.Background(), func(r store.Reader) error {
		b, _, err := r.Get([]byte("d/alert\x00" + id))
		n, _ = binary.Uvarint(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
