package engine

import (
	"context"
	"errors"
	"fmt"

	"example.com/orderd/engine/internal/sqldb"
)

// An action that asks something by ApplyTx asks it in a transaction that is half done: the rows of its round
// have moved, and history tells so only once all actions have run. What would be judged by such a row, or by a
// key that is about to be written, has no right answer yet.

// asking is an action under way.
type asking struct {
	w     *world
	moves []*move // whose action it is: one, or all the calls of an ExecAll
	outer *asking // whose action asked for what this one belongs to
	torn  bool    // it has asked about what another request of its round moves
}

var errTorn = errors.New("is being moved by another request of the same transaction: the action runs again, alone")

// ask runs an action. What it does past its transaction is its author's mistake, whether or not it tells.
func (w *world) ask(ctx context.Context, tx *sqldb.Tx, moves []*move, name string,
	run func(context.Context) error) (*asking, error) {
	outer, _ := tx.Inside().(*asking)
	a := &asking{w: w, moves: moves, outer: outer}
	defer tx.Enter(a)()
	ctx, acting := tx.Acting(ctx, name)
	err := closingRows(tx, func() error { return panicAsError(name, func() error { return run(ctx) }) })
	if mistake := acting.End(); err == nil {
		err = mistake
	}
	return a, err
}

// OutsideActions returns an error that matches ErrBadRequest if ctx is the one that an action under way was given:
// what is asked with it by anything else than InTx, ApplyTx and CreateTx would wait for the action's own transaction, or
// commit apart from it, once each time the action runs. An Applier that lets requests wait, or takes locks for them,
// asks this first.
func OutsideActions(ctx context.Context) error {
	a := sqldb.ActionOf(ctx)
	if a == nil {
		return nil
	}
	return a.Mistaken(&RequestError{Field: "ctx", Problem: fmt.Sprintf("is that of action %s, which runs inside a transaction, "+
		"and this would happen outside of it: ask engine.InTx(tx), with the *gorm.DB that the action is given, "+
		"or ask once the transition has been answered", a.Name())})
}

// closingRows runs the user's code in a transaction, and is an error if it has left rows open, which would be in the way of
// whatever comes next.
func closingRows(tx *sqldb.Tx, run func() error) error {
	left := tx.Watch()
	err := run()
	if left() && err == nil {
		return sqldb.ErrRowsOpen
	}
	return err
}

// admit refuses what an action under way must not ask now. What the action itself is about to do is its
// author's mistake. What another request of its round does is nobody's: the action has to run in a
// transaction of its own, behind that request's, and sees it whole there.
func admit(tx *sqldb.Tx, action *asking, it *item) error {
	if err := tx.Again(); err != nil {
		return err // nothing that is answered now will last
	}
	for a := action; a != nil; a = a.outer {
		if s := a.w.subjects[it.ref()]; s != nil && len(s.moves) > 0 {
			return a.meets(s.moves[0], &RequestError{Field: "ID", Problem: "is being moved by this very transition"})
		}
		if mv := a.w.planned[it.key]; mv != nil {
			return a.meets(mv, &RequestError{Field: "Key", Problem: "is the key of this very transition"})
		}
	}
	return nil
}

func (a *asking) meets(mv *move, mistake error) error {
	if len(a.moves) == 1 && a.moves[0].subject == mv.subject {
		return mistake
	}
	a.torn = true
	return errTorn
}

// conclude judges an action by what became of its asking, whatever it has made of the answers. It reports
// whether that was all there is to say, and returns an error when the transaction cannot go on.
func (a *asking) conclude(tx *sqldb.Tx, action string, all *failures) (concluded bool, err error) {
	if err := tx.Again(); lostRace(err) {
		for _, mv := range a.moves {
			all.again.add(mv.item, len(a.moves) == 1)
		}
		return true, &all.again
	} else if err != nil {
		return true, err
	}
	if !a.torn {
		return false, nil
	}
	for _, mv := range a.moves {
		all.bad = append(all.bad, culprit{item: mv.item, action: action, err: errTorn})
	}
	if tx.Err() != nil {
		return true, all.orNil()
	}
	return true, nil
}

// passing is the error that stuck to a transaction, if the database may forgive it on another try.
func passing(ctx context.Context, tx *sqldb.Tx) error {
	if class, err := tx.Failure(ctx); class.Transient() {
		return err
	}
	return nil
}
