package engine_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/journal"
	"github.com/watchbill/watchbill/internal/store"
	"github.com/watchbill/watchbill/internal/store/badgerdb"
)

// TestMarksThatDoNotBelongTogetherStopTheStart: a journal's end behind what was decided
// would number events anew that were acknowledged, and answer for alerts that nobody
// ever sees.
func TestMarksThatDoNotBelongTogetherStopTheStart(t *testing.T) {
	at := func(n uint64) []byte {
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, n), uint64(time.Now().UnixMilli()))
	}
	for what, harm := range map[string]func(store.Tx) error{
		"the journal's end mark is gone":      func(tx store.Tx) error { return tx.Delete([]byte("m/journal/0/last")) },
		"the journal's end mark is too low":   func(tx store.Tx) error { return tx.Put([]byte("m/journal/0/last"), at(1)) },
		"the journal's end mark is too high":  func(tx store.Tx) error { return tx.Put([]byte("m/journal/0/last"), at(1000)) },
		"the snapshot is ahead of all":        func(tx store.Tx) error { return tx.Put([]byte("m/engine/snapshot"), []byte(`{"position":1000}`)) },
		"the committed position is ahead":     func(tx store.Tx) error { return tx.Put([]byte("m/engine/committed"), []byte(`{"position":1000}`)) },
		"the committed position is gone":      func(tx store.Tx) error { return tx.Delete([]byte("m/engine/committed")) },
		"the snapshot's mark is no mark":      func(tx store.Tx) error { return tx.Put([]byte("m/engine/snapshot"), []byte("\x00\x01")) },
		"the newest entry is gone":            func(tx store.Tx) error { return tx.Delete(newestEntry(tx)) },
		"an entry stands after the end mark ": func(tx store.Tx) error { k := newestEntry(tx); k[len(k)-1]++; return tx.Put(k, []byte{1, 0, 0, 0, 0}) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "db")
			h := open(t, dir, "route: {receiver: r}\nreceivers: [{name: r}]\n")
			h.do(t, "create", "", map[string]any{"title": "x", "impact": 1, "urgency": 1})
			h.stop()
			db, err := badgerdb.Open(badgerdb.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := starts(db); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := db.Update(t.Context(), harm); err != nil {
				t.Fatal(err)
			}
			if err := starts(db); err == nil {
				t.Fatal("it starts")
			} else {
				t.Log(err)
			}
		})
	}
}

func newestEntry(tx store.Tx) []byte {
	for p := range tx.Scan([]byte("j/"), []byte("j0"), true) {
		return p.Key
	}
	return nil
}

func starts(db store.DB) error {
	j, err := journal.Open(context.Background(), db, time.Now)
	if err != nil {
		return err
	}
	_, err = engine.Open(context.Background(), engine.Options{DB: db, Journal: j, Rules: notifyRules(), Version: "test", Now: time.Now})
	return err
}

// While it runs, a mark that moved back must not let acknowledged positions be given again.
func TestAppendRefusesAMarkThatMovedBack(t *testing.T) {
	db, err := badgerdb.Open(badgerdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	j, err := journal.Open(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ev := event.Event{Kind: event.KindTick, Body: []byte("{}")}
	if _, err := j.Write(t.Context(), ev, ev); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx store.Tx) error { return tx.Delete([]byte("m/journal/0/last")) }); err != nil {
		t.Fatal(err)
	}
	if out, err := j.Write(t.Context(), ev); err == nil || !strings.Contains(fmt.Sprint(err), "2 was committed") {
		t.Fatalf("written at %v, %v", out, err)
	}
}
