package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/cmd/orderd/internal/database"
)

// handDDL is what a team would make for orders that move.
var handDDL = []string{
	`CREATE TABLE %s_orders (
  id VARBINARY(64) NOT NULL, status VARBINARY(32) NOT NULL, version BIGINT NOT NULL, amount BIGINT NOT NULL,
  currency VARCHAR(3) NOT NULL, customer_ref VARCHAR(190) NOT NULL, created_at DATETIME(6) NOT NULL, updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id))`,
}

// recordDDL is what goes with every change: a history with unique request numbers, and an outbox.
var recordDDL = []string{
	`CREATE TABLE %s_history (
  order_id VARBINARY(64) NOT NULL, version BIGINT NOT NULL, event VARBINARY(64) NOT NULL, from_status VARBINARY(32) NOT NULL,
  to_status VARBINARY(32) NOT NULL, source VARBINARY(128) NOT NULL, seq VARBINARY(255) NOT NULL, actor VARCHAR(190) NOT NULL,
  at DATETIME(6) NOT NULL, PRIMARY KEY (order_id, version), UNIQUE (source, seq))`,
	`CREATE TABLE %s_outbox (
  order_id VARBINARY(64) NOT NULL, version BIGINT NOT NULL, type VARBINARY(128) NOT NULL, data TEXT NOT NULL,
  status VARBINARY(16) NOT NULL, created_at DATETIME(6) NOT NULL, PRIMARY KEY (order_id, version))`,
	`CREATE INDEX %[1]s_queue ON %[1]s_outbox (status, created_at)`,
}

// hand is database/sql as people write it: one transaction per request.
type hand struct {
	label  string
	site   *site
	prefix string // of its tables
	pool   *sql.DB
	gorm   *gorm.DB // on the same connections
	conn   int
	full   bool // with the message, as the engine has it; without it only update and history
	hot    bool // all callers on one order, which is locked while it is read
	supply supply
	acked  atomic.Int64
}

func (r *run) newHand(ctx context.Context, s *site, label, prefix string) (*hand, error) {
	own, err := r.byHand(ctx, s, label, prefix, slices.Concat(handDDL, recordDDL))
	if err != nil {
		return nil, err
	}
	h := &hand{label: label, site: s, prefix: prefix, pool: own.Pool, gorm: own.Gorm, full: true}
	s.counts = append(s.counts,
		count{query: "SELECT COUNT(*) FROM " + prefix + "_history", acked: h.acked.Load},
		count{query: "SELECT COALESCE(SUM(version - 1), 0) FROM " + prefix + "_orders", acked: h.acked.Load})
	return h, nil
}

// byHand makes tables with a prefix, and a pool whose number of connections is its own affair.
func (r *run) byHand(ctx context.Context, s *site, label, prefix string, tables []string) (*database.Database, error) {
	own, err := database.OpenUnchecked(s.setting)
	if err != nil {
		return nil, err
	}
	r.atEnd(own.Close)
	for _, ddl := range tables {
		if err := s.table(ctx, fmt.Sprintf(ddl, prefix)); err != nil {
			return nil, fmt.Errorf("tables of %s: %w", label, err)
		}
	}
	return own, nil
}

func (h *hand) name() string { return h.label }
func (h *hand) conns() int   { return h.conn }

// use sets how many connections the next turns may have.
func (h *hand) use(conns int) {
	h.conn = conns
	h.pool.SetMaxOpenConns(conns)
	h.pool.SetMaxIdleConns(conns)
}

func (h *hand) prepare(ctx context.Context, callers, requests int) error {
	if h.conn > 0 {
		h.use(h.conn)
	}
	n := requests/steps + callers
	if h.hot {
		n = 1
	}
	ids := make([]string, 0, n)
	rows := make([][]any, 0, n)
	now := time.Now()
	for range n {
		o := newOrder()
		ids = append(ids, o.ID)
		rows = append(rows, []any{o.ID, o.Status, o.Version, o.Amount, o.Currency, o.CustomerRef, now, now})
	}
	if err := insertMany(ctx, h.pool, h.prefix+"_orders", rows); err != nil {
		return err
	}
	h.supply.fill(callers, ids)
	return nil
}

// insertMany writes rows with statements of up to 1,000.
func insertMany(ctx context.Context, to execer, table string, rows [][]any) error {
	for len(rows) > 0 {
		n := min(bulkRows, len(rows))
		if err := insertOnce(ctx, to, table, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func insertOnce(ctx context.Context, to execer, table string, rows [][]any) error {
	row := "(?" + strings.Repeat(",?", len(rows[0])-1) + ")"
	args := make([]any, 0, len(rows)*len(rows[0]))
	for _, r := range rows {
		args = append(args, r...)
	}
	_, err := to.ExecContext(ctx, "INSERT INTO "+table+" VALUES "+row+strings.Repeat(","+row, len(rows)-1), args...)
	return err
}

func (h *hand) step(ctx context.Context, caller, n int) error {
	if h.hot {
		return h.move(ctx, h.supply.ids[0], noteEvent, states[0], states[0], h.lock())
	}
	id, step, err := h.supply.take(caller, n)
	if err != nil {
		return err
	}
	return h.move(ctx, id, events[step], states[step], states[step+1], "")
}

func (h *hand) lock() string {
	if h.site.mysql {
		return " FOR UPDATE"
	}
	return ""
}

var errStale = errors.New("the order is elsewhere")

// move is one transition: begin, select, update, insert, insert, commit.
func (h *hand) move(ctx context.Context, id, event, from, to, lock string) error {
	tx, err := h.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	o := order{ID: id}
	if h.full {
		if err := tx.QueryRowContext(ctx, "SELECT status, version, amount, currency FROM "+h.prefix+"_orders WHERE id = ?"+lock, id).
			Scan(&o.Status, &o.Version, &o.Amount, &o.Currency); err != nil {
			return err
		}
		if o.Status != from || o.Amount <= 0 {
			return errStale
		}
	}
	now := time.Now()
	query, args := "UPDATE "+h.prefix+"_orders SET status = ?, version = version + 1, updated_at = ? WHERE id = ? "+
		"AND status = ?", []any{to, now, id, from}
	if h.full {
		query, args = query+" AND version = ?", append(args, o.Version)
	}
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errStale, err)
	}
	if !h.full {
		o.Version = versionOf(to) - 1
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO "+h.prefix+"_history VALUES (?,?,?,?,?,?,?,?,?)",
		id, o.Version+1, event, from, to, source, newSeq(), "bench", now)
	if err != nil {
		return err
	}
	if h.full {
		data, err := json.Marshal(message{ID: id, Amount: o.Amount, Currency: o.Currency})
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO "+h.prefix+"_outbox VALUES (?,?,?,?,?,?)",
			id, o.Version+1, "order."+to, string(data), "pending", now)
		if err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	h.acked.Add(1)
	return nil
}

// versionOf is the version of an order that went straight to a state.
func versionOf(state string) int64 {
	for i, s := range states {
		if s == state {
			return int64(i) + 1
		}
	}
	return 0
}
