package sqldb

import (
	"context"
	"fmt"
	"strings"
)

// Insert is many rows for one table. Every row has one value for each column, in their order.
// For text columns pass strings and for binary ones []byte: SQLite never finds one as the other.
type Insert struct {
	Table   string
	Columns []string
	Rows    [][]any
}

// Insert writes the rows with as few statements as their size allows. A key that exists is an
// error of ClassDuplicate.
func (tx *Tx) Insert(ctx context.Context, in Insert) error {
	return tx.insert(ctx, in, "")
}

// Merge inserts the rows, except that where key, the primary key and only unique key of the
// table, exists already, the columns in add grow by the row's values and the columns in replace
// take them. A key may occur in several rows. For counters.
func (tx *Tx) Merge(ctx context.Context, in Insert, key, add, replace []string) error {
	value := func(column string) string { return "VALUES(" + quote(column) + ")" }
	var tail strings.Builder
	tail.WriteString(" ON DUPLICATE KEY UPDATE ")
	if tx.dialect == SQLite {
		value = func(column string) string { return "excluded." + quote(column) }
		tail.Reset()
		tail.WriteString(" ON CONFLICT (" + quoteAll(key) + ") DO UPDATE SET ")
	}
	if len(add)+len(replace) == 0 {
		return tx.Fail(fmt.Errorf("sqldb: merging into %s needs columns to add or replace", in.Table))
	}
	var sets []string
	for _, column := range add {
		sets = append(sets, quote(column)+" = "+quote(column)+" + "+value(column))
	}
	for _, column := range replace {
		sets = append(sets, quote(column)+" = "+value(column))
	}
	tail.WriteString(strings.Join(sets, ", "))
	return tx.insert(ctx, in, tail.String())
}

func (tx *Tx) insert(ctx context.Context, in Insert, tail string) error {
	if len(in.Rows) == 0 {
		return tx.Err()
	}
	for i, row := range in.Rows {
		if len(row) != len(in.Columns) || len(row) == 0 {
			return tx.Fail(fmt.Errorf("sqldb: row %d for %s has %d values for %d columns", i, in.Table, len(row), len(in.Columns)))
		}
	}
	head := "INSERT INTO " + quote(in.Table) + " (" + quoteAll(in.Columns) + ") VALUES "
	row := "(" + placeholders(len(in.Columns)) + ")"
	size := func(i int) int { return sizeOf(in.Rows[i]) }
	for lo, hi := range chunks(len(in.Rows), 0, len(in.Columns), size) {
		args := make([]any, 0, (hi-lo)*len(in.Columns))
		for _, values := range in.Rows[lo:hi] {
			args = append(args, values...)
		}
		query := head + row + strings.Repeat(", "+row, hi-lo-1) + tail
		if _, err := tx.exec(ctx, query, args); err != nil {
			return err
		}
	}
	return nil
}

func placeholders(n int) string {
	return strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
}
