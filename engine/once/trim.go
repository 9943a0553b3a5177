package once

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// trimPart is how many rows one statement deletes. SQLite takes no expression that is 1,000 terms deep.
const trimPart = 100

// trim removes at most n rows of a table whose time is before another, the oldest first. It looks for
// them first and deletes by primary key, so that it locks nothing that it leaves.
func trim(ctx context.Context, db *sqldb.DB, table, keys, column string, before time.Time, n int) (int, error) {
	columns := strings.Split(keys, ", ")
	var where []string
	var args []any
	find := fmt.Sprintf("SELECT %s FROM %s WHERE %s < ? ORDER BY %s LIMIT %d", keys, table, column, column, n)
	err := db.Each(ctx, find, []any{before.UTC()}, func(rows *sql.Rows) error {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		where = append(where, "("+strings.Join(columns, " = ? AND ")+" = ?)")
		args = append(args, values...)
		return nil
	})
	if err != nil || len(where) == 0 {
		return 0, err
	}
	total := 0
	for some := range slices.Chunk(where, trimPart) {
		removed, err := db.Exec(ctx, "DELETE FROM "+table+" WHERE "+strings.Join(some, " OR "), args[:len(some)*len(columns)]...)
		if err != nil {
			return total, err
		}
		total, args = total+int(removed), args[len(some)*len(columns):]
	}
	return total, nil
}
