package webhook

import (
	"context"
	"fmt"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/outbox"
)

// recoverMax bounds one Recover, in messages.
const recoverMax = 100_000

// Recover asks once more for what an endpoint has missed: deliveries that failed, and messages that
// were sent while it was disabled or did not exist. since and until are times of the transition;
// until may be zero. It returns how many deliveries it asked for. Calling it again asks again for
// what has failed again, and for nothing else.
func (w *Webhooks) Recover(ctx context.Context, id string, since, until time.Time) (int, error) {
	e, err := w.Endpoint(ctx, id)
	if err != nil {
		return 0, err
	}
	if since.IsZero() {
		return 0, &engine.RequestError{Field: "since", Problem: "missing"}
	}
	if e.Status != Enabled {
		return 0, &engine.RequestError{Field: "id", Problem: "the endpoint is disabled: enable it first"}
	}
	queue, err := outbox.NewQueue(ctx, w.db.Gorm(ctx), w.cfg.Now)
	if err != nil {
		return 0, err
	}
	asked := 0
	f := outbox.Filter{From: since, To: until, Status: outbox.Sent, Limit: 200}
	for n := 0; n < recoverMax; {
		page, err := queue.List(ctx, f)
		if err != nil {
			return asked, err
		}
		part, err := w.recover(ctx, e, page.Messages)
		if asked += part; err != nil {
			return asked, err
		}
		n += len(page.Messages)
		if f.Cursor = page.NextCursor; f.Cursor == "" {
			break
		}
	}
	if asked > 0 {
		w.cfg.Wake()
	}
	return asked, nil
}

// recover asks for the deliveries of some messages.
func (w *Webhooks) recover(ctx context.Context, e *Endpoint, ms []outbox.Message) (asked int, err error) {
	now := w.now()
	var rows [][]any
	ids := []any{}
	for i, m := range ms {
		if e.wants(m.Type) {
			// The list has the latest message first; the queue wants it last.
			rows = append(rows, deliveryRow(e.ID, m, now.Add(time.Duration(len(ms)-i)*sqldb.Precision), now))
			ids = append(ids, deliveryID(e.ID, m.ID, m.Replays))
		}
	}
	if len(rows) == 0 {
		return 0, nil
	}
	err = w.db.Retry(ctx, func(tx *sqldb.Tx) error {
		known := map[string]bool{}
		err := tx.Each(ctx, "SELECT id FROM webhook_deliveries WHERE id IN ("+placeholders(len(ids))+")", ids, scanInto(known))
		if err != nil {
			return err
		}
		var missing [][]any
		for _, row := range rows {
			if !known[row[0].(string)] {
				missing = append(missing, row)
			}
		}
		asked = len(missing)
		if len(missing) > 0 {
			if err := insertDeliveries(ctx, tx, missing); err != nil {
				return err
			}
		}
		again, err := tx.Exec(ctx, "UPDATE webhook_deliveries SET status = 'retrying', tries = 0, next_at = ? WHERE status "+
			"IN ('failed', 'cancelled') AND id IN ("+
			placeholders(len(ids))+")", append([]any{now}, ids...)...)
		asked += int(again)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("recover deliveries: %w", err)
	}
	return asked, nil
}
