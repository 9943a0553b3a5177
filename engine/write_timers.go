package engine

import (
	"context"
	"database/sql"
	"fmt"

	"example.com/orderd/engine/internal/sqldb"
)

var timerColumns = []string{
	"machine", "subject", "entered", "name", "event", "due_at", "status", "arming",
	"next_at", "tries", "problem", "armed_at",
}

// scriptTimers stops and arms what the moves asked for, in their order. A timer belongs to the visit
// of the state that its subject is in after the move. What tells an arming from others of the same timer
// is the version that armed it: no transition has it again, whatever becomes of the row.
func scriptTimers(script *sqldb.Script, w *world, entered map[*move]int64) {
	for _, s := range w.order {
		for i, mv := range s.moves {
			for _, name := range mv.fx.stops {
				script.Exec(`UPDATE engine_timers SET status = 'stopped', next_at = ? WHERE machine = ? AND subject = ? AND name = ?
					AND COALESCE(status, '') IN ('armed', 'parked')`, w.now, s.ref.machine, s.ref.id, name)
			}
			visit, known := s.entered(i)
			if !known {
				visit = entered[mv]
			}
			armed := sqldb.Insert{Table: "engine_timers", Columns: timerColumns}
			for _, t := range mv.fx.timers {
				armed.Rows = append(armed.Rows, []any{
					s.ref.machine, s.ref.id, visit, t.name, string(t.event), t.dueAt, "armed", mv.fact.Version,
					t.dueAt, 0, "", w.now,
				})
			}
			script.Merge(sqldb.Merge{
				Insert: armed, Key: []string{"machine", "subject", "entered", "name"},
				Replace: []string{"event", "due_at", "status", "arming", "next_at", "tries", "problem", "armed_at"},
			})
		}
	}
}

// entered is the version with which the subject entered the state it is in after its i-th move, if
// that happened in this round. Self-loops neither end nor begin a visit.
func (s *subject) entered(i int) (version int64, known bool) {
	for ; i >= 0; i-- {
		if t := s.moves[i].fact; t.From != t.To {
			return t.Version, true
		}
		if a := s.moves[i].adopted; a != nil {
			return a.Version, true
		}
	}
	return 0, false
}

// readEntries asks history where the visits began whose timers are armed by a self-loop.
func readEntries(ctx context.Context, tx *sqldb.Tx, w *world) (map[*move]int64, error) {
	entered := map[*move]int64{}
	for _, s := range w.order {
		for i, mv := range s.moves {
			if _, known := s.entered(i); known || len(mv.fx.timers) == 0 {
				continue
			}
			version, err := readEntry(ctx, tx, s)
			if err != nil {
				return nil, err
			}
			entered[mv] = version
		}
	}
	return entered, nil
}

func readEntry(ctx context.Context, tx *sqldb.Tx, s *subject) (int64, error) {
	var entered sql.NullInt64
	first := s.moves[0].fact
	err := tx.Each(ctx, `SELECT MAX(version) FROM engine_transitions
		WHERE machine = ? AND subject = ? AND to_status = ? AND from_status <> to_status`,
		[]any{s.ref.machine, s.ref.id, string(first.From)},
		func(rows *sql.Rows) error { return rows.Scan(&entered) })
	if err == nil && !entered.Valid {
		err = fmt.Errorf("%s %s: history has no entry into %s", s.ref.machine, s.ref.id, first.From)
	}
	return entered.Int64, err
}
