package badgerdb

import (
	_ "unsafe" // for go:linkname

	"github.com/dgraph-io/badger/v4"
)

// Badger has no public way to let compactions rest: docs/adr/0024-compactions-rest.md
// says what was looked at. These two are all that this program takes of Badger's
// insides; a Badger without them does not link, and TestRest fails where they do
// something else.
//
//go:linkname stopCompactions github.com/dgraph-io/badger/v4.(*DB).stopCompactions
func stopCompactions(b *badger.DB)

//go:linkname startCompactions github.com/dgraph-io/badger/v4.(*DB).startCompactions
func startCompactions(b *badger.DB)

// Rest lets compactions rest while the disk has no room, or go on. They write tables
// in the background, through memory, whatever the disk has left. It returns when what
// was under way has ended.
func (db *DB) Rest(yes bool) {
	if db.dir == "" || db.enter() != nil {
		return
	}
	defer db.users.Done()
	db.rest(yes)
}

func (db *DB) rest(yes bool) {
	db.restMu.Lock()
	defer db.restMu.Unlock()
	switch {
	case yes && !db.resting:
		stopCompactions(db.b)
	case !yes && db.resting:
		startCompactions(db.b)
	}
	db.resting = yes
}
