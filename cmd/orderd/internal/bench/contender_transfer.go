package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
)

// funds are more than any run moves, in cents.
const funds = 1 << 50

// payer makes transfers with the ledger, all out of one account, to one account for each caller.
type payer struct {
	label  string
	ledger *ledger.Ledger
	from   string
	to     []string
}

var payerCaller = orders.Caller{Principal: "bench", Actor: "bench"}

func (p *payer) name() string { return p.label }

func (p *payer) prepare(ctx context.Context, callers, _ int) error {
	if p.from == "" {
		from, err := p.open(ctx)
		if err != nil {
			return err
		}
		if _, _, err := p.ledger.Deposit(ctx, payerCaller, newSeq(), from, funds, "bench"); err != nil {
			return err
		}
		p.from = from
	}
	for len(p.to) < callers {
		to, err := p.open(ctx)
		if err != nil {
			return err
		}
		p.to = append(p.to, to)
	}
	return nil
}

func (p *payer) open(ctx context.Context) (string, error) {
	a, _, err := p.ledger.Open(ctx, payerCaller, "", ledger.NewAccount{Owner: id.New("own"), Kind: ledger.Money, Currency: "EUR"})
	return a.ID, err
}

func (p *payer) step(ctx context.Context, caller, _ int) error {
	_, result, err := p.ledger.Move(ctx, payerCaller, newSeq(), ledger.NewTransfer{From: p.from, To: p.to[caller],
		Amount: 1, Currency: "EUR"})
	if err == nil && result.Outcome != engine.Applied {
		err = fmt.Errorf("a new transfer was answered with %s/%s", result.Outcome, result.Detail)
	}
	return err
}

// tellerDDL is what a team would make for money between accounts, in double entry.
var tellerDDL = []string{
	`CREATE TABLE %s_accounts (
  id VARBINARY(64) NOT NULL, owner VARCHAR(190) NOT NULL, currency VARCHAR(3) NOT NULL, balance BIGINT NOT NULL,
  created_at DATETIME(6) NOT NULL, updated_at DATETIME(6) NOT NULL, PRIMARY KEY (id))`,
	`CREATE TABLE %s_transfers (
  id VARBINARY(64) NOT NULL, status VARBINARY(32) NOT NULL, from_id VARBINARY(64) NOT NULL, to_id VARBINARY(64) NOT NULL,
  amount BIGINT NOT NULL, currency VARCHAR(3) NOT NULL, created_at DATETIME(6) NOT NULL, PRIMARY KEY (id))`,
	`CREATE TABLE %s_entries (
  account_id VARBINARY(64) NOT NULL, transfer_id VARBINARY(64) NOT NULL, amount BIGINT NOT NULL, at DATETIME(6) NOT NULL,
  PRIMARY KEY (account_id, transfer_id))`,
}

// teller is a transfer as people write it: one transaction for each, which locks both rows.
type teller struct {
	label  string
	site   *site
	prefix string // of its tables
	pool   *sql.DB
	conn   int
	from   string
	to     []string
	acked  atomic.Int64
}

func (t *teller) name() string { return t.label }
func (t *teller) conns() int   { return t.conn }

// use sets how many connections the next turns may have.
func (t *teller) use(conns int) {
	t.conn = conns
	t.pool.SetMaxOpenConns(conns)
	t.pool.SetMaxIdleConns(conns)
}

func (t *teller) prepare(ctx context.Context, callers, _ int) error {
	var rows [][]any
	open := func(balance int64) string {
		account := id.New("acc")
		rows = append(rows, []any{account, "owner of " + account, "EUR", balance, time.Now(), time.Now()})
		return account
	}
	if t.from == "" {
		t.from = open(funds)
	}
	for len(t.to) < callers {
		t.to = append(t.to, open(0))
	}
	return insertMany(ctx, t.pool, t.prefix+"_accounts", rows)
}

var errShort = errors.New("the balance is too short")

// step is one transfer: begin, select for update, two updates, insert transfer, entries, history and
// message, commit.
func (t *teller) step(ctx context.Context, caller, _ int) error {
	const amount = 1
	tx, err := t.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	from, to := t.from, t.to[caller]
	balance, err := t.lock(ctx, tx, from, to)
	if err != nil {
		return err
	}
	if balance[from] < amount {
		return errShort
	}
	now := time.Now()
	balance[from] -= amount
	balance[to] += amount
	for _, account := range []string{from, to} {
		_, err := tx.ExecContext(ctx, "UPDATE "+t.prefix+"_accounts SET balance = ?, updated_at = ? WHERE id = ?",
			balance[account], now, account)
		if err != nil {
			return err
		}
	}
	transfer := id.New("trf")
	data, err := json.Marshal(map[string]any{"id": transfer, "from": from, "to": to, "amount": amount, "currency": "EUR"})
	if err != nil {
		return err
	}
	for _, in := range []struct {
		table string
		rows  [][]any
	}{
		{"_transfers", [][]any{{transfer, "succeeded", from, to, amount, "EUR", now}}},
		{"_entries", [][]any{{from, transfer, -amount, now}, {to, transfer, amount, now}}},
		{"_history", [][]any{{transfer, 1, "transfer", "", "succeeded", source, newSeq(), "bench", now}}},
		{"_outbox", [][]any{{transfer, 1, "transfer.succeeded", string(data), "pending", now}}},
	} {
		if err := insertOnce(ctx, tx, t.prefix+in.table, in.rows); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	t.acked.Add(1)
	return nil
}

// lock reads the balances of two accounts and locks their rows, in the order of their keys.
func (t *teller) lock(ctx context.Context, tx *sql.Tx, from, to string) (map[string]int64, error) {
	query := "SELECT id, balance FROM " + t.prefix + "_accounts WHERE id IN (?, ?) ORDER BY id"
	if t.site.mysql {
		query += " FOR UPDATE"
	}
	rows, err := tx.QueryContext(ctx, query, from, to)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	balance := map[string]int64{}
	for rows.Next() {
		var account string
		var cents int64
		if err := rows.Scan(&account, &cents); err != nil {
			return nil, err
		}
		balance[account] = cents
	}
	if len(balance) != 2 {
		return nil, errors.Join(errors.New("an account is missing"), rows.Err())
	}
	return balance, rows.Err()
}

func (r *run) newTeller(ctx context.Context, s *site) (*teller, error) {
	const prefix = "teller"
	t := &teller{label: "hand-written, locked rows", site: s, prefix: prefix}
	own, err := r.byHand(ctx, s, t.label, prefix, slices.Concat(tellerDDL, recordDDL))
	if err != nil {
		return nil, err
	}
	t.pool = own.Pool
	s.counts = append(s.counts,
		count{query: "SELECT COUNT(*) FROM teller_history", acked: t.acked.Load},
		count{query: "SELECT COUNT(*) FROM teller_outbox", acked: t.acked.Load},
		count{query: "SELECT COALESCE(SUM(balance), 0) FROM teller_accounts WHERE balance < 1000000000000", acked: t.acked.Load})
	return t, nil
}
