package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
)

// How long the end of a transaction may take. A commit that has not answered by then is unknown;
// a rollback goes on by itself. Both exceed the timeouts of the engine's own pools.
const (
	commitLimit   = 60 * time.Second
	rollbackLimit = 5 * time.Second
)

// CommitError says that a transaction, or a statement that commits by itself, did not report
// success at its end.
type CommitError struct {
	Err error
	// Unknown is set when the transaction may have been committed all the same. Only running the
	// same keyed request again settles it; a plain read does not.
	Unknown bool
	// Until is when it will be settled by the database's clock at the latest: what has not committed then never
	// will. Before, a transaction that takes the same locks may be overtaken by it. Zero where the
	// transaction held its locks already, and never where they hold up nobody on other nodes.
	Until time.Time
}

// Error tells aborted from unknown.
func (e *CommitError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("commit without a clear answer: %v", e.Err)
	}
	return fmt.Sprintf("not committed: %v", e.Err)
}

// Unwrap returns what the driver said.
func (e *CommitError) Unwrap() error { return e.Err }

var errNoAnswer = errors.New("no answer in time")

// aborted tells whether an error of COMMIT proves that nothing was committed. Everything not
// listed is unknown.
func aborted(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch e.Number {
		case 1213, 1020, 3101, // deadlock or certification
			1290, 1792, 1836, // read-only server
			8002, 8005, 8022, 8028, 9007: // TiDB's conflicts
			return true
		}
		return false
	}
	if code, ok := sqliteCode(err); ok {
		switch code & 0xff {
		case sqliteBusy, sqliteLocked, sqliteConstraint:
			return true
		}
		return false
	}
	return errors.Is(err, driver.ErrBadConn) // drivers promise that nothing was sent
}

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
		return &CommitError{Err: err}
	}
	tx.end.done = true
	err := within(commitLimit, tx.end.Commit)
	tx.end.close(err)
	if err != nil {
		return &CommitError{Err: err, Unknown: !aborted(err), Until: tx.end.until}
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
		return errNoAnswer
	}
}

// answerLost tells whether a statement that commits by itself may have done so although it
// failed.
func answerLost(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number == 8501 // TiDB does not know itself
	}
	if code, ok := sqliteCode(err); ok {
		return code&0xff == sqliteIOErr
	}
	if errors.Is(err, driver.ErrBadConn) || isDial(err) {
		return false
	}
	class := Classify(err)
	return class == ClassUnavailable || class == ClassCanceled
}
