package engine

import (
	"context"
	"database/sql"
	"fmt"

	"example.com/orderd/internal/sqldb"
)

// writeTimers stops and arms what the moves asked for, in their order. A timer belongs to the visit
// of the state that its subject is in after the move.
func writeTimers(ctx context.Context, tx *sqldb.Tx, w *world) error {
	for _, s := range w.order {
		for i, mv := range s.moves {
			for _, name := range mv.fx.stops {
				_, err := tx.Exec(ctx, `UPDATE engine_timers SET status = 'stopped', lease_epoch = lease_epoch + 1
					WHERE machine = ? AND subject = ? AND name = ? AND status = 'armed'`, s.ref.machine, s.ref.id, name)
				if err != nil {
					return err
				}
			}
			if len(mv.fx.timers) == 0 {
				continue
			}
			entered, err := enteredAt(ctx, tx, s, i)
			if err != nil {
				return err
			}
			if err := armTimers(ctx, tx, w, mv, entered); err != nil {
				return err
			}
		}
	}
	return nil
}

func armTimers(ctx context.Context, tx *sqldb.Tx, w *world, mv *move, entered int64) error {
	in := sqldb.Insert{Table: "engine_timers", Columns: []string{
		"machine", "subject", "entered", "name", "event", "due_at", "status",
		"lease_owner", "lease_epoch", "armed_at",
	}}
	for _, t := range mv.fx.timers {
		in.Rows = append(in.Rows, []any{
			mv.subject.ref.machine, mv.subject.ref.id, entered, t.name, string(t.event), t.dueAt, "armed", "", 1, w.now,
		})
	}
	return tx.Merge(ctx, in, []string{"machine", "subject", "entered", "name"},
		[]string{"lease_epoch"}, []string{"event", "due_at", "status", "armed_at"})
}

// enteredAt is the version with which the subject entered the state it is in after its i-th move.
// Self-loops neither end nor begin a visit.
func enteredAt(ctx context.Context, tx *sqldb.Tx, s *subject, i int) (int64, error) {
	for ; i >= 0; i-- {
		if t := s.moves[i].fact; t.From != t.To {
			return t.Version, nil
		}
		if a := s.moves[i].adopted; a != nil {
			return a.Version, nil
		}
	}
	var entered sql.NullInt64
	first := s.moves[0].fact
	err := tx.Each(ctx, `SELECT MAX(version) FROM engine_transitions
		WHERE machine = ? AND subject = ? AND to_status = ? AND from_status <> to_status AND version < ?`,
		[]any{s.ref.machine, s.ref.id, string(first.From), first.Version},
		func(rows *sql.Rows) error { return rows.Scan(&entered) })
	if err == nil && !entered.Valid {
		err = fmt.Errorf("%s %s: history has no entry into %s", s.ref.machine, s.ref.id, first.From)
	}
	return entered.Int64, err
}
