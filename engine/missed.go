package engine

import (
	"context"
	"errors"
	"fmt"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// missedError says that the conditional update met fewer rows than were locked for it. On locked rows that is no
// race: nobody else can have moved them.
type missedError struct {
	err   error
	fault error // if the only row is exactly where the update wanted it, what is wrong
}

func (m *missedError) Error() string { return m.err.Error() }
func (m *missedError) Unwrap() error { return m.err }

// missed is err, marked if it says that rows locked by this round were not where they had been read. A single one is
// read once more, in the same transaction: what is done in it, by a guard with a handle of its own, say, moves rows too.
func missed(ctx context.Context, tx *sqldb.Tx, w *world, err error) error {
	if w.lock == lockNothing || !errors.Is(err, dberr.ErrRunAgain) {
		return err
	}
	m := &missedError{err: err}
	if len(w.order) == 1 {
		m.fault = unmoved(ctx, tx, w)
	}
	return m
}

// unmoved is a fault if the only row of a round is still where the update wanted it: then trying again would be in
// vain. It is nil if the row has moved, or cannot be read.
func unmoved(ctx context.Context, tx *sqldb.Tx, w *world) error {
	s := w.order[0]
	t, before := s.m.row, w.rows[s.ref]
	found, err := t.load(ctx, tx, []string{s.ref.id}, lockRows)
	now := found[s.ref.id]
	if err != nil || before == nil || now == nil || t.stateOf(now) != t.stateOf(before) || t.versionOf(now) != t.versionOf(before) {
		return nil
	}
	return fmt.Errorf("table %s: the row with %s = %q reads %s = %q and %s = %d, where the update wants it, and nobody "+
		"else moves it, yet the update to "+
		"%q, %d changes no row: look for a trigger that undoes it, an AfterFind hook that changes what is read, or a column "+
		"that stores something else than it gives back",
		t.table, t.id.DBName, s.ref.id, t.state.DBName, t.stateOf(now), t.version.DBName, t.versionOf(now), s.state, s.version)
}
