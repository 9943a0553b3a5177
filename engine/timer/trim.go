package timer

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// trimMax bounds one Trim.
const trimMax = 1000

// ended is to what has ended as armed is to what is armed.
const ended = "COALESCE(status, '') IN ('fired', 'stopped')"

// Trim removes up to limit timers that ended longer than keep ago, and returns how many.
func (t *Timers) Trim(ctx context.Context, keep time.Duration, limit int) (int, error) {
	var old []timer
	for _, status := range []string{"fired", "stopped"} {
		err := t.db.Each(ctx, "SELECT machine, subject, entered, name, arming FROM engine_timers WHERE status = ? AND "+
			"next_at < ? ORDER BY next_at LIMIT "+
			strconv.Itoa(min(max(limit, 1), trimMax)), []any{status, t.now().Add(-keep)}, func(rows *sql.Rows) error {
			var one timer
			err := rows.Scan(&one.machine, &one.subject, &one.entered, &one.name, &one.arming)
			old = append(old, one)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("timer: find old ones: %w", err)
		}
	}
	removed := 0
	err := t.db.Retry(ctx, func(tx *sqldb.Tx) error {
		removed = 0
		for part := range slices.Chunk(old, queryChunk) {
			var args []any
			for _, one := range part {
				args = append(args, one.place()...)
			}
			n, err := tx.Exec(ctx, "DELETE FROM engine_timers WHERE "+ended+" AND "+places(len(part)), args...)
			if err != nil {
				return err
			}
			removed += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("timer: remove old ones: %w", err)
	}
	return removed, nil
}
