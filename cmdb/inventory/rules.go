package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/cmdb/report"
	"github.com/watchbill/watchbill/internal/store"
)

// Rules are what configuration says about the inventory. They are immutable, and
// replaced whole by Reload. The zero value is the built-in ones.
type Rules struct {
	Registry  *cmdb.Registry  // nil: the built-in classes
	Authority *cmdb.Authority // nil: the defaults
	Schedule  report.Schedule // what agents are told
	// Prometheus are asked for coverage; none: coverage is refused.
	Prometheus []*Prometheus
}

func (r Rules) withDefaults() (Rules, error) {
	var err error
	if r.Registry == nil {
		if r.Registry, err = cmdb.NewRegistry(); err != nil {
			return r, fmt.Errorf("built-in classes: %w", err)
		}
	}
	if r.Authority == nil {
		if r.Authority, err = cmdb.NewAuthority(r.Registry, nil, nil); err != nil {
			return r, fmt.Errorf("built-in authority: %w", err)
		}
	}
	return r, nil
}

// digest tells whether stored items were settled under these rules.
func (r Rules) digest() (string, error) {
	b, err := json.Marshal([]any{r.Registry.Classes(), r.Authority, toldOf()})
	if err != nil {
		return "", fmt.Errorf("digest the rules of the inventory: %w", err)
	}
	h := fnv.New64a()
	h.Write(b)
	return strconv.FormatUint(h.Sum64(), 16), nil
}

// rulesDoc remembers under which rules every stored item was settled last.
type rulesDoc struct {
	ID     string `json:"id"`
	Digest string `json:"digest"`
	// Told are the attributes of which the engine was told.
	Told string `json:"told,omitempty"`
}

const rulesID = "settled"

// Reload puts other rules in force. What is written from now on follows them; the
// stored items are settled again by the next ticks, a part with each, so that a
// reload does not stop the reports of a large fleet.
func (inv *Inventory) Reload(r Rules) error {
	r, err := r.withDefaults()
	if err != nil {
		return err
	}
	digest, err := r.digest()
	if err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for _, t := range r.Registry.Relations() {
		inv.mem.kind(t.Name)
	}
	inv.rules.Store(&r)
	if digest != inv.settled {
		inv.unsettled, inv.settled = 1, digest
	}
	return nil
}

// Registry returns the classes and relation types in force.
func (inv *Inventory) Registry() *cmdb.Registry { return inv.rules.Load().Registry }

// Schedule is what agents are told.
func (inv *Inventory) Schedule() report.Schedule { return inv.rules.Load().Schedule }

// checkSettled compares the rules in force with those of the newest settling.
func (inv *Inventory) checkSettled(r store.Reader) error {
	digest, err := inv.rules.Load().digest()
	if err != nil {
		return err
	}
	row, ok, err := inv.cols.rules.Find(r, rulesID)
	if err != nil {
		return err
	}
	inv.settled = digest
	inv.retell = ok && row.Doc.Told != toldOf()
	if !ok || row.Doc.Digest != digest {
		inv.unsettled = 1
	}
	return nil
}

// settleMax is how many items one tick settles.
const settleMax = 5000

// settle brings stored items to the rules in force: who has the word for each
// field, what is required, and what the engine is told of them.
func (inv *Inventory) settle(ctx context.Context) error {
	inv.mu.RLock()
	from, digest := inv.unsettled, inv.settled
	end := min(from-1+settleMax, len(inv.mem.entries))
	inv.mu.RUnlock()
	if from == 0 {
		return nil
	}
	for o := from - 1; o < end; o += importChunk {
		err := inv.do(ctx, func(b *batch) error {
			for n := o; n < min(o+importChunk, end); n++ {
				if err := b.settle(uint32(n)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("settle items under the rules in force: %w", err)
		}
	}
	inv.mu.Lock()
	if inv.settled != digest || inv.unsettled != from { // reloaded meanwhile: it begins again
		inv.mu.Unlock()
		return nil
	}
	inv.unsettled = end + 1
	done := end == len(inv.mem.entries)
	if done {
		inv.unsettled, inv.retell = 0, false
	}
	inv.mu.Unlock()
	if !done {
		return nil
	}
	return inv.db.Update(ctx, func(tx store.Tx) error { return inv.cols.rules.Put(tx, rulesDoc{rulesID, digest, toldOf()}) })
}

func (b *batch) settle(o uint32) error {
	inv := b.inv
	id := inv.mem.entries[o].id
	if id == "" {
		return nil
	}
	old, err := b.ci(id)
	if err != nil || old == nil {
		return err
	}
	c := old.Clone()
	rules := inv.rules.Load()
	rules.Authority.Settle(c, inv.heard(c), b.now)
	_, missing := rules.Registry.Complete(c.Class, c.Attributes)
	if slices.Equal(missing, old.Incomplete) && cmdb.SameClaims(old.Claims, c.Claims) && len(cmdb.DiffCIs(old, c)) == 0 {
		if inv.retell {
			b.retell(old)
		}
		return nil
	}
	b.putCI(old, c, "configuration")
	if inv.retell {
		b.retell(c)
	}
	return nil
}
