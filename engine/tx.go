package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"gorm.io/gorm"

	"example.com/orderd/internal/sqldb"
)

// triesTx bounds deciding again inside a caller's transaction.
const triesTx = 3

var savepoints atomic.Uint64

// savepoint is a name not used before: one of the same name would replace an outer savepoint.
func savepoint() string { return fmt.Sprintf("engine_%d", savepoints.Add(1)) }

// ApplyTx answers one request inside the caller's own transaction: a *gorm.DB from Begin or
// Transaction, or the handle that Exec is given. It matches ErrBadRequest if tx is in no
// transaction. A refusal leaves the transaction as it was and usable; a fault may have ended it, so
// the caller must roll back. The engine neither retries nor settles here: that is the caller's, with
// the same key. Attempts are journalled in the same transaction. After COMMIT the caller says
// Committed, so that observers hear of it; inside Exec the engine does that itself.
func (e *Engine) ApplyTx(ctx context.Context, tx *gorm.DB, r Request) (Result, error) {
	it := e.prepare(r)
	joined, err := sqldb.Join(tx)
	switch {
	case err != nil:
		it.reject(&RequestError{Field: "tx", Problem: "cannot be used", Cause: err})
	case it.done:
	case r.DryRun:
		e.rehearse(ctx, joined, it)
	default:
		e.applyIn(ctx, joined, it)
	}
	if err == nil {
		e.placeUnplaced(ctx, joined, []*item{it})
		e.journal.recordIn(ctx, joined, it)
		if c := carrierOf(ctx); c != nil {
			c.items = append(c.items, it)
		}
	}
	return it.result, it.result.Err()
}

// Committed tells observers of results that ApplyTx gave in a transaction that has since committed.
func (e *Engine) Committed(results ...Result) {
	if e.cfg.Observe == nil {
		return
	}
	for _, r := range results {
		e.cfg.Observe(Observation{Request: Request{Machine: r.Machine, ID: r.ID, Event: r.Event}, Result: r})
	}
}

func (e *Engine) applyIn(ctx context.Context, tx *sqldb.Tx, it *item) {
	var last error
	b := &batch{items: []*item{it}}
	b.claim()
	lock := lockRows
	for range triesTx {
		name := savepoint()
		if last = tx.Savepoint(ctx, name); last != nil {
			break
		}
		var r *round
		r, last = e.tryIn(ctx, tx, it, lock)
		if last == nil {
			if last = tx.Release(ctx, name); last != nil {
				break
			}
			r.answerAll(b)
			return
		}
		if err := tx.RollbackTo(ctx, name); err != nil {
			it.reject(fmt.Errorf("%w; the transaction cannot go on: %w", last, err))
			return
		}
		var bad culprits
		lock = lockAll
		if errors.As(last, &bad) {
			r.w.lock = lock
			switch taken, err := r.w.keyTaken(ctx, tx, it); {
			case err != nil:
				it.reject(err)
				return
			case !taken:
				b.answerCulprit(bad[0], r)
				return
			}
			last = errLostRace // against its twin
			continue
		}
		if !lostRace(last) && sqldb.Classify(last) != sqldb.ClassDuplicate {
			break
		}
	}
	if lostRace(last) {
		it.finish(Result{Outcome: Conflict, Detail: LostRace, RetryAfter: retryAfter(Conflict, LostRace)})
		return
	}
	it.reject(last)
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

// carrier takes what ApplyTx did inside an Exec to the moment after the commit.
type carrier struct{ items []*item }

type carrierKey struct{}

func withCarrier(ctx context.Context) (context.Context, *carrier) {
	c := &carrier{}
	return context.WithValue(ctx, carrierKey{}, c), c
}

func carrierOf(ctx context.Context) *carrier {
	c, _ := ctx.Value(carrierKey{}).(*carrier)
	return c
}
