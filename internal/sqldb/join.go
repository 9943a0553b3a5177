package sqldb

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"gorm.io/gorm"
)

// ErrNoTransaction says that a handle is in no transaction.
var ErrNoTransaction = errors.New("sqldb: the gorm handle is in no transaction")

// Join adopts the caller's own transaction. The Tx never commits and never rolls it back. A
// handle that came from Tx.Gorm leads back to its Tx.
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
	return newTx(dialect, tx, pool, nil), nil
}

// Savepoint marks this point of the transaction.
func (tx *Tx) Savepoint(ctx context.Context, name string) error {
	_, err := tx.exec(ctx, "SAVEPOINT "+quote(name), nil)
	return err
}

// Release forgets a savepoint.
func (tx *Tx) Release(ctx context.Context, name string) error {
	_, err := tx.exec(ctx, "RELEASE SAVEPOINT "+quote(name), nil)
	return err
}

// RollbackTo undoes everything since the savepoint and clears the error that stuck. When the
// server has ended the transaction, the error stays and is returned: nothing must follow. It
// works for a caller whose ctx has ended, too.
func (tx *Tx) RollbackTo(ctx context.Context, name string) error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	stuck := tx.failed()
	switch Classify(stuck) {
	case ClassConflict, ClassUnavailable, ClassUnknown:
		if _, isSQLite := sqliteCode(stuck); !isSQLite { // SQLite keeps it, or forgets the savepoint
			return stuck
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
	defer cancel()
	if _, err := tx.pool.ExecContext(ctx, "ROLLBACK TO SAVEPOINT "+quote(name)); err != nil {
		if tx.err == nil {
			tx.err = err
		}
		return err
	}
	tx.err = nil
	return nil
}
