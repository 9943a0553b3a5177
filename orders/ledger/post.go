package ledger

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/txn"
	"example.com/orderd/orders"
)

// accountsPerQuery bounds the accounts read in one statement.
const accountsPerQuery = 500

// post moves what a batch of transfers moves. It reads their accounts, decides one transfer after the
// other in memory, writes the entries, and adds to each account once, on the condition that its balance
// does not fall below zero: that is what is true, whatever was read. It comes last, so a hot account's
// row is locked only from then to the commit. Accounts that could run dry are locked, by primary key and
// in order, before it is decided who gets the last of them.
func post() engine.Action[Transfer] {
	return engine.ExecAll("post", func(_ context.Context, tx *gorm.DB, calls []engine.Call[Transfer, NewTransfer]) []error {
		errs := make([]error, len(calls))
		if err := postAll(tx, calls, errs); err != nil {
			return slices.Repeat([]error{err}, len(calls))
		}
		return errs
	})
}

func postAll(tx *gorm.DB, calls []engine.Call[Transfer, NewTransfer], errs []error) error {
	b, err := openBooks(tx, calls, "")
	if err != nil {
		return err
	}
	b.postAll(calls, errs)
	if tx.Name() != "sqlite" && b.tight() { // on SQLite nobody else writes meanwhile
		if b, err = openBooks(tx, calls, " FOR UPDATE"); err != nil {
			return err
		}
		b.postAll(calls, errs)
	}
	if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return nil // the transaction is rolled back whatever is written now
	}
	return b.write(tx)
}

// books are the accounts of a batch, as its transfers so far leave them.
type books struct {
	read    map[string]Account // as read
	now     map[string]*Account
	taken   map[string]int64 // what transfers want to take from accounts that may not owe
	entries []Entry
}

