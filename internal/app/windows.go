package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/itsm"
)

// coverNewItems asks the queries of planned and active maintenance windows again:
// what came to match one since is covered too. The engine cannot ask an inventory,
// so what is found enters the journal as a command.
func (s *server) coverNewItems(ctx context.Context) error {
	var failed error // of one window: the others follow theirs all the same
	at := engine.Range{Limit: 100}
	for {
		p, err := s.engine.Records().Maintenances(ctx, true, at)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, m := range p.Items {
			if m.Query == "" {
				continue
			}
			if err := s.coverNewItemsOf(ctx, m); err != nil {
				failed = errors.Join(failed, fmt.Errorf("cover what came to match the query of %s: %w", m.ID, err))
			}
		}
		if at.Cursor = p.Next; at.Cursor == "" {
			return failed
		}
	}
}

func (s *server) coverNewItemsOf(ctx context.Context, m itsm.Maintenance) error {
	ids, err := s.inventory.Matching(ctx, m.Query, itsm.CoverMost)
	if err != nil {
		return err
	}
	more := slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(m.CIs, id) })
	if len(more) == 0 {
		return nil
	}
	args, err := json.Marshal(itsm.MaintenanceArgs{Matched: more, Reason: "they match " + m.Query + " now"})
	if err != nil {
		return err
	}
	_, err = s.engine.Submit(ctx, event.Command{Verb: string(itsm.Cover), Record: "maintenance", ID: m.ID, Actor: itsm.System, Args: args})
	return err
}
