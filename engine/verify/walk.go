package verify

import (
	"context"
	"database/sql"
	"math"
	"strconv"
	"strings"

	"example.com/orderd/engine"
)

// walk goes over all subjects of one machine.
type walk struct {
	v       *verifier
	machine string
	table   *table // nil where nobody said where the rows are
}

// machine checks all subjects of a machine: those that have rows, and then those that only the
// engine's tables know.
func (v *verifier) machine(ctx context.Context, name string) error {
	w := &walk{v: v, machine: name, table: v.tables[name]}
	if w.table == nil {
		v.report.Tableless = append(v.report.Tableless, name)
	}
	lists := w.lists()
	for i, l := range lists {
		err := l.pages(ctx, v, func(ids []string) error {
			for _, earlier := range lists[:i] {
				var err error
				if ids, err = earlier.without(ctx, v, ids); err != nil {
					return err
				}
			}
			return w.check(ctx, ids)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// check looks at some subjects in parts of bounded size.
func (w *walk) check(ctx context.Context, ids []string) error {
	lengths, err := w.lengths(ctx, ids)
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		n, rows := 0, int64(0)
		for n < len(ids) && (n == 0 || rows+lengths[ids[n]] <= int64(w.v.bounds.rows)) {
			rows += lengths[ids[n]]
			n++
		}
		if rows > int64(w.v.bounds.rows) {
			err = w.long(ctx, ids[0])
		} else {
			err = w.part(ctx, ids[:n])
		}
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// part looks at subjects with all that belongs to them.
func (w *walk) part(ctx context.Context, ids []string) error {
	stored, err := w.rows(ctx, ids)
	if err != nil {
		return err
	}
	pasts, err := w.read(ctx, ids, span{math.MinInt64, math.MaxInt64})
	if err != nil {
		return err
	}
	for _, id := range ids {
		t := w.trail(id, stored)
		if err := t.follow(ctx, pasts[id]); err != nil {
			return err
		}
		t.end(pasts[id].head)
	}
	w.v.advance()
	return nil
}

func (w *walk) trail(id string, stored map[string]engine.StoredRow) trail {
	t := trail{walk: w, id: id}
	if row, ok := stored[id]; ok {
		t.stored = &row
	}
	return t
}

// long looks at one subject piece by piece. What is behind cannot change, because history only grows;
// the row is compared with what the last piece was read with.
func (w *walk) long(ctx context.Context, id string) error {
	stored, err := w.rows(ctx, []string{id})
	if err != nil {
		return err
	}
	t := w.trail(id, stored)
	for at := (span{math.MinInt64, 0}); at.after < math.MaxInt64; at.after = at.upTo {
		var err error
		if at.upTo, err = w.cut(ctx, id, at.after); err != nil {
			return err
		}
		pasts, err := w.read(ctx, []string{id}, at)
		if err != nil {
			return err
		}
		if err := t.follow(ctx, pasts[id]); err != nil {
			return err
		}
		if at.upTo == math.MaxInt64 {
			t.end(pasts[id].head)
		}
		w.v.advance()
	}
	return nil
}

// cut is the version at which a piece of a long history ends; the last piece has no end.
func (w *walk) cut(ctx context.Context, id string, after int64) (upTo int64, err error) {
	upTo = math.MaxInt64
	err = w.v.db.Each(ctx, `SELECT version FROM engine_transitions WHERE machine = ? AND subject = ? AND version > ?
		ORDER BY version LIMIT 1 OFFSET `+strconv.Itoa(w.v.bounds.rows-1), []any{w.machine, id, after},
		func(rows *sql.Rows) error { return rows.Scan(&upTo) })
	return upTo, err
}

// lengths is how many transitions some subjects have.
func (w *walk) lengths(ctx context.Context, ids []string) (map[string]int64, error) {
	lengths := make(map[string]int64, len(ids))
	if len(ids) == 0 {
		return lengths, nil
	}
	err := w.v.db.Each(ctx, `SELECT subject, COUNT(*) FROM engine_transitions WHERE machine = ? AND subject IN `+marks(len(ids))+`
		GROUP BY subject`, args(w.machine, texts(ids)), func(rows *sql.Rows) error {
		var id string
		var n int64
		err := rows.Scan(&id, &n)
		lengths[id] = n
		return err
	})
	return lengths, err
}

// marks is a list of n parameters.
func marks(n int) string { return "(?" + strings.Repeat(",?", n-1) + ")" }

// args flattens lists of arguments.
func args(parts ...any) []any {
	var all []any
	for _, p := range parts {
		if list, ok := p.([]any); ok {
			all = append(all, list...)
		} else {
			all = append(all, p)
		}
	}
	return all
}

func texts(ids []string) []any {
	all := make([]any, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}
