package app

import (
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/inventory"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// A window that was planned with a query covers items that come to match it later:
// the machine that the maintenance itself sets up, for one.
func TestWindowsFollowTheirQuery(t *testing.T) {
	s := newServer(Options{ListenAddress: "127.0.0.1:0", StoragePath: t.TempDir(), Version: "test", Logger: slog.New(slog.DiscardHandler), Out: io.Discard}, time.Now)
	defer func() {
		if err := s.life.stop(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	if err := s.open(ctx); err != nil {
		t.Fatal(err)
	}
	host := func(name, owner string) string {
		c, _, err := s.inventory.Upsert(ctx, inventory.Item{Class: "host", Name: name, Attributes: cmdb.Attributes{"hostname": name, "owner": owner}}, "person:ann")
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	web1, db1 := host("web1", "ann"), host("db1", "bob")
	args, err := json.Marshal(itsm.MaintenanceArgs{Summary: "new kernel", CIs: []string{web1}, Query: "owner:ann", EndsAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.engine.Submit(ctx, event.Command{Verb: "create", Record: "maintenance", Actor: "ann", Args: args})
	if err != nil {
		t.Fatal(err)
	}
	follow := func() itsm.Maintenance {
		t.Helper()
		if err := s.coverNewItems(ctx); err != nil {
			t.Fatal(err)
		}
		m, _, err := s.engine.Records().Maintenance(ctx, made.Record)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before := follow()
	if !slices.Equal(before.CIs, []string{web1}) {
		t.Errorf("covers %v, want web1 only", before.CIs)
	}
	web2 := host("web2", "ann")
	host("db1", "ann") // it changes hands meanwhile
	m := follow()
	want := []string{web1, web2, db1}
	slices.Sort(want)
	if !slices.Equal(m.CIs, want) {
		t.Errorf("covers %v, want %v", m.CIs, want)
	}
	if again := follow(); again.Revision != m.Revision {
		t.Error("what is covered already was covered again")
	}
	n, err := event.DecodeNotification([]byte(`{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"HostDown","instance":"web2:9100","severity":"critical"},"startsAt":"` + time.Now().UTC().Format(time.RFC3339) + `"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.journal.Write(ctx, event.NewNotification("prom", n)); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.CaughtUp(ctx); err != nil {
		t.Fatal(err)
	}
	if m, _, err := s.engine.Records().Maintenance(ctx, made.Record); err != nil || m.Suppressed != 1 {
		t.Errorf("%d alerts were suppressed (%v), want the one about the new machine", m.Suppressed, err)
	}
}
