package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderd/internal/sqldb"
)

// adoptChunk bounds the rows adopted in one transaction, strangeMax those that an error names.
const (
	adoptChunk = 500
	strangeMax = 10
)

func adoptionOf(m *machine, id string, state State, now time.Time) Transition {
	return Transition{
		Machine: m.name, Subject: id, Version: 1, Event: eventAdopt, To: state,
		Key:         Key{Source: sourceAdopt, Seq: adoptSeq(m.name, id)},
		Fingerprint: fingerprint(m.name, id, eventAdopt, nil),
		Actor:       sourceAdopt, MachineVersion: m.desc.Hash, At: now,
	}
}

// adoptSeq keeps within the length of a key: a subject may have 128 bytes, a machine 64.
func adoptSeq(machine, id string) string { return machine + "/" + id }

// Adopt gives up to limit rows that the engine did not create their first transition, in chunks. A
// row is unadopted while its version is 0, which a table with a version of its own has to set once for
// all rows. It returns how many it adopted; fewer than limit means none are left. It may be repeated
// and run while the engine works: a row that moves meanwhile is adopted by that move. Rows in states
// that the machine does not have are left alone; the error names the first of them.
func (e *Engine) Adopt(ctx context.Context, machine string, limit int) (int, error) {
	m := e.machines[machine]
	if m == nil {
		return 0, &RequestError{Field: "Machine", Problem: fmt.Sprintf("%q is not known", machine)}
	}
	adopted, last := 0, ""
	var strange []error
	for adopted < limit {
		found, err := m.row.unadopted(e.db.Gorm(ctx), last, min(adoptChunk, limit-adopted))
		if err != nil {
			return adopted, fmt.Errorf("adopt %s: %w", machine, err)
		}
		if len(found) == 0 {
			break
		}
		last = m.row.idOf(found[len(found)-1])
		var ids []string
		for _, row := range found {
			id, state := m.row.idOf(row), m.row.stateOf(row)
			if m.hasState(state) {
				ids = append(ids, id)
			} else if len(strange) < strangeMax {
				strange = append(strange, fmt.Errorf("adopt %s %s: %w", machine, id, m.row.states.strange(row)))
			}
		}
		n, err := e.adoptSome(ctx, m, ids)
		adopted += n
		if err != nil {
			return adopted, err
		}
	}
	return adopted, errors.Join(strange...)
}

// adoptSome adopts one chunk. It decides on locked rows, so that a row which moved since the search
// is seen to have been adopted.
func (e *Engine) adoptSome(ctx context.Context, m *machine, ids []string) (adopted int, err error) {
	if len(ids) == 0 {
		return 0, nil
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
	update := sqldb.Update{
		Table: m.row.table, ID: m.row.id.DBName, State: m.row.state.DBName, Version: m.row.version.DBName,
		Where: m.row.selects.where, Args: m.row.selects.args,
	}
	history := sqldb.Insert{Table: "engine_transitions", Columns: historyColumns}
	now := e.cfg.Now()
	for _, id := range ids {
		row := rows[id]
		if row == nil || m.row.versionOf(row) != 0 {
			continue
		}
		state := m.row.stateOf(row)
		if !m.hasState(state) {
			return fmt.Errorf("adopt %s %s: %w", m.name, id, m.row.states.strange(row))
		}
		key, _ := m.row.key(id)
		stored := m.row.states.arg(state)
		update.Rows = append(update.Rows, sqldb.UpdateRow{ID: key, From: stored, To: stored, NewVersion: 1})
		hashes, err := m.adoptionHashes(row)
		if err != nil {
			return fmt.Errorf("adopt %s %s: %w", m.name, id, err)
		}
		history.Rows = append(history.Rows, historyRow(adoptionOf(m, id, state, now), hashes, nil))
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
