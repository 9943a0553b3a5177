// Package dberr says what an error of a database means, the same for every database that the engine knows: whether
// running the whole transaction again may help, whether a unique key was taken, and whether a COMMIT has taken effect.
package dberr

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
)

// Class is what an error means for the transaction it came from.
type Class uint8

// The classes.
const (
	None        Class = iota // no error
	Conflict                 // lost to another transaction and rolled back: run the whole again
	LockWait                 // waited too long for a lock: roll back, run again a few times
	Duplicate                // a unique key was taken
	Unavailable              // no answer before COMMIT, or a server that cannot write now: run again later
	Canceled                 // the caller's context ended
	Unknown                  // a commit without a clear answer: never run again blindly
	Permanent                // anything else: running again would fail again
)

var classNames = [...]string{"none", "conflict", "lock wait", "duplicate", "unavailable", "canceled", "unknown", "permanent"}

// String is the class's name in messages.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// Transient tells whether running the whole transaction again may succeed.
func (c Class) Transient() bool {
	return c == Conflict || c == LockWait || c == Unavailable
}

// ErrRunAgain says that the transaction has met what it did not expect, such as a row that is no longer where an
// UPDATE had to find it, and that the whole must be rolled back and run again.
var ErrRunAgain = errors.New("rows have changed meanwhile: run the transaction again")

// ErrLockWait is what a database in this process says that has no error number for it: a lock was waited for too
// long.
var ErrLockWait = errors.New("waited too long for a lock")

// SQLite's primary result codes that matter here.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteConstraint = 19
)

// Classify finds the class of an error, however deeply it is wrapped.
func Classify(err error) Class {
	if err == nil {
		return None
	}
	if e, ok := errors.AsType[*CommitError](err); ok && e.Unknown {
		return Unknown
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return classifyMySQL(e)
	}
	if code, ok := SQLiteCode(err); ok {
		return classifySQLite(code)
	}
	switch {
	case errors.Is(err, ErrRunAgain):
		return Conflict
	case errors.Is(err, ErrLockWait):
		return LockWait
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return Duplicate
	case isConnection(err):
		return Unavailable
	default:
		return Permanent
	}
}

func classifyMySQL(e *mysql.MySQLError) Class {
	switch e.Number {
	case 1213, 1020, 1180, 1181, 1412, 1613, 1614, 1615, 3101, 8002, 8005, 8022, 8028, 9007:
		return Conflict
	case 1205, 3572:
		return LockWait
	case 1062, 1022, 1586, 1761, 1762:
		return Duplicate
	case 1021, 1037, 1041, 1114, // disk or memory is full
		1040, 1203, 1637, // too many connections or transactions
		1047, 1053, 1223, 1290, 1792, 1836, 3100, // not ready, or read-only
		1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 1969, 2006, 2013, 3024, 3169, 4031, // cut off
		8027, 8501, 9001, 9002, 9003, 9004, 9005: // TiDB's storage is busy or away
		return Unavailable
	case 1105: // Vitess puts its own codes into the text
		switch {
		case strings.Contains(e.Message, "code = Aborted"):
			return Conflict
		case strings.Contains(e.Message, "code = Unavailable"), strings.Contains(e.Message, "code = ResourceExhausted"):
			return Unavailable
		}
	}
	return Permanent
}

func classifySQLite(code int) Class {
	switch code {
	case 1555, 2067, 2579: // primary key, unique, rowid
		return Duplicate
	}
	switch code & 0xff {
	case sqliteBusy, sqliteLocked:
		return Conflict
	case sqliteInterrupt:
		return Canceled
	case sqliteReadOnly, sqliteIOErr, sqliteFull, sqliteCantOpen:
		return Unavailable
	}
	return Permanent
}

// SQLiteCode finds the extended result code of a cgo-free SQLite driver's error, without importing the driver.
func SQLiteCode(err error) (code int, ok bool) {
	e, ok := errors.AsType[interface {
		error
		Code() int
	}](err)
	if !ok || fmt.Sprintf("%T", e) != "*sqlite.Error" {
		return 0, false
	}
	return e.Code(), true
}

func isConnection(err error) bool {
	for _, lost := range []error{
		driver.ErrBadConn, sql.ErrConnDone, mysql.ErrInvalidConn, mysql.ErrMalformPkt, mysql.ErrPktSync, mysql.ErrBusyBuffer,
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, ErrNoAnswer,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// DuplicateKey is the name of the unique key that err says was taken: the key's own name on the
// MySQL family ("PRIMARY", "engine_transitions_key"), its columns on SQLite ("t.a, t.b"). It is
// empty when err is no such error or does not tell.
func DuplicateKey(err error) string {
	if Classify(err) != Duplicate {
		return ""
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		_, after, ok := cutLast(e.Message, " for key '")
		if !ok {
			return ""
		}
		key := strings.TrimSuffix(after, "'")
		return key[strings.LastIndexByte(key, '.')+1:] // MySQL 8 puts the table before it
	}
	_, after, ok := cutLast(err.Error(), "UNIQUE constraint failed: ")
	if !ok {
		return ""
	}
	columns, _, _ := strings.Cut(after, " (")
	return columns
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
