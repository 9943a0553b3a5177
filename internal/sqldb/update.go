package sqldb

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Update moves many subjects at once, each only if it is where the caller believes it to be:
//
//	UPDATE Table SET State = To, Version = NewVersion, Columns = Values
//	WHERE ID = ID AND State = From AND Version = Version
//
// States compare byte for byte, whatever the column's collation.
// Table and the columns are names; "schema.table" is understood.
type Update struct {
	Table, ID, State, Version string
	Columns                   []string // further columns, the same for all rows
	Rows                      []UpdateRow
}

// UpdateRow is one subject. ID has the Go type of its column: string, []byte or an integer.
type UpdateRow struct {
	ID                  any
	From, To            string
	Version, NewVersion int64
	Values              []any // as Update.Columns
}

// updateRows bounds the rows of one statement. More gain nothing, and MySQL's parser needs stack
// for every one of them.
const updateRows = 250

// Update runs the update and returns how many rows were where they had to be. The rows should be
// sorted by ID, for the order of their locks, and no ID may occur twice. Because a version always
// changes, the count is the same whether the server counts found or changed rows.
//
// On the MySQL family, a pool without interpolateParams and a transaction that was joined take one
// statement per row: MariaDB 10.11 crashes on the joined form as a prepared statement, whose
// derived table has types that were guessed before its values came.
func (tx *Tx) Update(ctx context.Context, u Update) (rows int64, err error) {
	steps, err := u.steps(tx.form())
	if err != nil {
		return 0, tx.Fail(err)
	}
	for _, s := range steps {
		n, err := tx.Exec(ctx, s.query, s.args...)
		if err != nil {
			return rows, err
		}
		rows += n
	}
	return rows, tx.Err()
}

func (u Update) steps(f form) ([]step, error) {
	for i, r := range u.Rows {
		if len(r.Values) != len(u.Columns) {
			return nil, fmt.Errorf("sqldb: row %d for %s has %d values for %d columns", i, u.Table, len(r.Values), len(u.Columns))
		}
		if r.Version == r.NewVersion {
			return nil, fmt.Errorf("sqldb: row %d for %s does not change its version", i, u.Table)
		}
	}
	limit := updateRows
	if !f.joins {
		limit = 1
	}
	size := func(i int) int { return sizeOf(u.Rows[i].Values) + 200 }
	var steps []step
	for lo, hi := range chunks(len(u.Rows), limit, len(u.Columns)+6, size) {
		query, args, err := u.statement(f.dialect, u.Rows[lo:hi])
		if err != nil {
			return nil, fmt.Errorf("sqldb: updating %s: %w", u.Table, err)
		}
		steps = append(steps, step{query: query, args: args, rows: int64(hi - lo)})
	}
	return steps, nil
}

func (u Update) statement(d Dialect, rows []UpdateRow) (query string, args []any, err error) {
	switch {
	case len(rows) == 1:
		query, args = u.one(d, rows[0])
		return query, args, nil
	case d == SQLite:
		query, args = u.manySQLite(rows)
		return query, args, nil
	default:
		return u.manyMySQL(rows)
	}
}

func (u Update) one(d Dialect, r UpdateRow) (string, []any) {
	var b strings.Builder
	fmt.Fprintf(&b, "UPDATE %s SET %s = ?, %s = ?", quote(u.Table), quote(u.State), quote(u.Version))
	args := []any{r.To, r.NewVersion}
	for i, column := range u.Columns {
		b.WriteString(", " + quote(column) + " = ?")
		args = append(args, r.Values[i])
	}
	from := "?"
	if d == MySQL {
		from = "CAST(? AS BINARY)"
	}
	fmt.Fprintf(&b, " WHERE %s = ? AND %s = %s AND %s = ?", quote(u.ID), quote(u.State), from, quote(u.Version))
	return b.String(), append(args, r.ID, r.From, r.Version)
}

// values are a row's in the order of the derived table's columns.
func (r UpdateRow) values() []any {
	return append([]any{r.ID, r.From, r.Version, r.To, r.NewVersion}, r.Values...)
}

// assignments are the SET list, whose targets begin with target, and the conditions. v names the
// derived table's columns.
func (u Update) assignments(target string, v func(i int) string) (set, where string) {
	var b strings.Builder
	for i, column := range append([]string{u.State, u.Version}, u.Columns...) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(target + quote(column) + " = " + v(3+i))
	}
	where = fmt.Sprintf("t.%s = %s AND t.%s = %s", quote(u.State), v(1), quote(u.Version), v(2))
	return b.String(), where
}

func (u Update) manySQLite(rows []UpdateRow) (string, []any) {
	v := func(i int) string { return fmt.Sprintf("v.column%d", i+1) }
	set, where := u.assignments("", v)
	row := "(" + placeholders(5+len(u.Columns)) + ")"
	var args []any
	for _, r := range rows {
		args = append(args, r.values()...)
	}
	return fmt.Sprintf("UPDATE %s AS t SET %s FROM (VALUES %s) AS v WHERE t.%s = v.column1 AND %s",
		quote(u.Table), set, row+strings.Repeat(", "+row, len(rows)-1), quote(u.ID), where), args
}

// manyMySQL joins a derived table. Its columns get their types from casts, because a bare
// parameter takes them from the connection: text in the connection's collation may not compare
// with a column in another. Keys and states therefore compare as bytes.
func (u Update) manyMySQL(rows []UpdateRow) (string, []any, error) {
	v := func(i int) string { return fmt.Sprintf("v.c%d", i) }
	set, where := u.assignments("t.", v)
	var b strings.Builder
	var args, ids []any
	for n, r := range rows {
		if n > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT ")
		for i, value := range r.values() {
			param, kind, err := parameter(value)
			if err != nil {
				return "", nil, fmt.Errorf("row %d: %w", n, err)
			}
			if kind == textual && i < 2 {
				param = "CAST(? AS BINARY)"
			}
			if i == 0 && (kind == textual || kind == binary) {
				ids = append(ids, value)
			}
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(param)
			if n == 0 {
				fmt.Fprintf(&b, " AS c%d", i)
			}
			args = append(args, value)
		}
	}
	if len(ids) > 0 { // lets a server use the key of a text column, too, whatever its collation
		where += fmt.Sprintf(" AND t.%s IN (%s)", quote(u.ID), placeholders(len(ids)))
	}
	return fmt.Sprintf("UPDATE %s AS t JOIN (%s) AS v ON t.%s = v.c0 SET %s WHERE %s",
		quote(u.Table), b.String(), quote(u.ID), set, where), append(args, ids...), nil
}

type valueKind uint8

const (
	numeric valueKind = iota + 1
	textual
	binary
	temporal
)

// parameter is the expression that gives a value its type in a derived table of the MySQL family.
func parameter(value any) (expression string, kind valueKind, err error) {
	switch v := value.(type) {
	case nil:
		return "?", 0, nil
	case bool, int, int8, int16, int32, int64:
		return "CAST(? AS SIGNED)", numeric, nil
	case uint, uint8, uint16, uint32, uint64:
		return "CAST(? AS UNSIGNED)", numeric, nil
	case float32, float64:
		return "(? + 0e0)", numeric, nil
	case time.Time:
		return "CAST(? AS DATETIME(6))", temporal, nil
	case string, json.RawMessage:
		return "?", textual, nil
	case []byte:
		if v == nil {
			return "?", 0, nil
		}
		return "CAST(? AS BINARY)", binary, nil
	default:
		plain, err := driver.DefaultParameterConverter.ConvertValue(value)
		if err != nil {
			return "", 0, err
		}
		return parameter(plain)
	}
}
