package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// QueryRowContext reads the row at once, for a server may report in its place that it has ended the
// transaction, and a *sql.Row tells that to nobody but the code that scans it: here it sticks.
func (g *guard) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row := &oneRow{}
	row.err = g.readRow(ctx, row, query, args)
	d := sql.OpenDB(row)
	defer func() { _ = d.Close() }() // the row outlives it
	return d.QueryRowContext(context.WithoutCancel(ctx), "")
}

func (g *guard) readRow(ctx context.Context, row *oneRow, query string, args []any) (err error) {
	rows, err := g.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = g.tx.failOn(closing)
		}
	}()
	if row.columns, err = rows.Columns(); err != nil {
		return g.tx.failOn(err)
	}
	if !rows.Next() {
		return g.tx.failOn(rows.Err())
	}
	values, into := make([]any, len(row.columns)), make([]any, len(row.columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return g.tx.failOn(err)
	}
	for _, v := range values {
		row.values = append(row.values, v)
	}
	return nil
}

// oneRow is a driver that knows one result: a row or none, or an error. There is no other way to make a
// *sql.Row.
type oneRow struct {
	columns []string
	values  []driver.Value // nil for no row
	err     error
}

var errOneRow = errors.New("sqldb: a row that was read can only be scanned")

func (r *oneRow) Connect(context.Context) (driver.Conn, error) { return r, nil }
func (r *oneRow) Driver() driver.Driver                        { return r }
func (r *oneRow) Open(string) (driver.Conn, error)             { return r, nil }
func (r *oneRow) Prepare(string) (driver.Stmt, error)          { return nil, errOneRow }
func (r *oneRow) Begin() (driver.Tx, error)                    { return nil, errOneRow }
func (r *oneRow) Close() error                                 { return nil }
func (r *oneRow) Columns() []string                            { return r.columns }

func (r *oneRow) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return r, r.err
}

func (r *oneRow) Next(dest []driver.Value) error {
	if r.values == nil {
		return io.EOF
	}
	copy(dest, r.values)
	r.values = nil
	return nil
}
