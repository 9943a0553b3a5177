package engine

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// triesTx bounds deciding again inside a caller's transaction.
const triesTx = 3

// ApplyTx answers one request inside the caller's own transaction: a *gorm.DB from Begin or
// Transaction, or the handle that Exec is given. It matches ErrBadRequest if tx is in no
// transaction. A refusal leaves the transaction as it was and usable. So does a fault, unless it
// matches ErrTxEnded: then nothing of the transaction is left, and whatever follows on its handles
// fails. The engine neither retries nor settles here: that is the caller's, with the same key. Attempts
// are journalled in the same transaction. After COMMIT the caller says Committed, so that observers
// hear of it.
//
// Inside Exec the transaction is the engine's, and so is all of that: what the database may forgive is
// tried again as a whole, and an action that asks about a subject which another request of its transaction
// moves runs again in one of its own, whatever it makes of the error. To ask about the very subject that
// the action's own transition moves is a mistake and matches ErrBadRequest. InTx finds the engine there.
func (e *Engine) ApplyTx(ctx context.Context, tx *gorm.DB, r Request) (Result, error) {
	joined, err := sqldb.Join(tx)
	if err != nil || joined.Inside() == nil { // else the action's own request is under way
		if refusal := e.enter(); refusal != nil {
			result := refused(r, refusal)
			return result, result.Err()
		}
		defer e.leave()
	}
	if err != nil {
		it := e.prepare(r).reject(&RequestError{Field: "tx", Problem: "cannot be used", Cause: err})
		return it.result, it.result.Err()
	}
	return e.applyTx(ctx, joined, r)
}

func (e *Engine) applyTx(ctx context.Context, tx *sqldb.Tx, r Request) (Result, error) {
	it := e.prepare(r.asked(context.WithoutCancel(ctx)))
	action, _ := tx.Inside().(*asking)
	if it.result.err == nil {
		err := admit(tx, action, it)
		if err == nil {
			err = e.answerIn(ctx, tx, it)
		}
		if err != nil {
			it.reject(err)
		}
	}
	if action != nil {
		action.w.told = append(action.w.told, func() { e.observe([]*item{it}) })
	}
	return it.result, it.result.Err()
}

// InTx finds the engine whose action was given the handle tx: within Exec and ExecAll it is the Applier that
// answers in their transaction, by that engine's ApplyTx. So an action needs to know no engine, and whatever
// takes an Applier, such as Create, works inside an action, too. Requests of one ApplyAll are answered one after
// the other. A handle that no action under way was given is answered by a *RequestError: a transaction of the
// caller's own leads to no engine, so ask with that engine's ApplyTx, or with CreateTx.
func InTx(tx *gorm.DB) Applier { return inTx{tx} }

type inTx struct{ handle *gorm.DB }

func (t inTx) Apply(ctx context.Context, r Request) (Result, error) {
	tx, err := sqldb.Join(t.handle)
	if err == nil {
		if action, ok := tx.Inside().(*asking); ok {
			return action.w.engine.applyTx(ctx, tx, r)
		}
	}
	result := Failed(r, &RequestError{
		Field: "tx", Problem: "is not the handle that an action under way was given: elsewhere use the engine's " +
			"ApplyTx, or CreateTx", Cause: err,
	})
	return result, result.Err()
}

func (t inTx) ApplyAll(ctx context.Context, rs []Request) []Result {
	results := make([]Result, len(rs))
	for i, r := range rs {
		results[i], _ = t.Apply(ctx, r) // the error is the result's
	}
	return results
}

// answerIn answers one item behind a savepoint. An error says that there is no transaction any more, or
// that it cannot be told what is left of it, whatever the item's answer was.
func (e *Engine) answerIn(ctx context.Context, tx *sqldb.Tx, it *item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before, err := tx.Savepoint(ctx)
	if err != nil {
		return err
	}
	switch {
	case it.done:
	case it.req.DryRun:
		e.rehearse(ctx, tx, it)
	default:
		if err := e.applyIn(ctx, tx, before, it); err != nil {
			return err
		}
	}
	e.completeAnswers(ctx, tx, []*item{it})
	if tx.Err() != nil { // of a read: nothing is written but what applyIn has answered for
		tx.RunAgain(passing(ctx, tx))
		if err := before.Restore(ctx); err != nil {
			return err
		}
	}
	if err := e.journal.recordIn(ctx, tx, it); err != nil {
		if err := before.Restore(ctx); err != nil {
			return err
		}
		e.cfg.Logger.Error("an attempt could not be journalled", "error", err)
	}
	return before.Release(ctx)
}

// Committed tells observers of results that ApplyTx gave in a transaction that has since committed.
func (e *Engine) Committed(results ...Result) {
	if e == nil || e.cfg.Observe == nil {
		return
	}
	for _, r := range results {
		e.cfg.Observe(Observation{Request: Request{Machine: r.Machine, ID: r.ID, Event: r.Event}, Result: r})
	}
}

// applyIn answers an item, or returns an error if the transaction has ended.
func (e *Engine) applyIn(ctx context.Context, tx *sqldb.Tx, before *sqldb.Savepoint, it *item) error {
	var last, passes error
	g := &group{items: []*item{it}}
	g.claim()
	lock := lockRows
	for range triesTx {
		var r *round
		if r, last = e.tryIn(ctx, tx, it, lock); last == nil {
			r.answerAll(g)
			if outer, ok := tx.Inside().(*asking); ok { // what is undone with it is told with it
				outer.w.told = append(outer.w.told, r.w.told...)
			}
			return nil
		}
		passes = passing(ctx, tx)
		if err := before.Restore(ctx); err != nil {
			return err
		}
		var bad culprits
		lock = lockAll
		if errors.As(last, &bad) {
			r.w.lock = lock
			used, err := r.w.keyUsed(ctx, tx, it)
			if err != nil {
				it.reject(err)
				return nil
			}
			if !used {
				g.answerCulprit(bad[0], r)
				return nil
			}
			last = errLostRace // against its twin
			continue
		}
		if !lostRace(last) && dberr.Classify(last) != dberr.Duplicate {
			break
		}
	}
	if lostRace(last) {
		if m, ok := errors.AsType[*missedError](last); ok && m.fault != nil {
			it.reject(fmt.Errorf("write: %w", m.fault))
			return nil
		}
		tx.RunAgain(last)
		it.finish(Result{Outcome: Conflict, Detail: LostRace, RetryAfter: retryAfter(Conflict, LostRace)})
		return nil
	}
	tx.RunAgain(passes)
	it.reject(taken(last, nil))
	return nil
}

// tryIn decides and writes once. What is not a move is decided again on locking reads, because in a
// transaction of the caller's isolation level a plain read may be old.
func (e *Engine) tryIn(ctx context.Context, tx *sqldb.Tx, it *item, lock locking) (*round, error) {
	r, err := e.round(ctx, tx, []*item{it}, lock)
	if err == nil && len(r.w.order) == 0 && lock != lockAll {
		r, err = e.round(ctx, tx, []*item{it}, lockAll)
	}
	if err != nil || len(r.w.order) == 0 {
		return r, err
	}
	return r, write(ctx, tx, r.w)
}
