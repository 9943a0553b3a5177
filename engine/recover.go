package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderd/internal/sqldb"
)

// duplicatesMax is how often a taken key may be a twin's. One that still is taken is the user's own
// affair, such as a unique index of theirs.
const duplicatesMax = 3

// errLostRace says that a conditional update or a unique key met somebody else's row.
var errLostRace = errors.New("lost a race")

// lostRace reports whether a row was not where it was read.
func lostRace(err error) bool {
	return errors.Is(err, errLostRace) || errors.Is(err, sqldb.ErrMoved)
}

// culprit is the failure of one item's own code inside a shared transaction.
type culprit struct {
	item   *item
	action string
	err    error
}

// culprits are all that one transaction found, which is at least one.
type culprits []culprit

func (c culprits) Error() string { return c[0].err.Error() }
func (c culprits) Unwrap() error { return c[0].err }

// recoverFrom decides what becomes of a batch whose transaction did not commit. The transaction has
// been rolled back, or its COMMIT is in doubt.
func (e *Engine) recoverFrom(ctx context.Context, b *batch, r *round, err error) []*batch {
	b.failure = err
	var bad culprits
	var commit *sqldb.CommitError
	class := sqldb.Classify(err)
	switch {
	case errors.As(err, &commit) && commit.Unknown:
		e.doubt(b, r)
		return e.again(b, 1)
	case errors.As(err, &bad):
		return e.without(ctx, b, bad, r)
	case lostRace(err):
		e.contest.lost(r.w)
		b.lock = true // decide on locked rows from now on: progress is certain
		return e.again(b, 1)
	case class == sqldb.ClassDuplicate && b.duplicates < duplicatesMax:
		b.duplicates++
		b.lock = true // a twin's key or subject, which the next read will show
		return e.again(b, 1)
	case class == sqldb.ClassCanceled && ctx.Err() != nil:
		b.giveUp(ctx.Err())
		return nil
	case class == sqldb.ClassLockWait:
		return e.again(b, 3) // each of these has waited long already
	case class.Transient() || class == sqldb.ClassCanceled:
		return e.again(b, 1)
	}
	if len(b.items) > 1 {
		return b.halves()
	}
	b.failAll(err)
	return nil
}

// doubt marks everything that the lost COMMIT carried. Running the same keyed requests again settles
// it, because they queue behind the locks of the transaction in doubt; a read would not.
func (e *Engine) doubt(b *batch, r *round) {
	for _, s := range r.w.order {
		for _, mv := range s.moves {
			mv.item.inDoubt = true
		}
	}
	b.lock = true
	if b.settleBy.IsZero() {
		b.settleBy = time.Now().Add(e.cfg.Settle) // real time: it bounds waiting, it dates nothing
	}
}

// again tries a batch once more, or splits it so that one bad row cannot hold the others, or ends it.
func (e *Engine) again(b *batch, cost int) []*batch {
	b.tries += cost
	limit := e.cfg.Tries
	if !b.settleBy.IsZero() {
		limit = 1 << 20 // bounded by the time to settle
	}
	if b.tries < limit {
		return []*batch{b}
	}
	if len(b.items) > 1 {
		return b.halves()
	}
	b.giveUp(b.failure)
	return nil
}

// without runs the others as a batch and each culprit alone, where nobody else's doing can be what it
// failed on; a culprit that was alone has its answer, unless its twin has done it meanwhile.
func (e *Engine) without(ctx context.Context, b *batch, bad culprits, r *round) []*batch {
	if len(b.items) == 1 {
		switch taken, err := r.w.keyTaken(ctx, e.db, bad[0].item); {
		case err != nil:
			b.failure = err
			return e.again(b, 1)
		case taken:
			return e.again(b, 1)
		}
		b.answerCulprit(bad[0], r)
		return nil
	}
	split := []*batch{b.part(nil)}
	for _, it := range b.items {
		if slices.ContainsFunc(bad, func(c culprit) bool { return c.item == it }) {
			split = append(split, b.part([]*item{it}))
		} else {
			split[0].items = append(split[0].items, it)
		}
	}
	if len(split[0].items) == 0 {
		return split[1:]
	}
	return split
}

// keyTaken reports whether an item's key has been used by now. SQL actions wait for locks, and what
// they find then may be what the item's own twin has left: no refusal on a key read before.
func (w *world) keyTaken(ctx context.Context, from reader, it *item) (bool, error) {
	if it.keyless {
		return false, nil
	}
	if err := from.Read(ctx, w.keyReadings(from, []*item{it})); err != nil {
		return false, fmt.Errorf("read the key again: %w", err)
	}
	return w.keys[it.key] != nil, nil
}

func (b *batch) answerCulprit(bad culprit, r *round) {
	for _, s := range r.w.order {
		for _, mv := range s.moves {
			if mv.item == bad.item {
				v := r.w.undo(mv, bad)
				bad.item.finish(v.result)
				return
			}
		}
	}
	b.failAll(bad.err)
}

// part is a batch of some items that goes on from where b is.
func (b *batch) part(items []*item) *batch {
	return &batch{items: items, lock: b.lock, settleBy: b.settleBy, duplicates: b.duplicates}
}

// halves splits a batch to find what is wrong with it.
func (b *batch) halves() []*batch {
	n := len(b.items) / 2
	return []*batch{b.part(b.items[:n]), b.part(b.items[n:])}
}

// giveUp ends a batch whose tries or time are used up.
func (b *batch) giveUp(err error) {
	for _, it := range b.items {
		switch class := sqldb.Classify(err); {
		case it.done:
		case it.inDoubt:
			it.finish(Result{Outcome: Unknown, RetryAfter: retryAfter(Unknown, "")})
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			it.reject(err)
		case class == sqldb.ClassUnavailable:
			it.finish(Result{Outcome: Unavailable, RetryAfter: retryAfter(Unavailable, ""), Cause: err})
		default:
			it.finish(Result{Outcome: Conflict, Detail: LostRace, RetryAfter: retryAfter(Conflict, LostRace)})
		}
	}
}

// failAll ends a batch with a fault.
func (b *batch) failAll(err error) {
	for _, it := range b.items {
		if !it.done {
			it.reject(fmt.Errorf("write: %w", err))
		}
	}
}
