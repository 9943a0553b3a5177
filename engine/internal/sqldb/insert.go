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

	// Required says that the first column is NOT NULL, and no row has NULL there. In a script, the
	// insert can then check the update before it.
	Required bool
}

// Insert writes the rows with as few statements as their size allows. A key that exists is an
// error of dberr.Duplicate.
func (tx *Tx) Insert(ctx context.Context, in Insert) error {
	return tx.carryOut(ctx, in)
}

// Merge inserts the rows, except that where Key exists already, the columns in Add grow by the row's
// values and the columns in Replace take them. A key may occur in several rows. For counters.
type Merge struct {
	Insert
	Key, Add, Replace []string // Key is the primary key and only unique key of the table
}

// Merge carries out a merge.
func (tx *Tx) Merge(ctx context.Context, m Merge) error {
	return tx.carryOut(ctx, m)
}

func (in Insert) steps(Dialect) ([]step, error) { return in.withTail("") }

func (m Merge) steps(d Dialect) ([]step, error) {
	if len(m.Add)+len(m.Replace) == 0 {
		return nil, fmt.Errorf("sqldb: merging into %s needs columns to add or replace", m.Table)
	}
	head, value := " ON DUPLICATE KEY UPDATE ", func(column string) string { return "VALUES(" + quote(column) + ")" }
	if d == SQLite {
		head = " ON CONFLICT (" + quoteAll(m.Key) + ") DO UPDATE SET "
		value = func(column string) string { return "excluded." + quote(column) }
	}
	var sets []string
	for _, column := range m.Add {
		sets = append(sets, quote(column)+" = "+quote(column)+" + "+value(column))
	}
	for _, column := range m.Replace {
		sets = append(sets, quote(column)+" = "+value(column))
	}
	return m.withTail(head + strings.Join(sets, ", "))
}

// withTail is the statements of an insert, each ending with tail.
func (in Insert) withTail(tail string) ([]step, error) {
	for i, row := range in.Rows {
		if len(row) != len(in.Columns) || len(row) == 0 {
			return nil, fmt.Errorf("sqldb: row %d for %s has %d values for %d columns", i, in.Table, len(row), len(in.Columns))
		}
	}
	head := "INSERT INTO " + quote(in.Table) + " (" + quoteAll(in.Columns) + ") VALUES "
	row := "(" + placeholders(len(in.Columns)) + ")"
	size := func(i int) int { return sizeOf(in.Rows[i]) }
	var steps []step
	for lo, hi := range chunks(len(in.Rows), 0, len(in.Columns), size) {
		args := make([]any, 0, (hi-lo)*len(in.Columns))
		for _, values := range in.Rows[lo:hi] {
			args = append(args, values...)
		}
		s := step{query: head + row + strings.Repeat(", "+row, hi-lo-1) + tail, args: args, rows: anyRows}
		if in.Required {
			s.anchor = len(head) + len("(")
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func placeholders(n int) string {
	return strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
}
