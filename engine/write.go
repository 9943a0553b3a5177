package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/internal/sqldb"
)

// write carries out a round's moves in one transaction, always in the same order of tables:
// subjects, SQL of the user, history, messages, timers.
func write(ctx context.Context, tx *sqldb.Tx, w *world) error {
	slices.SortFunc(w.order, func(a, b *subject) int { // rows are locked in one order by everybody
		if c := strings.Compare(a.ref.machine, b.ref.machine); c != 0 {
			return c
		}
		return strings.Compare(a.ref.id, b.ref.id)
	})
	if err := writeSubjects(ctx, tx, w); err != nil {
		return err
	}
	if err := execute(ctx, tx, w); err != nil {
		return err
	}
	if err := writeHistory(ctx, tx, w); err != nil {
		return err
	}
	if err := writeMessages(ctx, tx, w); err != nil {
		return err
	}
	return writeTimers(ctx, tx, w)
}

// writeSubjects inserts the new rows and moves the others, each on the condition that it is still
// where it was read.
func writeSubjects(ctx context.Context, tx *sqldb.Tx, w *world) error {
	created := map[*machine][]any{}
	var updates []sqldb.Update
	index := map[string]int{}
	for _, s := range w.order {
		first := s.moves[0]
		if first.call.from == "" {
			created[s.m] = append(created[s.m], s.row)
			continue
		}
		row, columns, err := updateOf(w, s)
		if err != nil {
			return err
		}
		shape := s.ref.machine + " " + strings.Join(columns, ",")
		i, known := index[shape]
		if !known {
			i = len(updates)
			index[shape] = i
			t := s.m.row
			updates = append(updates, sqldb.Update{
				Table: t.table, ID: t.id.DBName, State: t.state.DBName, Version: t.version.DBName, Columns: columns,
			})
		}
		updates[i].Rows = append(updates[i].Rows, row)
	}
	for _, u := range updates {
		moved, err := tx.Update(ctx, u)
		if err != nil {
			return err
		}
		if moved != int64(len(u.Rows)) {
			return errLostRace
		}
	}
	return insertSubjects(ctx, tx, w, created)
}

func updateOf(w *world, s *subject) (sqldb.UpdateRow, []string, error) {
	before := w.rows[s.ref]
	old, err := s.m.row.snapshot(before)
	if err != nil {
		return sqldb.UpdateRow{}, nil, err
	}
	columns, values, err := s.m.row.changed(s.row, old)
	if err != nil {
		return sqldb.UpdateRow{}, nil, err
	}
	key, _ := s.m.row.key(s.ref.id)
	return sqldb.UpdateRow{
		ID: key, From: string(s.m.row.stateOf(before)), To: string(s.state),
		Version: s.m.row.versionOf(before), NewVersion: s.version, Values: values,
	}, columns, nil
}

func insertSubjects(ctx context.Context, tx *sqldb.Tx, w *world, created map[*machine][]any) error {
	for _, s := range w.order { // in order, though the map is not
		rows := created[s.m]
		if rows == nil {
			continue
		}
		delete(created, s.m)
		db := tx.Gorm(ctx).Session(&gorm.Session{NowFunc: func() time.Time { return w.now }})
		if err := s.m.row.create(db.Table(s.m.row.table), rows); err != nil {
			return err
		}
	}
	return nil
}

// execute runs the SQL of the user: the actions of each edge in their order, ExecAll for all calls
// of the batch at once.
func execute(ctx context.Context, tx *sqldb.Tx, w *world) error {
	var open []*move
	longest := 0
	for _, s := range w.order {
		for _, mv := range s.moves {
			if n := len(mv.edge.execs); n > 0 {
				open = append(open, mv)
				longest = max(longest, n)
			}
		}
	}
	for place := range longest {
		if err := executePlace(ctx, tx, open, place); err != nil {
			return err
		}
	}
	return nil
}

// executePlace runs the actions that stand at one place of their edges.
func executePlace(ctx context.Context, tx *sqldb.Tx, open []*move, place int) error {
	type group struct {
		action action
		moves  []*move
	}
	var groups []*group
	for _, mv := range open {
		if place >= len(mv.edge.execs) {
			continue
		}
		a := mv.edge.execs[place]
		if a.exec != nil {
			err := guarded(a.name, func() error { return a.exec(ctx, tx.Gorm(ctx), mv.call) })
			if err := blame(tx, mv, a.name, err); err != nil {
				return err
			}
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool {
			return g.moves[0].edge == mv.edge && g.moves[0].item.m == mv.item.m
		})
		if i < 0 {
			groups = append(groups, &group{action: a, moves: []*move{mv}})
		} else {
			groups[i].moves = append(groups[i].moves, mv)
		}
	}
	for _, g := range groups {
		if err := executeAll(ctx, tx, g.action, g.moves); err != nil {
			return err
		}
	}
	return nil
}

func executeAll(ctx context.Context, tx *sqldb.Tx, a action, moves []*move) error {
	calls := make([]*call, len(moves))
	for i, mv := range moves {
		calls[i] = mv.call
	}
	var errs []error
	err := guarded(a.name, func() error { errs = a.execAll(ctx, tx.Gorm(ctx), calls); return nil })
	if err == nil && errs != nil && len(errs) != len(moves) {
		err = fmt.Errorf("action %s returned %d errors for %d calls", a.name, len(errs), len(moves))
	}
	if err != nil {
		if len(moves) == 1 {
			return blame(tx, moves[0], a.name, err)
		}
		return err // whose fault it is shows when the batch is split
	}
	for i, err := range errs {
		if err := blame(tx, moves[i], a.name, err); err != nil {
			return err
		}
	}
	return tx.Err()
}

// blame names the item whose action failed. What the database may forgive on another try, and what
// it did to a statement whose error the action swallowed, is nobody's fault.
func blame(tx *sqldb.Tx, mv *move, action string, err error) error {
	if sticky := tx.Err(); sticky != nil && (err == nil || sqldb.Classify(sticky).Transient()) {
		if sqldb.Classify(sticky).Transient() {
			return sticky
		}
		err = fmt.Errorf("a statement failed and its error was not returned: %w", sticky)
	}
	var panicked *PanicError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &panicked) && sqldb.Classify(err).Transient():
		return err
	}
	return &culprit{item: mv.item, action: action, err: err}
}

func writeHistory(ctx context.Context, tx *sqldb.Tx, w *world) error {
	in := sqldb.Insert{Table: "engine_transitions", Columns: transitionColumns}
	for _, s := range w.order {
		for _, mv := range s.moves {
			if mv.adopted != nil {
				in.Rows = append(in.Rows, transitionRow(*mv.adopted))
			}
			in.Rows = append(in.Rows, transitionRow(mv.fact))
		}
	}
	return tx.Insert(ctx, in)
}

func writeMessages(ctx context.Context, tx *sqldb.Tx, w *world) error {
	in := sqldb.Insert{Table: "engine_messages", Columns: []string{
		"machine", "subject", "version", "ordinal", "type", "data", "status", "tries", "next_at",
		"lease_owner", "lease_epoch", "problem", "created_at",
	}}
	for _, s := range w.order {
		for _, mv := range s.moves {
			for i, msg := range mv.fx.messages {
				in.Rows = append(in.Rows, []any{
					s.ref.machine, s.ref.id, mv.fact.Version, i + 1, msg.kind, string(msg.data),
					"pending", 0, w.now, "", 0, "", w.now,
				})
			}
		}
	}
	if len(in.Rows) == 0 {
		return nil
	}
	return tx.Insert(ctx, in)
}
