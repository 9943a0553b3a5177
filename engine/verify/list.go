package verify

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// list is a table that names subjects.
type list struct {
	from, column string
	machine      []any  // the machine, where the table has several machines' subjects
	table        *table // the table of the rows; nil for the engine's
}

// lists are the tables that name subjects of the machine, that of the rows first.
func (w *walk) lists() []list {
	var all []list
	if w.table != nil {
		all = append(all, list{from: w.table.name, column: w.table.id, table: w.table})
	}
	for _, name := range engineTables {
		all = append(all, list{from: name, column: "subject", machine: []any{w.machine}})
	}
	return all
}

func (l list) selecting(conditions ...string) string {
	query := `SELECT ` + l.column + ` FROM ` + l.from
	if l.table != nil {
		conditions = append([]string{l.column + ` IS NOT NULL`}, conditions...)
	}
	if l.machine != nil {
		conditions = append([]string{`machine = ?`}, conditions...)
	}
	if len(conditions) > 0 {
		query += ` WHERE ` + strings.Join(conditions, ` AND `)
	}
	return query + ` GROUP BY ` + l.column + ` ORDER BY ` + l.column
}

// pages calls f with the ids on the list, page by page in the order of their own column, which for
// numbers and collated text is not that of bytes.
func (l list) pages(ctx context.Context, v *verifier, f func(ids []string) error) error {
	query, last := l.selecting(), l.machine
	for {
		var ids []string
		var key any
		err := v.db.Each(ctx, query+` LIMIT `+strconv.Itoa(v.bounds.subjects), last, func(rows *sql.Rows) (err error) {
			var id string
			id, key, err = l.id(rows)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return fmt.Errorf("list %s: %w", l.from, err)
		}
		if len(ids) == 0 {
			return nil
		}
		if err := f(ids); err != nil {
			return err
		}
		after := texts(ids[len(ids)-1:])
		if l.table != nil {
			if after = l.table.keys(ids[len(ids)-1:]); len(after) == 0 { // no key of a subject, but a row has it
				after = []any{key}
			}
		}
		query, last = l.selecting(l.column+` > ?`), args(l.machine, after)
	}
}

// id reads the id of one row, and its key as it is stored. A key that is none of a subject's is its own id.
func (l list) id(rows *sql.Rows) (id string, key any, err error) {
	if l.table == nil {
		err = rows.Scan(&id)
		return id, id, err
	}
	if err := rows.Scan(&key); err != nil {
		return "", nil, err
	}
	if id, err = l.table.of.ReadID(key); err != nil {
		id = fmt.Sprint(key)
	}
	return id, key, nil
}

// without leaves out the ids that are on the list.
func (l list) without(ctx context.Context, v *verifier, ids []string) ([]string, error) {
	keys := texts(ids)
	if l.table != nil {
		keys = l.table.keys(ids)
	}
	if len(keys) == 0 {
		return ids, nil
	}
	has := map[string]bool{}
	err := v.db.Each(ctx, l.selecting(l.column+` IN `+marks(len(keys))), args(l.machine, keys), func(rows *sql.Rows) error {
		id, _, err := l.id(rows)
		has[id] = true
		return err
	})
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return has[id] }), err
}

// machines are all machines that there are rows of, and those asked for, sorted.
func (v *verifier) machines(ctx context.Context) ([]string, error) {
	var names []string
	for name := range v.tables {
		names = append(names, name)
	}
	for _, t := range engineTables {
		after, last := ``, []any(nil)
		for { // from name to name, each a look into the primary key
			found := false
			err := v.db.Each(ctx, `SELECT machine FROM `+t+after+` ORDER BY machine LIMIT 1`, last, func(rows *sql.Rows) error {
				var name string
				err := rows.Scan(&name)
				found, names, last = true, append(names, name), []any{name}
				return err
			})
			if err != nil {
				return nil, err
			}
			if !found {
				break
			}
			after = ` WHERE machine > ?`
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
