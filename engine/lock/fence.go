package lock

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// Enforce holds a lease against those that came after it, in the transaction of what its holder writes.
// The table engine_leases remembers the greatest fence that has been here; a holder with a smaller one
// was paused or cut off, somebody else has taken over, and the error matches ErrLost: roll back. It
// serves every Locker, as long as one name is locked with one kind of Locker.
//
// The row stays locked until the transaction ends, so holders who meet write one after the other.
func Enforce(ctx context.Context, tx *gorm.DB, l *Lease) error {
	joined, err := sqldb.Join(tx)
	if err != nil {
		return err
	}
	newest, known, err := newestFence(ctx, joined, l.name)
	switch {
	case err != nil:
	case !known: // a twin that inserts as well fails on the key: that transaction is run again
		err = joined.Insert(ctx, sqldb.Insert{Table: "engine_leases", Columns: []string{"name", "owner", "fence", "until_at"},
			Rows: [][]any{{l.name, "", l.fence, 0}}})
	case newest > l.fence:
		return fmt.Errorf("%w: %s has been taken over with the fence %d, this one has %d", ErrLost, l.name, newest, l.fence)
	case newest < l.fence:
		_, err = joined.Exec(ctx, "UPDATE engine_leases SET fence = ? WHERE name = ?", l.fence, l.name)
	}
	if err != nil {
		return fmt.Errorf("lock %s: enforce its fence: %w", l.name, err)
	}
	return nil
}

func newestFence(ctx context.Context, tx *sqldb.Tx, name string) (fence int64, known bool, err error) {
	query := "SELECT fence FROM engine_leases WHERE name = ?"
	if tx.Dialect() == sqldb.MySQL {
		query += " FOR UPDATE"
	}
	err = tx.Each(ctx, query, []any{name}, func(rows *sql.Rows) error {
		known = true
		return rows.Scan(&fence)
	})
	return fence, known, err
}

// Fenced is a condition for the WHERE of a write, with its argument values, for leases of a SQL: it
// holds while nobody has taken the lease after the holder of the fence. A fence of 0 is that of a
// process without others.
func Fenced(name string, fence int64) (condition string, args []any) {
	return "(? = 0 OR EXISTS (SELECT 1 FROM engine_leases WHERE name = ? AND fence = ?))", []any{fence, name, fence}
}
