package app

import (
	"context"
	"strings"

	"github.com/watchbill/watchbill/cmdb/inventory"
)

// missing tells what the configuration that was just loaded names and is not there.
func (s *server) missing(ctx context.Context) ([]string, error) {
	if err := s.engine.CaughtUp(ctx); err != nil {
		return nil, err
	}
	var out []string
	for _, u := range s.engine.Unresolved() {
		out = append(out, u.Text())
	}
	return out, nil
}

// keepReferences keeps a task for each reference of the configuration that leads to no
// item: whoever keeps the inventory sees it, and it closes when the item is there.
func (s *server) keepReferences(ctx context.Context) error {
	var stand []inventory.Task
	for _, u := range s.engine.Unresolved() {
		id := strings.NewReplacer("/", "-", " ", "-").Replace("reference-" + u.Of + "-" + u.Ref)
		stand = append(stand, inventory.Task{ID: id, Others: u.Others, Summary: u.Of + ": " + u.Text()})
	}
	return s.inventory.KeepTasks(ctx, inventory.TaskReference, stand, "it is there now, or the configuration does not name it any more")
}
