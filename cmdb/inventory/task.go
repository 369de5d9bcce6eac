package inventory

import (
	"context"
	"strings"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/fault"
	"github.com/watchbill/watchbill/internal/store"
)

// Task is something that a person must look at: the inventory saw it and does
// not decide it alone.
type Task struct {
	ID   string `json:"id"`
	Kind string `json:"kind"` // "clone", "contested", "conflict", "proposal", "agent_gone", "reference"
	// CI is the item concerned, Others those it may be confused with.
	CI     string   `json:"ci,omitempty"`
	Others []string `json:"others,omitempty"`
	// Site and SiteKey are of a task about a mesh's key.
	Site    string           `json:"site,omitempty"`
	SiteKey string           `json:"site_key,omitempty"`
	Summary string           `json:"summary"`
	Verdict *cmdb.Verdict    `json:"evidence,omitempty"`
	Seen    cmdb.Identifiers `json:"seen"`
	// Opened and Last are when it was first and last observed; Count how often.
	Opened time.Time `json:"opened_at"`
	Last   time.Time `json:"last_at"`
	Count  int       `json:"count"`
	// Done says who closed it and how; empty while it is open.
	Done   string    `json:"done,omitempty"`
	DoneAt time.Time `json:"done_at,omitzero"`
}

// Kinds of tasks.
const (
	TaskClone    = "clone"
	TaskConflict = "conflict"
	// TaskContested: an agent came under the identity of a machine for which another
	// agent reports. CI is that machine, Others are the items that came.
	TaskContested = "contested"
	TaskProposal  = "proposal"
	// TaskSiteKey: an agent proves another key of its mesh site than its members do.
	TaskSiteKey = "site_key"
	// TaskAgentGone: an agent does not run any more on a host that is up.
	TaskAgentGone = "agent_gone"
	// TaskReference: the configuration names an item that is not there.
	TaskReference = "reference"
)

// ask opens a task or counts it again. The key makes one of all observations of
// the same matter; a task that somebody closed stays closed.
func (b *batch) ask(key string, t Task) error {
	t.ID = key
	old, err := read(b, b.tasks, b.inv.cols.task, key)
	if err != nil {
		return err
	}
	t.Opened, t.Count = b.now, 1
	if old != nil {
		if old.Done != "" {
			return nil
		}
		t.Opened, t.Count = old.Opened, old.Count+1
	} else {
		b.inv.stats.task(t.Kind)
	}
	t.Last = b.now
	set(b, b.tasks, key, &t)
	return nil
}

// KeepTasks makes the open tasks of a kind those that stand now, by their ids: what is
// not among them any more closes by itself, with why.
func (inv *Inventory) KeepTasks(ctx context.Context, kind string, stand []Task, why string) error {
	stands := map[string]bool{}
	for _, t := range stand {
		stands[t.ID] = true
	}
	open := map[string]bool{}
	var over []string
	at := ""
	for {
		page, next, err := inv.Tasks(ctx, false, at, 0)
		if err != nil {
			return err
		}
		for _, t := range page {
			if t.Kind == kind {
				if open[t.ID] = true; !stands[t.ID] {
					over = append(over, t.ID)
				}
			}
		}
		if at = next; at == "" {
			break
		}
	}
	if len(over) == 0 && len(stand) == len(open) {
		return nil
	}
	return inv.do(ctx, func(b *batch) error {
		for _, id := range over {
			t, err := read(b, b.tasks, inv.cols.task, id)
			if err != nil || t == nil || t.Done != "" {
				return err
			}
			done := *t
			done.Done, done.DoneAt = "the server: "+why, b.now
			set(b, b.tasks, id, &done)
		}
		for _, t := range stand {
			if open[t.ID] {
				continue
			}
			old, err := read(b, b.tasks, inv.cols.task, t.ID)
			if err != nil {
				return err
			}
			if old != nil && strings.HasPrefix(old.Done, "the server: ") { // of another time
				set(b, b.tasks, t.ID, nil)
			}
			t.Kind = kind
			if err := b.ask(t.ID, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tasks lists open tasks, or all, by id.
func (inv *Inventory) Tasks(ctx context.Context, all bool, cursor string, limit int) ([]Task, string, error) {
	if limit <= 0 || limit > 1000 {
		limit = 100
	}
	q := store.Query[Task]{Cursor: cursor, Limit: limit}
	if !all {
		q.Keep = func(t Task) bool { return t.Done == "" }
	}
	var out []Task
	var next string
	err := inv.db.View(ctx, func(r store.Reader) error {
		page, err := inv.cols.task.List(r, q)
		for _, row := range page.Rows {
			out = append(out, row.Doc)
		}
		next = page.Next
		return err
	})
	return out, next, err
}

// CloseTask marks a task as decided by actor.
func (inv *Inventory) CloseTask(ctx context.Context, id, actor, decision string) (Task, error) {
	var out Task
	err := inv.do(ctx, func(b *batch) error {
		t, err := read(b, b.tasks, inv.cols.task, id)
		if err != nil {
			return err
		}
		if t == nil {
			return notTask(id)
		}
		if t.Done != "" {
			return doneTask(id, t.Done)
		}
		out = *t
		out.Done, out.DoneAt = actor+": "+decision, b.now
		set(b, b.tasks, id, &out)
		return nil
	})
	return out, err
}

func notTask(id string) error { return fault.NotFoundf("task %q does not exist", id) }

func doneTask(id, done string) error {
	return fault.Conflictf("task %q was closed already: %s", id, done)
}

// accept makes one item of those that an open task asks about, and returns its id.
func (b *batch) accept(t Task, other, actor string) (string, error) {
	inv := b.inv
	switch t.Kind {
	case TaskSiteKey:
		if err := b.setSiteKey(t.Site, t.SiteKey); err != nil {
			return "", err
		}
		t.Done, t.DoneAt = actor+": the site's key was replaced", b.now
		set(b, b.tasks, t.ID, &t)
		return "", nil
	case TaskContested, TaskClone, TaskProposal:
	default:
		return "", fault.Conflictf("a task of kind %s asks for no merge: close it with what was decided", t.Kind)
	}
	owner := inv.resolve(t.CI)
	var others []string
	for _, id := range t.Others {
		if id = inv.resolve(id); id != "" && id != owner && (other == "" || id == inv.resolve(other)) {
			others = append(others, id)
		}
	}
	switch {
	case owner == "" || len(others) == 0:
		return "", fault.Conflictf("task %q names no two items that are still apart: close it", t.ID)
	case len(others) > 1:
		return "", fault.Invalidf("other", "the task names %d items: say which of them it is", len(others))
	}
	if t.Kind == TaskProposal {
		w, l, err := b.pair(owner, others[0], false)
		if err != nil {
			return "", err
		}
		doc, err := b.merge(w, l, actor)
		if err != nil {
			return "", err
		}
		b.write(func(tx store.Tx) error { return inv.cols.merge.Put(tx, *doc) })
		return w.ID, b.closeTasks(w.ID, l.ID, actor+": accepted")
	}
	return owner, b.adopt(owner, others[0], actor)
}