func openBooks(tx *gorm.DB, calls []engine.Call[Transfer, NewTransfer], lock string) (*books, error) {
	wanted := map[string]bool{}
	for _, c := range calls {
		wanted[c.Subject.From], wanted[c.Subject.To] = true, true
	}
	n := len(wanted)
	b := &books{read: make(map[string]Account, n), now: make(map[string]*Account, n), taken: map[string]int64{}}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(wanted)), accountsPerQuery) {
		query := `SELECT id, status, owner, kind, currency, overdraft, balance, entries FROM accounts
			WHERE id IN (?` + strings.Repeat(",?", len(ids)-1) + `) ORDER BY id` + lock
		args := make([]any, len(ids))
		for i, id := range ids {
			args[i] = id
		}
		err := txn.Each(tx, query, args, func(rows *sql.Rows) error {
			var a Account
			err := rows.Scan(&a.ID, &a.State, &a.Owner, &a.Kind, &a.Currency, &a.Overdraft, &a.Balance, &a.Entries)
			b.read[a.ID], b.now[a.ID] = a, &a
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *books) postAll(calls []engine.Call[Transfer, NewTransfer], errs []error) {
	for i, c := range calls {
		errs[i] = b.post(c)
	}
}

// post enters one transfer, or refuses it.
func (b *books) post(c engine.Call[Transfer, NewTransfer]) error {
	t := c.Subject
	from, to := b.now[t.From], b.now[t.To]
	switch {
	case from == nil:
		return engine.Refuse("there is no account %s", t.From)
	case to == nil:
		return engine.Refuse("there is no account %s", t.To)
	case from.Kind != to.Kind || from.Currency != to.Currency:
		return engine.Refuse("%s has %s in %s, %s has %s in %s", from.ID, from.Kind, from.Currency, to.ID, to.Kind, to.Currency)
	case t.Currency != from.Currency:
		return engine.Refuse("the accounts are in %s, not in %s", from.Currency, t.Currency)
	case c.Request.Event == EventDeposit && from.Owner != System:
		return engine.Refuse("a deposit comes from the system's account")
	case c.Request.Event == EventTransfer && (from.Owner == System || to.Owner == System):
		return engine.Refuse("the system's account is for deposits only")
	case from.Balance-t.Amount < -orders.AmountMax || to.Balance > orders.AmountMax-t.Amount:
		return engine.Refuse("a balance would have more than 2^53-1")
	}
	if !from.Overdraft {
		b.taken[from.ID] += t.Amount
		if from.Balance < t.Amount {
			return engine.Refuse("the balance is %s, so %s is too much", from.amount(from.Balance), from.amount(t.Amount))
		}
	}
	b.enter(from, t.ID, -t.Amount, c.Now)
	b.enter(to, t.ID, t.Amount, c.Now)
	return nil
}

// tight reports whether an account has less than twice what is wanted from it, so that others who take
// from it at the same time may leave too little; or whether one comes near to what an account can hold.
func (b *books) tight() bool {
	for id, n := range b.taken {
		if b.read[id].Balance-n < n {
			return true
		}
	}
	for _, a := range b.now {
		if max(a.Balance, -a.Balance) > orders.AmountMax/2 {
			return true
		}
	}
	return false
}

func (b *books) enter(a *Account, transfer string, amount int64, at time.Time) {
	a.Balance += amount
	a.Entries++
	b.entries = append(b.entries, Entry{AccountID: a.ID, TransferID: transfer, Amount: amount, At: at})
}

// Bounds of one statement: what SQLite allows in parameters, and what a server parses at ease.
const (
	entriesPerInsert  = 5000
	accountsPerUpdate = 250
)

// write writes all entries, and adds to every account that has some.
func (b *books) write(tx *gorm.DB) error {
	for part := range slices.Chunk(b.entries, entriesPerInsert) {
		args := make([]any, 0, 4*len(part))
		for _, e := range part {
			args = append(args, e.AccountID, e.TransferID, e.Amount, e.At)
		}
		err := tx.Exec("INSERT INTO account_entries (account_id, transfer_id, amount, at) VALUES (?, ?, ?, ?)"+
			strings.Repeat(", (?, ?, ?, ?)", len(part)-1), args...).Error
		if err != nil {
			return err
		}
	}
	var changed []string // in the order in which everybody locks them
	for _, id := range slices.Sorted(maps.Keys(b.now)) {
		if b.now[id].Entries != b.read[id].Entries {
			changed = append(changed, id)
		}
	}
	for ids := range slices.Chunk(changed, accountsPerUpdate) {
		query, args := b.update(ids)
		done := tx.Exec(query, args...)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected != int64(len(ids)) {
			return engine.ErrRunAgain // somebody has taken too much since: the next run knows
		}
	}
	return nil
}

// update is the statement that adds to some accounts, except to those which that would bring below zero.
func (b *books) update(ids []string) (query string, args []any) {
	var q strings.Builder
	each := func(usual int64, of func(*Account, Account) int64) { // what is added, by account
		differ := false
		for _, id := range ids {
			if n := of(b.now[id], b.read[id]); n != usual {
				if !differ {
					q.WriteString("CASE id")
				}
				q.WriteString(" WHEN ? THEN ?")
				args, differ = append(args, id, n), true
			}
		}
		if args = append(args, usual); differ {
			q.WriteString(" ELSE ? END")
		} else {
			q.WriteString("?")
		}
	}
	balance := func(now *Account, read Account) int64 { return now.Balance - read.Balance }
	q.WriteString("UPDATE accounts SET balance = balance + ")
	first := balance(b.now[ids[0]], b.read[ids[0]])
	each(first, balance)
	q.WriteString(", entries = entries + ")
	each(1, func(now *Account, read Account) int64 { return now.Entries - read.Entries })
	q.WriteString(", updated_at = ? WHERE id IN (?" + strings.Repeat(", ?", len(ids)-1) + ") AND (overdraft OR balance + ")
	args = append(args, b.entries[len(b.entries)-1].At)
	for _, id := range ids {
		args = append(args, id)
	}
	each(first, balance)
	q.WriteString(" >= 0)")
	return q.String(), args
}
