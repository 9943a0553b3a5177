package verify

import (
	"context"
	"database/sql"
	"fmt"
)

// messagesMark is the name of the mark that tells how far retention of messages has come.
const messagesMark = "engine_messages"

// mark is how far retention has come, and how many rows it has removed.
type mark struct {
	at   moment
	gone int64
}

func (v *verifier) readMark(ctx context.Context) (m mark, err error) {
	err = v.db.Each(ctx, `SELECT at, gone FROM engine_watermarks WHERE name = ?`, []any{messagesMark},
		func(rows *sql.Rows) error { return rows.Scan(&m.at, &m.gone) })
	return m, err
}

// retention compares what retention says of itself with what the walk has missed: no more messages may
// be missing than it has removed. Retention may go on meanwhile, so the number lies between that of
// before and that of now. Its mark is the time of a transition whose messages it has removed.
func (v *verifier) retention(ctx context.Context) error {
	now, err := v.readMark(ctx)
	if err != nil {
		return err
	}
	if !v.unhashed.open && (v.gone < v.before.gone || v.gone > now.gone) { // programs of before did not count
		v.found(Finding{Invariant: Outbox, Text: fmt.Sprintf("retention says that it has removed %d to %d messages, but %d are missing",
			v.before.gone, now.gone, v.gone)})
	}
	if !v.before.at.IsZero() && !v.marked {
		v.found(Finding{Invariant: Outbox, Text: "the mark of retention is not the time of a transition"})
	}
	return nil
}
