package webhook

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/outbox"
)

// Name is the sink's name.
func (*Webhooks) Name() string { return "webhooks" }

// Send makes a delivery of every message for every endpoint that wants it. Posting them is another
// job's: from here on an endpoint is waited for by its own deliveries only.
func (w *Webhooks) Send(ctx context.Context, ms []outbox.Message) []error {
	errs := make([]error, len(ms))
	endpoints, err := w.Endpoints(ctx)
	if err == nil {
		err = w.fanOut(ctx, endpoints, ms)
	}
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

func (w *Webhooks) fanOut(ctx context.Context, endpoints []*Endpoint, ms []outbox.Message) error {
	var rows [][]any
	now := w.now()
	for i, m := range ms {
		for _, e := range endpoints {
			if e.wants(m.Type) {
				rows = append(rows, deliveryRow(e.ID, m, now.Add(time.Duration(i)*sqldb.Precision), now))
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := w.db.Retry(ctx, func(tx *sqldb.Tx) error { return insertDeliveries(ctx, tx, rows) }); err != nil {
		return fmt.Errorf("hand messages to webhooks: %w", err)
	}
	w.cfg.Wake()
	return nil
}

var deliveryInsert = []string{
	"id", "endpoint", "message", "round", "machine", "subject", "version", "ordinal", "type", "status", "tries",
	"next_at", "problem", "created_at",
}

// deliveryRow is a new delivery. place puts it into the queue behind those before it.
func deliveryRow(endpoint string, m outbox.Message, place, now time.Time) []any {
	return []any{
		deliveryID(endpoint, m.ID, m.Replays), endpoint, m.ID, m.Replays, m.Machine, m.Subject, m.Version, m.Ordinal, m.Type,
		string(Pending), 0, place, "", now,
	}
}

// deliveryID is the same whenever the same message is handed over for the same endpoint.
func deliveryID(endpoint, message string, round int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", endpoint, message, round))
	return fmt.Sprintf("whd_%x", sum[:16])
}

// insertDeliveries leaves those alone that exist.
func insertDeliveries(ctx context.Context, tx *sqldb.Tx, rows [][]any) error {
	return tx.Merge(ctx, sqldb.Merge{
		Insert: sqldb.Insert{Table: "webhook_deliveries", Columns: deliveryInsert, Rows: rows},
		Key:    []string{"id"}, Replace: []string{"endpoint"}, // by itself
	})
}
