package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/schema"
)

// bulkRows is how many rows one statement of a bulk load has.
const bulkRows = 1000

// bulk loads what the engine writes, the order's row, its history row and its message, in statements
// of 1,000 rows with one commit for the three. It decides nothing and checks nothing: the ceiling.
type bulk struct {
	site  *site
	acked atomic.Int64
}

func newBulk(ctx context.Context, s *site) (*bulk, error) {
	ddl := strings.NewReplacer("engine_transitions", "bulk_history", "engine_messages", "bulk_messages").Replace(engine.Schema.DDL)
	for _, statement := range schema.Statements(ddl) {
		if !strings.HasPrefix(statement, "CREATE TABLE bulk_") {
			continue
		}
		statements := []string{statement}
		if !s.mysql {
			derived, err := schema.SQLite(statement + ";")
			if err != nil {
				return nil, err
			}
			statements = derived
		}
		for _, ddl := range statements {
			if err := s.table(ctx, ddl); err != nil {
				return nil, fmt.Errorf("tables of bulk: %w", err)
			}
		}
	}
	if err := s.table(ctx, fmt.Sprintf(handDDL[0], "bulk")); err != nil {
		return nil, fmt.Errorf("tables of bulk: %w", err)
	}
	b := &bulk{site: s}
	s.counts = append(s.counts, count{query: "SELECT COUNT(*) FROM bulk_history", acked: b.acked.Load})
	return b, nil
}

func (b *bulk) name() string { return "bulk load" }

// weight is how many transitions one step stands for.
func (b *bulk) weight() int64 { return bulkRows }

func (b *bulk) prepare(context.Context, int, int) error { return nil }

// bulkHistory and bulkMessages are the columns that a transition fills.
const (
	bulkHistory = "bulk_history (machine, subject, version, event, from_status, to_status, source, seq, fingerprint, " +
		"nonce, actor, reason, input, messages, machine_version, at, hash)"
	bulkMessages = "bulk_messages (machine, subject, version, ordinal, type, data, next_at, created_at, hash)"
	insertHead   = "INSERT INTO "
)

// step loads 1,000 transitions.
func (b *bulk) step(ctx context.Context, _, _ int) error {
	now := time.Now()
	var orders, history, messages [][]any
	print := make([]byte, 32)
	_, _ = rand.Read(print) // never fails, says its documentation
	for i := range bulkRows {
		o := newOrder()
		data, err := json.Marshal(message{ID: o.ID, Amount: o.Amount, Currency: o.Currency})
		if err != nil {
			return err
		}
		orders = append(orders, []any{o.ID, o.Status, o.Version, o.Amount, o.Currency, o.CustomerRef, now, now})
		history = append(history, []any{
			machineName, o.ID, 2, "pay", "placed", "paid", source, newSeq(), print, int64(i) << 40, "bench", "", nil, 1,
			"0123456789abcdef0123456789abcdef", now, print[:16],
		})
		messages = append(messages, []any{machineName, o.ID, 2, 1, "order.paid", string(data), now, now, print[:16]})
	}
	tx, err := b.site.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, in := range []struct {
		into string
		rows [][]any
	}{{"bulk_orders", orders}, {bulkHistory, history}, {bulkMessages, messages}} {
		if err := insertOnce(ctx, tx, in.into, in.rows); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	b.acked.Add(bulkRows)
	return nil
}
