package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"testing"

	gormsqlite "github.com/libtnb/sqlite"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"example.com/orderd/engine/internal/sqldb"
)

// faulty is a database whose connections fail on demand. Its hooks get what the real connection
// would do, and may do it or not.
type faulty struct {
	driver.Connector
	exec     func(c driver.ExecerContext, query string, do func() error) error
	query    func(query string) error
	rows     func(driver.Rows) driver.Rows
	commit   func(do func() error) error
	rollback func(do func() error) error
	opened   int
	closed   int
}

// openFaulty opens one on SQLite with the table of orders. Hooks are to be set afterwards, while
// no statement runs.
func openFaulty(t *testing.T) (*faulty, *sqldb.DB) {
	c, err := sqlite.NewConnector("file:" + filepath.Join(t.TempDir(), "faulty.db") +
		"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=foreign_keys(1)&_time_format=sqlite")
	require.NoError(t, err)
	f := &faulty{Connector: c}
	d := sql.OpenDB(f)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	g, err := gorm.Open(gormsqlite.New(gormsqlite.Config{Conn: d}))
	require.NoError(t, err)
	db := wrap(t, g)
	withOrders(t, db, 1)
	return f, db
}

func (f *faulty) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := f.Connector.Connect(ctx)
	f.opened++
	return &faultyConn{Conn: c, f: f}, err
}

type faultyConn struct {
	driver.Conn
	f *faulty
}

func (c *faultyConn) Close() error {
	c.f.closed++
	return c.Conn.Close()
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	execer := c.Conn.(driver.ExecerContext)
	do := func() error { result, err = execer.ExecContext(ctx, query, args); return err }
	if c.f.exec == nil {
		return result, do()
	}
	return result, c.f.exec(execer, query, do)
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.f.query != nil {
		if err := c.f.query(query); err != nil {
			return nil, err
		}
	}
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
	if err == nil && c.f.rows != nil {
		rows = c.f.rows(rows)
	}
	return rows, err
}

// brokenRows fail after the first row, or only in closing.
type brokenRows struct {
	driver.Rows
	err     error
	closing bool
	read    int
}

func (r *brokenRows) Next(dest []driver.Value) error {
	if r.read++; r.read > 1 && !r.closing {
		return r.err
	}
	return r.Rows.Next(dest)
}

func (r *brokenRows) Close() error {
	if err := r.Rows.Close(); err != nil || !r.closing {
		return err
	}
	return r.err
}

func (c *faultyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return &faultyTx{Tx: tx, f: c.f}, err
}

type faultyTx struct {
	driver.Tx
	f *faulty
}

func (x *faultyTx) Commit() error {
	if x.f.commit != nil {
		return x.f.commit(x.Tx.Commit)
	}
	return x.Tx.Commit()
}

func (x *faultyTx) Rollback() error {
	if x.f.rollback != nil {
		return x.f.rollback(x.Tx.Rollback)
	}
	return x.Tx.Rollback()
}
