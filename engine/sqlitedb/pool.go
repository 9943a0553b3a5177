package sqlitedb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// pool sends single SELECTs to the readers and everything else to the one writer. In WAL mode
// neither waits for the other, and a SELECT sees every commit made before it.
type pool struct {
	*sql.DB // the writer
	readers *sql.DB
	turns   *turns // of writing
}

var (
	_ gorm.ConnPool       = (*pool)(nil)
	_ gorm.TxBeginner     = (*pool)(nil)
	_ gorm.GetDBConnector = (*pool)(nil)
)

// GetDBConn returns the writer. Closing it closes the readers, too.
func (p *pool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

func (p *pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.turn(ctx); err != nil {
		return nil, err
	}
	defer p.turns.release()
	return p.DB.ExecContext(ctx, query, args...)
}

func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := sqldb.Past(ctx, p.DB); err != nil {
		return nil, err
	}
	if reads(query) {
		return p.readers.QueryContext(ctx, query, args...)
	}
	return writing(ctx, p, func(conn *sql.Conn) (*sql.Rows, error) { return conn.QueryContext(ctx, query, args...) })
}

func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	err := sqldb.Past(ctx, p.DB)
	if err == nil && reads(query) {
		return p.readers.QueryRowContext(ctx, query, args...)
	}
	var row *sql.Row
	if err == nil {
		row, err = writing(ctx, p, func(conn *sql.Conn) (*sql.Row, error) { return conn.QueryRowContext(ctx, query, args...), nil })
	}
	if err != nil {
		return failed(err)
	}
	return row
}

func (p *pool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := sqldb.Past(ctx, p.DB); err != nil {
		return nil, err
	}
	return p.DB.PrepareContext(ctx, query)
}

func (p *pool) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	return writing(ctx, p, func(conn *sql.Conn) (*sql.Tx, error) { return conn.BeginTx(ctx, opts) })
}

// turn waits until it is this caller's to write.
func (p *pool) turn(ctx context.Context) error {
	if err := sqldb.Past(ctx, p.DB); err != nil {
		return err
	}
	return p.turns.take(ctx)
}

// writing begins something that goes on after it has returned: a transaction, or rows. The turn ends when that
// does, however it ends: closing the connection waits for it.
func writing[T any](ctx context.Context, p *pool, begin func(*sql.Conn) (T, error)) (begun T, err error) {
	if err := p.turn(ctx); err != nil {
		return begun, err
	}
	conn, err := p.Conn(ctx)
	if err != nil {
		p.turns.release()
		return begun, err
	}
	begun, err = begin(conn)
	end := func() {
		_ = conn.Close() // gives it back to the pool
		p.turns.release()
	}
	if err != nil {
		end()
		return begun, err
	}
	go end()
	return begun, nil
}

// reads takes no chances: what does not plainly read, such as INSERT … RETURNING, is a write.
func reads(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n")
	return len(query) > 6 && strings.EqualFold(query[:6], "SELECT")
}

// failed is a row that was not read. There is no other way to make one.
func failed(err error) *sql.Row {
	d := sql.OpenDB(nowhere{err})
	defer func() { _ = d.Close() }() // the row outlives it
	return d.QueryRowContext(context.Background(), "")
}

// nowhere makes no connections.
type nowhere struct{ err error }

func (n nowhere) Connect(context.Context) (driver.Conn, error) { return nil, n.err }
func (n nowhere) Driver() driver.Driver                        { return n }
func (n nowhere) Open(string) (driver.Conn, error)             { return nil, n.err }
