package app

import (
	"github.com/watchbill/watchbill/internal/engine"
	"github.com/watchbill/watchbill/internal/store"
)

// SchemaVersion of everything that is stored. Who raises it adds the migration from the
// version before to migrations, and a test of it on data in that version's layout.
const SchemaVersion = "2"

// migrations lead from each earlier schema version to the next.
func migrations() []store.Migration {
	return []store.Migration{
		{From: "1", To: "2", What: "alerts are stored in a binary form", Rows: []store.Rewrite{engine.AlertsWithoutJSON()}},
	}
}
