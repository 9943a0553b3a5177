package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// execute runs the SQL of the user: the actions of each edge in their order, ExecAll for all calls
// of the group at once.
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
		if err := executePlace(ctx, tx, w, open, place); err != nil {
			return err
		}
	}
	return nil
}

// executePlace runs the actions that stand at one place of their edges. It goes on after an item's own
// failure as long as the transaction does, so that one transaction finds all culprits.
func executePlace(ctx context.Context, tx *sqldb.Tx, w *world, open []*move, place int) error {
	var all failures
	var groups [][]*move // of one edge each
	for _, mv := range open {
		if place >= len(mv.edge.execs) {
			continue
		}
		a := mv.edge.execs[place]
		if a.exec == nil {
			i := slices.IndexFunc(groups, func(g []*move) bool { return g[0].edge == mv.edge && g[0].item.m == mv.item.m })
			if i < 0 {
				i, groups = len(groups), append(groups, nil)
			}
			groups[i] = append(groups[i], mv)
			continue
		}
		own := mv.item.context(ctx)
		asked, err := w.ask(own, tx, []*move{mv}, a.name, func(ctx context.Context) error {
			return a.exec(ctx, tx.Gorm(ctx), mv.call)
		})
		concluded, over := asked.conclude(tx, a.name, &all)
		if !concluded {
			over = all.add(ctx, tx, mv, a.name, err, true)
		}
		if over != nil {
			return over
		}
	}
	for _, moves := range groups {
		if err := executeAll(ctx, tx, w, moves[0].edge.execs[place], moves, &all); err != nil {
			return err
		}
	}
	return all.orNil()
}

func executeAll(ctx context.Context, tx *sqldb.Tx, w *world, a action, moves []*move, all *failures) error {
	calls := make([]*call, len(moves))
	for i, mv := range moves {
		calls[i] = mv.call
	}
	var errs []error
	asked, err := w.ask(ctx, tx, moves, a.name, func(ctx context.Context) error {
		errs = a.execAll(ctx, tx.Gorm(ctx), calls)
		return nil
	})
	if concluded, over := asked.conclude(tx, a.name, all); concluded {
		return over
	}
	if err == nil && errs != nil && len(errs) != len(moves) {
		err = fmt.Errorf("action %s returned %d errors for %d calls", a.name, len(errs), len(moves))
	}
	if err != nil {
		if len(moves) == 1 {
			return all.add(ctx, tx, moves[0], a.name, err, true)
		}
		return err // whose fault it is shows when the group is split
	}
	blamed := len(moves) == 1 || slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, ErrRunAgain) })
	for i, err := range errs {
		if err == nil {
			continue
		}
		if err := all.add(ctx, tx, moves[i], a.name, err, blamed); err != nil {
			return err
		}
	}
	if tx.Err() == nil {
		return nil
	}
	if len(moves) == 1 {
		return all.add(ctx, tx, moves[0], a.name, nil, true)
	}
	class, err := tx.Failure(ctx)
	if !class.Transient() {
		err = fmt.Errorf("action %s: %v", a.name, err) //nolint:errorlint // what it wraps says nothing about the database
	}
	return err
}

// failures are what the actions of one transaction have failed on.
type failures struct {
	bad   culprits
	again reruns
}

// add notes an item whose action failed; blamed says that it is certain to be this item's. It returns an error
// when the transaction cannot go on. What the database may forgive on another try is nobody's fault; whether it
// is that, the transaction says and never the action's error, which may wrap what it likes. An action that has
// seen for itself that another run may succeed says ErrRunAgain. A deadline of the action's own is its affair.
func (f *failures) add(ctx context.Context, tx *sqldb.Tx, mv *move, action string, err error, blamed bool) error {
	sticky := tx.Err()
	if sticky == nil && err == nil {
		return nil
	}
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if sticky != nil {
		if err := passing(ctx, tx); err != nil {
			return err
		}
		if err == nil {
			err = fmt.Errorf("a statement failed and its error was not returned: %w", sticky)
		}
	}
	if dberr.Classify(sticky) == dberr.Duplicate { // else a taken key is that of another database
		err = taken(err, sticky)
	}
	if errors.Is(err, ErrRunAgain) {
		f.again.add(mv.item, blamed)
	} else {
		f.bad = append(f.bad, culprit{item: mv.item, action: action, err: err})
	}
	if sticky != nil {
		return f.orNil()
	}
	return nil
}

// orNil is the error of a transaction with failures. Where there are culprits, they have their answers or run
// alone, and what asked for another run gets it with the rest.
func (f *failures) orNil() error {
	switch {
	case len(f.bad) > 0:
		return f.bad
	case len(f.again.items) > 0:
		return &f.again
	}
	return nil
}
