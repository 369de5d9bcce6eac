// Package inventory keeps the configuration items: it identifies what reports
// and imports speak of, reconciles what they say, persists the result and hands
// the engine the topology and change facts that follow, in one transaction. It
// owns every stored row about configuration items and the indexes over them. It
// refuses to decide what an alert means, and to be a second way of writing
// incidents.
package inventory

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watchbill/watchbill/cmdb"
	"github.com/watchbill/watchbill/internal/event"
	"github.com/watchbill/watchbill/internal/store"
)

// Journal is what the inventory needs of the journal: facts within its own transaction.
type Journal interface {
	Append(tx store.Tx, events ...event.Event) ([]event.Event, error)
}

// Options of an inventory. DB, Journal, Now and NewID must be given.
type Options struct {
	DB      store.DB
	Journal Journal
	Now     func() time.Time
	// NewID makes ids of configuration items and tasks: unique, printable, without spaces.
	NewID func() string
	Rules Rules
	// EdgeTTL and ServiceTTL are how long an edge or a service outlives the last
	// report that had it: a stopped service still has dependents, and alerts name
	// it just then. 0 means a week.
	EdgeTTL, ServiceTTL time.Duration
	Logger              *slog.Logger
}

// Inventory is the store of configuration items. All methods are safe for
// concurrent use. Writes of many callers share one transaction.
type Inventory struct {
	db      store.DB
	journal Journal
	now     func() time.Time
	newID   func() string
	rules   atomic.Pointer[Rules]
	edgeTTL time.Duration
	svcTTL  time.Duration
	log     *slog.Logger
	cols    collections

	mu      sync.RWMutex // guards mem, soft, overlay, settled, unsettled; only the leading writer takes it for writing
	mem     *memory
	soft    *software
	words   *interner
	peers   map[uint32]*posting // address (interned) → hosts that have connections with it
	unseen  map[string]fading
	unsaved map[uint32]struct{} // hosts whose last-seen time is newer than the stored one
	overlay *batch
	merged  map[string]string
	left    map[string]int // machines of which a part is left to be written, and where it begins
	// settled is the digest of the rules under which items are settled, unsettled
	// the next one to settle, counting from 1; 0: all are.
	settled   string
	unsettled int
	// retell is set while items that were settled by an earlier version are told to the
	// engine again, because it reads more of them now.
	retell bool

	forgot  bool // edges of an older version that are refused now are gone
	watch   *watch
	line    line
	seq     atomic.Uint64
	stats   counters
	readers readers
}

// fading is an edge that no report shows any more: since when, and the weight that
// the engine was told of last.
type fading struct {
	since time.Time
	told  float64
}

type collections struct {
	ci       *store.Collection[cmdb.CI]
	relation *store.Collection[cmdb.Relation]
	host     *store.Collection[hostDoc]
	section  *store.Collection[sectionDoc]
	pkg      *store.Collection[packageDoc]
	history  *store.Collection[Entry]
	task     *store.Collection[Task]
	seen     *store.Collection[seenDoc]
	site     *store.Collection[siteDoc]
	merge    *store.Collection[mergeDoc]
	view     *store.Collection[View]
	rules    *store.Collection[rulesDoc]
}

// seenDoc keeps the last-seen time of a machine apart from its document, which
// would otherwise be written with every report.
type seenDoc struct {
	CI string `json:"ci"`
	At int64  `json:"at"`
}

// New opens the inventory and reads its indexes from the database.
func New(ctx context.Context, o Options) (*Inventory, error) {
	inv := &Inventory{
		db: o.DB, journal: o.Journal, now: o.Now, newID: o.NewID, edgeTTL: o.EdgeTTL, svcTTL: o.ServiceTTL, log: o.Logger,
		unseen: map[string]fading{}, peers: map[uint32]*posting{}, unsaved: map[uint32]struct{}{}, merged: map[string]string{}, left: map[string]int{},
		mem: newMemory(), soft: newSoftware(), words: newInterner(), watch: newWatch(o.Now()),
	}
	rules, err := o.Rules.withDefaults()
	if err != nil {
		return nil, err
	}
	inv.rules.Store(&rules)
	if inv.edgeTTL == 0 {
		inv.edgeTTL = 7 * 24 * time.Hour
	}
	if inv.svcTTL == 0 {
		inv.svcTTL = 7 * 24 * time.Hour
	}
	if inv.log == nil {
		inv.log = slog.New(slog.DiscardHandler)
	}
	inv.cols = collections{
		ci:       store.NewCollection("ci", func(c cmdb.CI) string { return c.ID }),
		relation: store.NewCollection("relation", func(r cmdb.Relation) string { return r.ID() }),
		host:     store.NewCollection("agenthost", func(h hostDoc) string { return h.CI }),
		section:  store.NewCollection("section", func(s sectionDoc) string { return s.CI + " " + s.Name }),
		pkg:      store.NewCollection("package", func(p packageDoc) string { return p.ID }),
		history:  store.NewCollection("cihistory", func(e Entry) string { return e.ID }),
		task:     store.NewCollection("citask", func(t Task) string { return t.ID }),
		merge:    store.NewCollection("cimerge", func(m mergeDoc) string { return m.ID }),
		view:     store.NewCollection("ciview", func(v View) string { return v.Name }),
		site:     store.NewCollection("meshsite", func(s siteDoc) string { return s.Name }),
		rules:    store.NewCollection("cirules", func(r rulesDoc) string { return r.ID }),
		seen:     store.NewCollection("ciseen", func(s seenDoc) string { return s.CI }),
	}
	for _, t := range rules.Registry.Relations() {
		inv.mem.kind(t.Name) // all of them now: readers ask without the writers' lock
	}
	if err := inv.load(ctx); err != nil {
		return nil, fmt.Errorf("open inventory: %w", err)
	}
	if err := inv.db.View(ctx, inv.checkSettled); err != nil {
		return nil, fmt.Errorf("open inventory: %w", err)
	}
	return inv, nil
}

// interner gives strings that repeat across machines small numbers. It only
// grows: its values are unit names and addresses.
type interner struct {
	ids   map[string]uint32
	texts []string
}

func newInterner() *interner { return &interner{ids: map[string]uint32{}} }

func (in *interner) id(s string) uint32 {
	if id, ok := in.ids[s]; ok {
		return id
	}
	id := uint32(len(in.texts))
	s = string(append([]byte(nil), s...))
	in.texts = append(in.texts, s)
	in.ids[s] = id
	return id
}
