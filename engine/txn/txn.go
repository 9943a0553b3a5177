// Package txn runs transactions of one's own the way the engine runs its: READ COMMITTED, all of it again where that
// may help, never after a COMMIT that may have taken effect. It is for what no subject is moved by, or for what has
// to stand or fall with several requests: ApplyTx and CreateTx work on its handle.
package txn

import (
	"context"
	"database/sql"
	"errors"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// Run runs f in one READ COMMITTED transaction (BEGIN IMMEDIATE on SQLite) and commits it, unless f returns an error
// or panics. db is a handle outside of any transaction; f uses tx and nothing else of the database.
//
// f runs again from its start, in a new transaction, up to 5 times in all and with pauses of milliseconds between
// them, where the last run failed for a reason that may pass: a deadlock, a lock wait, a connection lost before
// COMMIT, an error that matches engine.ErrRunAgain, or a race that a request of ApplyTx has lost. So it keeps and
// sends nothing, and the last run's error is returned. dberr.Classify tells what it means.
//
// The first error of a statement sticks to tx: what follows fails with it, and nothing is committed even if f
// returns nil. tx cannot commit, roll back, begin, or run DDL. What goes wrong from COMMIT on is a
// *dberr.CommitError, and the transaction may stand where that says Unknown: f is not run again then. ctx ends
// waiting and keeps COMMIT from being sent; once sent, it is waited for.
func Run(ctx context.Context, db *gorm.DB, f func(tx *gorm.DB) error) error {
	if f == nil {
		return errors.New("txn: the function is nil: give Run what is to be done in the transaction")
	}
	d, err := sqldb.Unchecked(db)
	if err != nil {
		return err
	}
	return d.Retry(ctx, func(tx *sqldb.Tx) error { return f(tx.Gorm(ctx)) })
}

// Each calls f for every row of a query and stops at f's first error. db may be in a transaction or not; it carries
// the context. Question marks stand for args, as in gorm.DB.Raw.
func Each(db *gorm.DB, query string, args []any, f func(*sql.Rows) error) (err error) {
	rows, err := db.Raw(query, args...).Rows()
	if err != nil {
		return err
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
