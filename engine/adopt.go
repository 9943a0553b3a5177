package engine

import (
	"context"
	"fmt"
	"time"

	"example.com/orderd/internal/sqldb"
)

// adoptChunk bounds the rows adopted in one transaction.
const adoptChunk = 500

func adoptionOf(m *machine, id string, state State, now time.Time) Transition {
	return Transition{
		Machine: m.name, Subject: id, Version: 1, Event: eventAdopt, To: state,
		Key:         Key{Source: "system:adopt", Seq: adoptSeq(m.name, id)},
		Fingerprint: fingerprint(m.name, id, eventAdopt, nil),
		Actor:       "system:adopt", MachineVersion: m.desc.Hash, At: now,
	}
}

// adoptSeq keeps within the length of a key: a subject may have 128 bytes, a machine 64.
func adoptSeq(machine, id string) string { return machine + "/" + id }

// Adopt gives up to limit rows that the engine did not create their first transition, in chunks. A
// row is unadopted while its version is 0. It returns how many it adopted; fewer than limit means
// none are left. It may be repeated and run while the engine works: a row that moves meanwhile is
// adopted by that move. A row in a state that the machine does not have stops it with an error.
func (e *Engine) Adopt(ctx context.Context, machine string, limit int) (int, error) {
	m := e.machines[machine]
	if m == nil {
		return 0, &RequestError{Field: "Machine", Problem: fmt.Sprintf("%q is not known", machine)}
	}
	adopted := 0
	for adopted < limit {
		n, err := e.adoptSome(ctx, m, min(adoptChunk, limit-adopted))
		adopted += n
		if err != nil || n == 0 {
			return adopted, err
		}
	}
	return adopted, nil
}

// adoptSome adopts one chunk. It decides on locked rows, so that a row which moved since the search
// is seen to have been adopted.
func (e *Engine) adoptSome(ctx context.Context, m *machine, limit int) (adopted int, err error) {
	found, err := m.row.unadopted(e.db.Gorm(ctx), limit)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	ids := make([]string, len(found))
	for i, row := range found {
		ids[i] = m.row.idOf(row)
	}
	err = e.db.Retry(ctx, func(tx *sqldb.Tx) error {
		adopted = 0
		rows, err := m.row.load(ctx, tx, ids, lockRows)
		if err != nil {
			return err
		}
		return e.adoptRows(ctx, tx, m, ids, rows, &adopted)
	})
	return adopted, err
}

func (e *Engine) adoptRows(ctx context.Context, tx *sqldb.Tx, m *machine, ids []string, rows map[string]any, adopted *int) error {
	update := sqldb.Update{Table: m.row.table, ID: m.row.id.DBName, State: m.row.state.DBName, Version: m.row.version.DBName}
	history := sqldb.Insert{Table: "engine_transitions", Columns: transitionColumns}
	now := e.cfg.Now()
	for _, id := range ids {
		row := rows[id]
		if row == nil || m.row.versionOf(row) != 0 {
			continue
		}
		state := m.row.stateOf(row)
		if !m.hasState(state) {
			return fmt.Errorf("adopt %s %s: the row is in state %q, which the machine does not have", m.name, id, state)
		}
		key, _ := m.row.key(id)
		update.Rows = append(update.Rows, sqldb.UpdateRow{ID: key, From: string(state), To: string(state), NewVersion: 1})
		history.Rows = append(history.Rows, transitionRow(adoptionOf(m, id, state, now)))
	}
	if len(update.Rows) == 0 {
		return nil
	}
	moved, err := tx.Update(ctx, update)
	if err != nil {
		return err
	}
	if moved != int64(len(update.Rows)) {
		return fmt.Errorf("adopt %s: %w", m.name, errLostRace)
	}
	*adopted = len(update.Rows)
	return tx.Insert(ctx, history)
}
