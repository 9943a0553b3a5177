package sqldb

import (
	"context"
	"errors"

	"example.com/orderd/engine/dberr"
)

// Script is writing statements that are all known before they run, so that they can be sent at once.
// The zero value is empty. Its statements run in the order of their addition.
type Script struct{ parts []stepper }

// stepper is a part of a script, which becomes statements when it is known where they will run.
type stepper interface{ steps(Dialect) ([]step, error) }

// step is one statement.
type step struct {
	query string
	args  []any
	rows  int64 // it must write; or anyRows

	// anchor is where the query has a question mark for a value that must not be NULL; 0 for nowhere.
	anchor int
}

const anyRows = -1

// Update adds an update, each of whose rows must be where it has to be.
func (s *Script) Update(u Update) { s.parts = append(s.parts, u) }

// Insert adds an insert.
func (s *Script) Insert(in Insert) {
	if len(in.Rows) > 0 {
		s.parts = append(s.parts, in)
	}
}

// Merge adds a merge.
func (s *Script) Merge(m Merge) {
	if len(m.Rows) > 0 {
		s.parts = append(s.parts, m)
	}
}

// Exec adds a statement that may write any number of rows.
func (s *Script) Exec(query string, args ...any) {
	s.parts = append(s.parts, step{query: query, args: args, rows: anyRows})
}

// Append adds all of another script.
func (s *Script) Append(other Script) { s.parts = append(s.parts, other.parts...) }

func (s step) steps(Dialect) ([]step, error) { return []step{s}, nil }

func (s Script) steps(d Dialect) ([]step, error) {
	var all []step
	for _, part := range s.parts {
		steps, err := part.steps(d)
		if err != nil {
			return nil, err
		}
		all = append(all, steps...)
	}
	return all, nil
}

// Play runs a script in the transaction, up to its first error.
func (tx *Tx) Play(ctx context.Context, s Script) error { return tx.carryOut(ctx, s) }

func (tx *Tx) carryOut(ctx context.Context, s stepper) error {
	steps, err := s.steps(tx.dialect)
	if err != nil {
		return tx.Fail(err)
	}
	for _, s := range steps {
		n, err := tx.Exec(ctx, s.query, s.args...)
		if err != nil {
			return err
		}
		if s.rows != anyRows && n != s.rows {
			return dberr.ErrRunAgain
		}
	}
	return tx.Err()
}

// Play runs a script in a transaction of its own and commits it, unless a statement fails: in one
// packet where the database takes such, which is one round trip, and else statement by statement. Its
// errors are those of InTx, and dberr.ErrRunAgain. What goes wrong while a packet is under way may leave its
// COMMIT unknown, even where InTx would know.
func (db *DB) Play(ctx context.Context, s Script) error {
	if db.packets.on() {
		steps, err := s.steps(db.dialect)
		if err != nil {
			return err
		}
		if fits(steps) {
			var no NoPackets
			if err := db.packets.play(ctx, steps); !errors.As(err, &no) && !errors.Is(err, errNotSent) {
				return err
			}
		}
	}
	return db.InTx(ctx, func(tx *Tx) error { return tx.Play(ctx, s) })
}
