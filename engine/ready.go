package engine

import (
	"context"
	"database/sql"

	"example.com/orderd/engine/internal/sqldb"
)

// Ready reads history as requests do, and returns the error that they would meet. A server that answers a
// ping may refuse that, such as a node that has lost its cluster.
func (e *Engine) Ready(ctx context.Context) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	nothing := func(*sql.Rows) error { return nil }
	return e.db.Read(ctx, []sqldb.Reading{
		{Query: "SELECT version FROM engine_schema WHERE component = ?", Args: []any{Schema.Name}, Row: nothing},
		{Query: "SELECT version FROM engine_transitions WHERE source = ? AND seq = ?", Args: []any{"", ""}, Row: nothing},
	})
}
