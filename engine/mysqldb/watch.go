package mysqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"example.com/orderd/engine/internal/sqldb"
)

// conn is what database/sql knows a connection of the driver to be able to.
type conn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// watched is a connection that refuses what an action asks past its transaction: on this connection, which is
// another, it would be done at once and for itself.
type watched struct {
	conn
	pool *sql.DB
	open bool // a transaction is: what began it was refused then, or not
}

func watch(c driver.Conn, pool *sql.DB) driver.Conn {
	full, ok := c.(conn)
	if !ok {
		return c // a driver of another version: not worth failing for
	}
	return &watched{conn: full, pool: pool}
}

func (w *watched) past(ctx context.Context) error {
	if w.open {
		return nil
	}
	return sqldb.Past(ctx, w.pool)
}

func (w *watched) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := w.past(ctx); err != nil {
		return nil, err
	}
	return w.conn.ExecContext(ctx, query, args)
}

func (w *watched) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := w.past(ctx); err != nil {
		return nil, err
	}
	return w.conn.QueryContext(ctx, query, args)
}

func (w *watched) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := w.past(ctx); err != nil {
		return nil, err
	}
	return w.conn.PrepareContext(ctx, query)
}

func (w *watched) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := w.past(ctx); err != nil {
		return nil, err
	}
	tx, err := w.conn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	w.open = true
	return watchedTx{tx, w}, nil
}

// watchedTx notes the end of its transaction.
type watchedTx struct {
	driver.Tx
	on *watched
}

func (t watchedTx) Commit() error {
	t.on.open = false
	return t.Tx.Commit()
}

func (t watchedTx) Rollback() error {
	t.on.open = false
	return t.Tx.Rollback()
}
