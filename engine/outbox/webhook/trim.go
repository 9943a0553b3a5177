package webhook

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// trimMax bounds one Trim.
const trimMax = 1000

// Trim removes up to limit deliveries that have not moved for longer than keep, with their posts:
// those that ended, and those that wait for an endpoint that is disabled. It returns how many.
func (w *Webhooks) Trim(ctx context.Context, keep time.Duration, limit int) (int, error) {
	var ids []any
	err := w.db.Each(ctx, `SELECT d.id FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint
		WHERE d.next_at < ? AND (d.status IN ('delivered', 'failed', 'cancelled') OR e.status = 'disabled')
		UNION ALL SELECT d.id FROM webhook_deliveries d LEFT JOIN webhook_endpoints e ON e.id = d.endpoint WHERE d.next_at < ? AND e.id IS NULL
		LIMIT `+strconv.Itoa(min(max(limit, 1), trimMax)), []any{w.now().Add(-keep), w.now().Add(-keep)}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	err = w.db.Retry(ctx, func(tx *sqldb.Tx) error {
		for _, table := range []string{"webhook_attempts WHERE delivery", "webhook_deliveries WHERE id"} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+" IN ("+placeholders(len(ids))+")", ids...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("remove old webhook deliveries: %w", err)
	}
	return len(ids), nil
}

// scanInto collects texts.
func scanInto(set map[string]bool) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		set[text] = true
		return err
	}
}
