package sqldb

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

// ErrNoTransaction says that a handle is in no transaction.
var ErrNoTransaction = errors.New("the gorm handle is in no transaction: give the one that Begin returns, or that " +
	"Transaction gives to its function")

// Join adopts the caller's own transaction. The Tx never commits it, and rolls it back only once it is
// over (ErrEnded). A handle that came from Tx.Gorm leads back to its Tx.
func Join(tx *gorm.DB) (*Tx, error) {
	dialect, err := dialectOf(tx)
	if err != nil {
		return nil, err
	}
	if tx.Statement == nil {
		return nil, ErrNoTransaction
	}
	pool := plainPool(tx.Statement.ConnPool)
	if g, ok := pool.(*guard); ok {
		return g.tx, nil
	}
	if _, ok := pool.(gorm.TxCommitter); !ok {
		return nil, ErrNoTransaction
	}
	if v := reflect.ValueOf(pool); v.Kind() == reflect.Pointer && v.IsNil() { // Begin failed
		return nil, errors.Join(ErrNoTransaction, tx.Error)
	}
	if tx.Error != nil {
		return nil, fmt.Errorf("sqldb: the gorm handle carries an error: %w", tx.Error)
	}
	if _, ok := tx.Plugins["gorm:db_resolver"]; ok {
		return nil, errors.New("sqldb: the gorm handle uses dbresolver, which may read from replicas: use one without it")
	}
	joined := newTx(dialect, tx, pool, ownSessions(plainPool(tx.ConnPool)), nil)
	joined.theirs, joined.origin = tx, connections(tx.ConnPool)
	return joined, nil
}

// ErrEnded says that a transaction is over although nobody has asked for its end: the server has rolled
// it back, or its connection is lost, or what was done in it cannot be undone by halves.
var ErrEnded = errors.New("the database has ended the transaction")

// Savepoint is a point of a transaction that can be restored.
type Savepoint struct {
	tx   *Tx
	name string
}

var savepoints atomic.Uint64

// Savepoint marks this point of the transaction. It also asks whether the caller's transaction is still
// open: after an error that the caller has overlooked, servers commit each statement by itself, and
// make no savepoint without a word. The error of a transaction that is over matches ErrEnded. Savepoint,
// Restore and Release work for a caller whose ctx has ended, too, whose transaction may well go on. A session
// of the caller's that is not utf8mb4 is refused, with another error.
func (tx *Tx) Savepoint(ctx context.Context) (*Savepoint, error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	ctx, cancel := outliving(ctx)
	defer cancel()
	s := &Savepoint{tx: tx, name: quote(fmt.Sprintf("engine_%d", savepoints.Add(1)))} // never one of the caller's
	if tx.failed() != nil {
		return nil, tx.over(tx.err)
	}
	if tx.dialect == MySQL && len(tx.open) > 0 {
		return nil, tx.stick(ErrRowsOpen)
	}
	if tx.dialect == SQLite && tx.theirs != nil {
		if err := tx.begun(ctx); err != nil {
			return nil, tx.over(err)
		}
	}
	if _, err := tx.pool.ExecContext(ctx, "SAVEPOINT "+s.name); err != nil {
		return nil, tx.over(err)
	}
	if tx.dialect == MySQL && tx.theirs != nil {
		if _, err := tx.pool.ExecContext(ctx, "ROLLBACK TO SAVEPOINT "+s.name); err != nil {
			return nil, tx.over(err)
		}
	}
	if tx.dialect == MySQL && tx.theirs != nil && !tx.own {
		if err := tx.utf8mb4(ctx); err != nil {
			return nil, s.without(ctx, err)
		}
	}
	return s, nil
}

// without gives a savepoint up because of err. The error is another one if the transaction has ended with it.
func (s *Savepoint) without(ctx context.Context, err error) error {
	if _, failed := s.tx.pool.ExecContext(ctx, "ROLLBACK TO SAVEPOINT "+s.name); failed != nil {
		return s.tx.over(err)
	}
	if _, failed := s.tx.pool.ExecContext(ctx, "RELEASE SAVEPOINT "+s.name); failed != nil {
		return s.tx.over(err)
	}
	return err
}

