package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// writeAlone carries out a round's moves in a transaction of their own: as one script where no SQL of
// others has to run in it.
func writeAlone(ctx context.Context, db *sqldb.DB, w *world) error {
	if !w.scripted() {
		return db.InTx(ctx, func(tx *sqldb.Tx) error { return write(ctx, tx, w) })
	}
	w.sort()
	script, err := moveScript(w)
	if err != nil {
		return err
	}
	script.Append(recordScript(w, nil))
	return db.Play(ctx, script)
}

// scripted reports whether all SQL of a round is known before its transaction begins: the user adds
// none, gorm makes no rows, and no timer asks when its visit began.
func (w *world) scripted() bool {
	for _, s := range w.order {
		if s.moves[0].call.from == "" {
			return false
		}
		for i, mv := range s.moves {
			if len(mv.edge.execs) > 0 {
				return false
			}
			if _, known := s.entered(i); !known && len(mv.fx.timers) > 0 {
				return false
			}
		}
	}
	return true
}

// sort puts the subjects into the order in which everybody locks rows.
func (w *world) sort() {
	slices.SortFunc(w.order, func(a, b *subject) int { return a.ref.compare(b.ref) })
}

// write carries out a round's moves in a transaction, always in the same order of tables: subjects,
// SQL of the user, history, messages, timers.
func write(ctx context.Context, tx *sqldb.Tx, w *world) error {
	w.sort()
	script, err := moveScript(w)
	if err != nil {
		return err
	}
	if err := tx.Play(ctx, script); err != nil {
		return missed(ctx, tx, w, err)
	}
	if err := insertSubjects(ctx, tx, w); err != nil {
		return err
	}
	if err := execute(ctx, tx, w); err != nil {
		return err
	}
	if err := w.fillPrints(); err != nil {
		return err
	}
	entered, err := readEntries(ctx, tx, w)
	if err != nil {
		return err
	}
	return tx.Play(ctx, recordScript(w, entered))
}

// moveScript moves rows that exist, each on the condition that it is still where it was read.
func moveScript(w *world) (sqldb.Script, error) {
	var script sqldb.Script
	var updates []sqldb.Update
	index := map[string]int{}
	for _, s := range w.order {
		if s.moves[0].call.from == "" {
			continue
		}
		row, columns, err := updateOf(w, s)
		if err != nil {
			return script, err
		}
		shape := s.ref.machine + " " + strings.Join(columns, ",")
		i, known := index[shape]
		if !known {
			i = len(updates)
			index[shape] = i
			t := s.m.row
			updates = append(updates, sqldb.Update{
				Table: t.table, ID: t.id.DBName, State: t.state.DBName, Version: t.version.DBName, Columns: columns,
				NullVersion: t.nullableVersion, Where: t.selects.where, Args: t.selects.args,
			})
		}
		updates[i].Rows = append(updates[i].Rows, row)
	}
	for _, u := range updates {
		script.Update(u)
	}
	return script, nil
}

func updateOf(w *world, s *subject) (sqldb.UpdateRow, []string, error) {
	before := w.rows[s.ref]
	columns, values, err := s.m.row.changed(before, s.row)
	if err != nil {
		return sqldb.UpdateRow{}, nil, err
	}
	key, _ := s.m.row.key(s.ref.id)
	return sqldb.UpdateRow{
		ID: key, From: s.m.row.states.arg(s.m.row.stateOf(before)), To: s.m.row.states.arg(s.state),
		Version: s.m.row.versionOf(before), NewVersion: s.version, Values: values,
	}, columns, nil
}

// insertSubjects makes new rows, in the order of the subjects; those last that get their keys by it.
func insertSubjects(ctx context.Context, tx *sqldb.Tx, w *world) error {
	var machines []*machine
	var unborn []*subject
	created := map[*machine][]*subject{}
	for _, s := range w.order {
		switch {
		case s.moves[0].call.from != "":
			continue
		case isUnborn(s.ref.id):
			unborn = append(unborn, s)
			continue
		case created[s.m] == nil:
			machines = append(machines, s.m)
		}
		created[s.m] = append(created[s.m], s)
	}
	for _, m := range machines {
		if err := m.row.insert(ctx, tx, w, created[m]); err != nil {
			return err
		}
	}
	for _, s := range unborn {
		if err := insertUnborn(ctx, tx, w, s); err != nil {
			return err
		}
	}
	return nil
}

// insert makes the rows of some subjects. Hooks see them on their way, and must leave alone what the engine drives.
func (r *rowType) insert(ctx context.Context, tx *sqldb.Tx, w *world, subjects []*subject) error {
	rows := make([]any, len(subjects))
	for i, s := range subjects {
		rows[i] = s.row
	}
	db := tx.Gorm(ctx).Session(&gorm.Session{NowFunc: func() time.Time { return w.now }})
	err := closingRows(tx, func() error { return r.create(db.Table(r.table), rows) })
	if sticky := tx.Err(); err != nil && dberr.Classify(sticky) == dberr.Duplicate {
		err = sticky // which says which key was taken, before gorm translated it
	}
	if err != nil || !r.createHook {
		return err
	}
	for _, s := range subjects {
		id, err := r.ids.of(s.row)
		switch {
		case err != nil:
			return err
		case !isUnborn(s.ref.id) && id != s.ref.id:
			return fmt.Errorf("%s %s: a hook of %T changed the key that Create was given to %q: let it make one only where "+
				"there is none, "+
				"or give Create none", s.ref.machine, s.ref.id, s.row, id)
		case !r.afterHook && r.related(s.row, nil) != "":
			return fmt.Errorf("%s %s: a hook of %T put rows into %s, which are of another table and are not saved: let a hook "+
				"AfterCreate "+
				"or an Exec save them", s.ref.machine, id, s.row, r.related(s.row, nil))
		case r.stateOf(s.row) != s.state || r.versionOf(s.row) != s.version:
			return fmt.Errorf("%s %s: a hook of %T changed the state or the version of the row, which only transitions do",
				s.ref.machine, id, s.row)
		}
	}
	return nil
}
