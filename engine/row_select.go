package engine

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine/internal/sqldb"
)

// rowsPerQuery is how many rows are asked for in one statement.
const rowsPerQuery = 1000

// selects is how rows of one type are read. gorm writes each statement once, so that whatever the row
// type has gorm add to it, such as the condition of a soft delete, holds here too.
type selects struct {
	columns map[string]*schema.Field
	hook    bool // the row type has AfterFind
	texts   sync.Map

	where string // what gorm adds, for the engine's own statements
	args  []any
}

// selectShape is what the text of a SELECT depends on.
type selectShape struct {
	rows int
	lock bool
}

// selectText is a SELECT by keys, with a slot wherever a key belongs.
type selectText struct {
	query string
	args  []any
}

// slot stands for the n-th key.
type slot int

func (r *rowType) selectText(ctx context.Context, from reader, shape selectShape) (selectText, error) {
	if t, known := r.selects.texts.Load(shape); known {
		return t.(selectText), nil
	}
	slots := make([]any, shape.rows)
	for i := range slots {
		slots[i] = slot(i)
	}
	q := from.Gorm(ctx).Session(&gorm.Session{DryRun: true}).Table(r.table).
		Where(clause.IN{Column: clause.Column{Name: r.id.DBName}, Values: slots}).
		Order(clause.OrderByColumn{Column: clause.Column{Name: r.id.DBName}})
	if shape.lock {
		q = q.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate})
	}
	q = r.query(q)
	if q.Error != nil {
		return selectText{}, q.Error
	}
	t := selectText{query: q.Statement.SQL.String(), args: q.Statement.Vars}
	r.selects.texts.Store(shape, t)
	return t, nil
}

// readings are the statements that read the rows of some keys, locked by primary key where lock asks
// for it and the database knows row locks. Keys without a row have none.
func (r *rowType) readings(ctx context.Context, from reader, ids []string, lock locking,
	found map[string]any) ([]sqldb.Reading, error) {
	keys := make([]any, 0, len(ids))
	for _, id := range ids {
		key, ok := r.key(id)
		if _, large := key.(uint64); large && from.Dialect() == sqldb.SQLite {
			continue // more than an integer of SQLite can be
		}
		if ok {
			keys = append(keys, key)
		}
	}
	var all []sqldb.Reading
	for len(keys) > 0 {
		n := min(rowsPerQuery, len(keys))
		text, err := r.selectText(ctx, from, selectShape{rows: n, lock: lock != lockNothing && from.Dialect() == sqldb.MySQL})
		if err != nil {
			return nil, err
		}
		args := make([]any, len(text.args))
		for i, arg := range text.args {
			if place, ok := arg.(slot); ok {
				arg = keys[place]
			}
			args[i] = arg
		}
		all = append(all, sqldb.Reading{Query: text.query, Args: args, Row: r.scanner(ctx, from, found)})
		keys = keys[n:]
	}
	return all, nil
}

// scanner fills found with the rows of one result, in the way of gorm.
func (r *rowType) scanner(ctx context.Context, from reader, found map[string]any) func(*sql.Rows) error {
	var fields []*schema.Field
	var values []any
	return func(rows *sql.Rows) error {
		if fields == nil {
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			fields, values = make([]*schema.Field, len(columns)), make([]any, len(columns))
			for i, column := range columns {
				if f := r.selects.columns[column]; f != nil && f.Readable {
					fields[i] = f
				} else {
					values[i] = new(sql.RawBytes)
				}
			}
		}
		row, err := r.scan(rows, fields, values)
		if err != nil {
			return err
		}
		if r.selects.hook {
			if err := row.(callbacks.AfterFindInterface).AfterFind(from.Gorm(ctx)); err != nil {
				return fmt.Errorf("AfterFind: %w", err)
			}
		}
		id, err := r.ids.of(row)
		if err != nil {
			return err
		}
		found[id] = row
		return nil
	}
}

func (r *rowType) scan(rows *sql.Rows, fields []*schema.Field, values []any) (any, error) {
	for i, f := range fields {
		if f != nil {
			values[i] = f.NewValuePool.Get()
		}
	}
	if err := rows.Scan(values...); err != nil {
		return nil, err
	}
	row := r.newRow()
	target := reflect.ValueOf(row).Elem()
	for i, f := range fields {
		if f == nil {
			continue
		}
		if err := f.Set(background, target, values[i]); err != nil {
			return nil, fmt.Errorf("column %s: %w", f.DBName, err)
		}
		f.NewValuePool.Put(values[i])
	}
	return row, nil
}

// load reads the rows of some keys. Keys without a row are left out.
func (r *rowType) load(ctx context.Context, from reader, ids []string, lock locking) (map[string]any, error) {
	found := make(map[string]any, len(ids))
	rs, err := r.readings(ctx, from, ids, lock, found)
	if err != nil {
		return nil, err
	}
	return found, from.Read(ctx, rs)
}
