package live

import (
	"context"

	"ldapsync/scenario"
)

// journal returns the records about the entries of the scenario; false where the
// daemon cannot be asked for them.
func (r *run) journal(context.Context, int) ([]scenario.Record, bool, error) { return nil, false, nil }
