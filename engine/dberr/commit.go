package dberr

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
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

// ErrNoAnswer is the error of a driver that was not waited for any longer.
var ErrNoAnswer = errors.New("no answer in time")

// Aborted tells whether an error of COMMIT proves that nothing was committed. Everything not
// listed is unknown.
func Aborted(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch e.Number {
		case 1213, 1020, 3101, // deadlock or certification
			1290, 1792, 1836, // read-only server
			8002, 8005, 8022, 8028, 9007: // TiDB's conflicts
			return true
		}
		return false
	}
	if code, ok := SQLiteCode(err); ok {
		switch code & 0xff {
		case sqliteBusy, sqliteLocked, sqliteConstraint:
			return true
		}
		return false
	}
	return errors.Is(err, driver.ErrBadConn) // drivers promise that nothing was sent
}

// AnswerLost tells whether a statement that commits by itself may have done so although it
// failed.
func AnswerLost(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number == 8501 // TiDB does not know itself
	}
	if code, ok := SQLiteCode(err); ok {
		return code&0xff == sqliteIOErr
	}
	if errors.Is(err, driver.ErrBadConn) || isDial(err) {
		return false
	}
	class := Classify(err)
	return class == Unavailable || class == Canceled
}

// isDial tells whether there was no connection at all.
func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}
