package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

// InTx runs f once, in one READ COMMITTED transaction (BEGIN IMMEDIATE on SQLite).
//
// An error of f rolls back and is returned as it is. A panic of f rolls back and goes on. When f
// returns nil although a statement failed, InTx rolls back and returns that statement's error.
// What goes wrong from COMMIT on is a *dberr.CommitError.
//
// ctx ends waiting for a connection and keeps COMMIT from being sent, but once COMMIT is sent it
// does not disturb it.
func (db *DB) InTx(ctx context.Context, f func(*Tx) error) error {
	_, err := db.inTx(ctx, f)
	return err
}

// inTx also returns the error that stuck, which f may have wrapped beyond recognition, or what RunAgain was told,
// which f may have passed over.
func (db *DB) inTx(ctx context.Context, f func(*Tx) error) (stuck, err error) {
	tx, err := db.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.rollback() // after a commit it does nothing; after a panic it does its work
	err = f(tx)
	if why := tx.Again(); why != nil {
		return fmt.Errorf("%w: %w", dberr.ErrRunAgain, why), cmp.Or(err, why)
	}
	if err != nil {
		return tx.Err(), err
	}
	return nil, tx.commit(ctx)
}

// begin starts a transaction that outlives ctx: database/sql would otherwise roll back behind
// our back, and its COMMIT would race with the caller's cancellation.
func (db *DB) begin(ctx context.Context) (*Tx, error) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unfollow := context.AfterFunc(ctx, cancel)
	pool, conn, err := db.beginOn(ctx, own)
	following := unfollow()
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	tx := newTx(db.dialect, db.handle, pool, db.readCommitted, &ending{TxCommitter: pool.(gorm.TxCommitter), conn: conn,
		release: cancel, until: db.inDoubtUntil})
	tx.origin = connections(db.pool)
	if !following {
		tx.rollback()
		return nil, ctx.Err()
	}
	return tx, nil
}

// beginOn begins on a connection of its own where the pool has such, so that the connection can
// be thrown away when the transaction's end goes wrong.
func (db *DB) beginOn(ctx, own context.Context) (gorm.ConnPool, *sql.Conn, error) {
	var options *sql.TxOptions
	if db.dialect == MySQL && !db.readCommitted {
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	switch pool := db.pool.(type) {
	case *sql.DB:
		for try := 1; ; try++ {
			conn, err := pool.Conn(ctx)
			if err != nil {
				return nil, nil, err
			}
			tx, err := conn.BeginTx(own, options)
			if err == nil {
				return tx, conn, nil
			}
			_ = conn.Close()
			if !errors.Is(err, driver.ErrBadConn) || try == 3 { // a stale connection of the pool
				return nil, nil, err
			}
		}
	case gorm.TxBeginner:
		tx, err := pool.BeginTx(own, options)
		if err != nil {
			return nil, nil, err
		}
		return tx, nil, nil
	case gorm.ConnPoolBeginner:
		tx, err := pool.BeginTx(own, options)
		if err != nil {
			return nil, nil, err
		}
		if _, ok := tx.(gorm.TxCommitter); !ok {
			return nil, nil, gorm.ErrInvalidTransaction
		}
		return tx, nil, nil
	default:
		return nil, nil, gorm.ErrInvalidTransaction
	}
}
