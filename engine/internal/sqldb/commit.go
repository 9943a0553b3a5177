package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

// How long the end of a transaction may take. A commit that has not answered by then is unknown;
// a rollback goes on by itself. Both exceed the timeouts of the engine's own pools.
const (
	commitLimit   = 60 * time.Second
	rollbackLimit = 5 * time.Second
)

// ending is the right to end a transaction, used once.
type ending struct {
	gorm.TxCommitter
	conn    *sql.Conn          // nil when the pool gives out no connections
	release context.CancelFunc // frees the transaction's context
	until   time.Time          // see CommitError
	done    bool
}

// commit ends tx: with COMMIT if nothing stands against it, else with ROLLBACK and the reason.
func (tx *Tx) commit(ctx context.Context) error {
	if err := tx.Err(); err != nil {
		tx.rollback()
		return err
	}
	if err := ctx.Err(); err != nil {
		tx.rollback()
		return &dberr.CommitError{Err: err}
	}
	tx.end.done = true
	err := within(commitLimit, tx.end.Commit)
	tx.end.close(err)
	if err != nil {
		return &dberr.CommitError{Err: err, Unknown: !dberr.Aborted(err), Until: tx.end.until}
	}
	return nil
}

// rollback ends tx if nothing has yet. It does not depend on any caller's context.
func (tx *Tx) rollback() {
	if tx.end.done {
		return
	}
	tx.end.done = true
	tx.end.close(within(rollbackLimit, tx.end.Rollback))
}

// close gives the connection back, or throws it away when its transaction may still be open:
// the next BEGIN on it would commit that one.
func (e *ending) close(err error) {
	if e.conn != nil {
		if err != nil {
			// The error only tells database/sql to drop the connection.
			_ = e.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = e.conn.Close()
	}
	e.release()
}

// within runs end and waits for it, but not for ever: a driver without timeouts must not hang
// the caller. What takes longer goes on in the background.
func within(limit time.Duration, end func() error) error {
	answer := make(chan error, 1)
	go func() { answer <- end() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err
	case <-timer.C:
		return dberr.ErrNoAnswer
	}
}