// sqliteError is SQLite's code of a statement that makes no sense.
const sqliteError = 1

// begun tells whether SQLite is in a transaction, in which another BEGIN is an error. A savepoint
// proves nothing there: outside of a transaction it begins one, and its release commits.
func (tx *Tx) begun(ctx context.Context) error {
	_, err := tx.pool.ExecContext(ctx, "BEGIN")
	if err == nil {
		_, err = tx.pool.ExecContext(ctx, "ROLLBACK")
		return errors.Join(errors.New("no transaction is open"), err)
	}
	if code, ok := dberr.SQLiteCode(err); ok && code == sqliteError {
		return nil
	}
	return err
}

// outliving is a context for what tells whether a transaction goes on. None of it waits for a lock, and
// that a caller has gone while it ran would prove nothing about the transaction.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
}

// Release forgets the savepoint. Its error matches ErrEnded.
func (s *Savepoint) Release(ctx context.Context) error {
	s.tx.mu.Lock()
	defer s.tx.mu.Unlock()
	ctx, cancel := outliving(ctx)
	defer cancel()
	if s.tx.failed() != nil {
		return s.tx.over(s.tx.err)
	}
	if _, err := s.tx.pool.ExecContext(ctx, "RELEASE SAVEPOINT "+s.name); err != nil {
		return s.tx.over(err)
	}
	return nil
}

// Restore undoes everything since the savepoint and clears the error that stuck. That the savepoint is
// still there is what proves that the transaction is; if it is not, the error matches ErrEnded.
func (s *Savepoint) Restore(ctx context.Context) error {
	tx := s.tx
	tx.mu.Lock()
	defer tx.mu.Unlock()
	stuck := tx.failed()
	if tx.ended || endsTransaction(stuck) {
		return tx.over(stuck)
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	if _, err := tx.pool.ExecContext(ctx, "ROLLBACK TO SAVEPOINT "+s.name); err != nil {
		if stuck == nil {
			return tx.over(err)
		}
		return tx.over(fmt.Errorf("%w (and what preceded it cannot be restored: %w)", stuck, err))
	}
	tx.err = nil
	return nil
}

// endsTransaction tells whether the server has rolled the whole transaction back with an error: a
// deadlock, or a snapshot that is too old. A connection that is lost answers no later statement either.
func endsTransaction(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && (e.Number == 1213 || e.Number == 1020)
}

// over ends a transaction that must not go on, and says so. A caller's own is rolled back: whatever
// follows on any of its handles then fails, and so does COMMIT, where the server would commit each
// statement by itself.
func (tx *Tx) over(why error) error {
	if tx.err == nil {
		tx.err = why
	}
	if tx.theirs != nil && !tx.ended {
		_ = within(rollbackLimit, tx.pool.(gorm.TxCommitter).Rollback) // most often there is nothing left to roll back
		_ = tx.theirs.AddError(fmt.Errorf("%w: %w", ErrEnded, why))
	}
	tx.ended = true
	return fmt.Errorf("%w: %w", ErrEnded, why)
}

// Enter says what is going on in the transaction, until leave. Who joins it meanwhile is told so by Inside.
func (tx *Tx) Enter(doing any) (leave func()) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	outer := tx.doing
	tx.doing = doing
	return func() {
		tx.mu.Lock()
		defer tx.mu.Unlock()
		tx.doing = outer
	}
}

// Inside is what Enter was given last and has not been left, or nil.
func (tx *Tx) Inside() any {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.doing
}

// RunAgain notes that something in the transaction failed which may succeed when the whole is run again. Unlike an
// error that sticks it outlives Restore. In a caller's own transaction, and for nil, it does nothing: what runs
// again is the caller's to say.
func (tx *Tx) RunAgain(why error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.theirs == nil && tx.again == nil {
		tx.again = why
	}
}

// Again is what RunAgain has noted first, or nil.
func (tx *Tx) Again() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.again
}
