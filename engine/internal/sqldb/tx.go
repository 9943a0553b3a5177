package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

// Tx is one transaction. Its first error sticks: every later statement returns it without
// reaching the database, because after a deadlock the server has ended the transaction and would
// commit the next statement by itself. A Tx is used by one goroutine at a time.
type Tx struct {
	dialect Dialect
	pool    gorm.ConnPool
	own     bool     // the session is prepared by engine/mysqldb
	handle  *gorm.DB // what Gorm hands out, on a guard
	end     *ending  // nil when the transaction is the caller's to end
	theirs  *gorm.DB // the caller's handle then
	origin  *sql.DB  // the connections that it is on one of, nil if unknown

	mu    sync.Mutex
	err   error
	ended bool        // by the server
	again error       // why the whole must be run again, though it goes on
	doing any         // see Enter
	open  []*sql.Rows // results not yet known to have been read to their end
}

func newTx(d Dialect, base *gorm.DB, pool gorm.ConnPool, own bool, end *ending) *Tx {
	tx := &Tx{dialect: d, pool: pool, own: own, end: end}
	tx.handle = clean(base, &guard{tx: tx})
	tx.handle.Logger = listener{tx: tx}
	return tx
}

// Dialect is the family of SQL that the database speaks.
func (tx *Tx) Dialect() Dialect { return tx.dialect }

// Gorm returns what user code gets: a clean session in this transaction. It can neither commit
// nor roll back nor begin, and its errors stick like those of Exec.
func (tx *Tx) Gorm(ctx context.Context) *gorm.DB {
	return tx.handle.Session(&gorm.Session{NewDB: true, Context: ctx})
}

// Err is the error that stuck, or nil.
func (tx *Tx) Err() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.failed()
}

// Failure is the error that stuck, and what it means. An error that looks like a lost connection, or a deadline,
// is not believed while the connection answers: it is of a value that could not be converted, say, and the user's.
func (tx *Tx) Failure(ctx context.Context) (dberr.Class, error) {
	err := tx.Err()
	class := dberr.Classify(err)
	if class != dberr.Unavailable && class != dberr.Canceled {
		return class, err
	}
	if _, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return class, err
	}
	if _, ok := dberr.SQLiteCode(err); ok {
		return class, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	rows, asking := tx.pool.QueryContext(ctx, "SELECT 1")
	if asking == nil {
		asking = each(rows, func(*sql.Rows) error { return nil })
	}
	if asking == nil {
		class = dberr.Permanent
	}
	return class, err
}

// Fail makes err stick, unless an earlier one did. Fail(nil) does nothing. It returns the error
// that stuck.
func (tx *Tx) Fail(err error) error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.stick(err)
}

func (tx *Tx) stick(err error) error {
	if tx.err == nil && err != nil {
		tx.err = err
		if endsTransaction(err) {
			_ = tx.over(err) // the error itself is what is told
		}
	}
	return tx.err
}

// failed looks for an error that a reader of rows met and did not tell. A server can report a
// deadlock in the middle of a result.
func (tx *Tx) failed() error {
	reading := tx.open[:0]
	for _, rows := range tx.open {
		_ = tx.stick(rows.Err())
		if _, err := rows.Columns(); err == nil { // still open
			reading = append(reading, rows)
		}
	}
	clear(tx.open[len(reading):])
	tx.open = reading
	return tx.err
}

// ErrRowsOpen says that the rows of a query were left open. On the MySQL family nothing else can be asked until they are
// closed: its drivers call the connection bad then, or wait.
var ErrRowsOpen = errors.New("rows of an earlier query were left open: close them (defer rows.Close()), or read them " +
	"all into a slice, " +
	"before the next statement and before the end")

// idle is Err, or makes ErrRowsOpen stick where a statement would not get through.
func (tx *Tx) idle() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if err := tx.failed(); err != nil {
		return err
	}
	if tx.dialect == MySQL && len(tx.open) > 0 {
		return tx.stick(ErrRowsOpen)
	}
	return nil
}

// Watch begins watching which rows somebody's code leaves open. left closes them and reports whether there were any.
func (tx *Tx) Watch() (left func() bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	_ = tx.failed() // drops those that are closed
	before := slices.Clone(tx.open)
	return func() bool {
		tx.mu.Lock()
		defer tx.mu.Unlock()
		_ = tx.failed()
		var found bool
		for _, rows := range tx.open {
			if !slices.Contains(before, rows) {
				found = true
				_ = rows.Close() // what it says is found by failed
			}
		}
		_ = tx.failed()
		return found
	}
}

// Exec runs one writing statement and returns the number of rows it wrote.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	result, err := tx.exec(ctx, query, args)
	if err != nil {
		return 0, err
	}
	rows, err = result.RowsAffected()
	return rows, tx.failOn(err)
}

// Query runs one reading statement. Each spares the caller the rows' errors.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.idle(); err != nil {
		return nil, err
	}
	rows, err := literal(tx.dialect, tx.pool, tx.own).QueryContext(ctx, query, stored(args)...)
	if err != nil {
		return nil, tx.Fail(err)
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.open = append(tx.open, rows)
	return rows, nil
}

// Each calls f for every row of a reading statement and stops at f's first error, which sticks.
func (tx *Tx) Each(ctx context.Context, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	return tx.failOn(each(rows, f))
}

func (tx *Tx) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if err := tx.idle(); err != nil {
		return nil, err
	}
	result, err := literal(tx.dialect, tx.pool, tx.own).ExecContext(ctx, query, stored(args)...)
	return result, tx.failOn(err)
}

// failOn makes err stick and returns it, or nil for nil.
func (tx *Tx) failOn(err error) error {
	if err == nil {
		return nil
	}
	_ = tx.Fail(err)
	return err
}
