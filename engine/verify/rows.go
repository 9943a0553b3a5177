package verify

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// rowsPart is how many rows one statement of Rows looks at.
const rowsPart = 1000

// Rows is a check of amounts that walks a table by its column id, which is text. The query gets the ids
// around one part of the table, for id > ? AND id <= ?, and selects an id and numbers of every row that
// is wrong; text says what they mean. Findings are about Money, and the rows are a machine's.
func Rows(name, table, machine, query, text string) Check {
	return Check{Name: name, Run: func(ctx context.Context, g *gorm.DB, found func(Finding)) error {
		db, err := sqldb.Wrap(ctx, g)
		if err != nil {
			return err
		}
		for from := ""; ; {
			var to string
			next := fmt.Sprintf(`SELECT COALESCE(MAX(id), '') FROM (SELECT id FROM %s WHERE id > ? ORDER BY id LIMIT %d) part`,
				table, rowsPart)
			err := db.Each(ctx, next, []any{from}, func(rows *sql.Rows) error { return rows.Scan(&to) })
			if err != nil || to == "" {
				return err
			}
			err = db.Each(ctx, query, []any{from, to}, func(rows *sql.Rows) error {
				columns, err := rows.Columns()
				if err != nil {
					return err
				}
				var id string
				row, numbers := []any{&id}, make([]any, len(columns)-1)
				for i := range numbers {
					n := new(int64)
					row, numbers[i] = append(row, n), n
				}
				if err := rows.Scan(row...); err != nil {
					return err
				}
				for i, n := range numbers {
					numbers[i] = *n.(*int64)
				}
				found(Finding{Invariant: Money, Machine: machine, Subject: id, Text: fmt.Sprintf(text, numbers...)})
				return nil
			})
			if err != nil {
				return err
			}
			from = to
		}
	}}
}
