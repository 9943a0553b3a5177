package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderd/engine/dberr"
)

// run is one call of ApplyAll on its way: what all its batches share.
type run struct {
	doubtful map[Key]bool // keys that a COMMIT without an answer has carried
	away     bool         // a batch has given up because the database is away
}

// batch is a set of items that share transactions, in the order in which they came.
type batch struct {
	run      *run
	items    []*item
	tries    int
	lock     bool  // read and decide inside the transaction, on locked rows
	failure  error // of the last try
	doubts   []*round
	settleBy time.Time // set once a COMMIT got no answer

	duplicates int // tries that met a taken key
	reruns     int // tries that ended because actions wanted another
}

// claim drops the items that have their answer and takes the others for this batch. It returns how
// many there are.
func (b *batch) claim() int {
	open := make([]*item, 0, len(b.items))
	for _, it := range b.items {
		if !it.done {
			it.in = b
			open = append(open, it)
		}
	}
	b.items = open
	return len(open)
}

// context is the caller's, or the engine's own once a COMMIT is in doubt: the answer is then worth
// having even if the caller has gone.
func (b *batch) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.settleBy.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(context.WithoutCancel(ctx), b.settleBy)
}

// pause waits before another try, and ends the batch when its caller has gone.
func (e *Engine) pause(ctx context.Context, b *batch) error {
	if b.tries > 0 && b.settleBy.IsZero() || b.tries > 1 {
		longest := min(e.cfg.Backoff<<min(b.tries-1, 10), 100*time.Millisecond)
		wait := time.NewTimer(time.Duration(e.cfg.Rand() % uint64(longest+1)))
		defer wait.Stop()
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
	}
	return ctx.Err()
}

// doubt keeps a round whose COMMIT got no answer, and marks what it carried.
func (e *Engine) doubt(b *batch, r *round) {
	for _, s := range r.w.order {
		for _, mv := range s.moves {
			mv.item.inDoubt = true
			b.run.doubtful[mv.item.key] = true
		}
	}
	b.doubts = append(b.doubts, r)
	b.lock = true
	if b.settleBy.IsZero() {
		b.settleBy = time.Now().Add(e.cfg.Settle) // real time: it bounds waiting, it dates nothing
	}
}

// committed is the round in doubt whose transitions history has, seen from a world that was read behind
// the locks which that round held. A transaction stands as a whole, so this one has given every answer
// of that round, and they are the same as if its COMMIT had been heard. Nil if there is none such.
func (b *batch) committed(w *world) *round {
	for _, r := range b.doubts {
		for _, s := range r.w.order {
			for _, mv := range s.moves {
				if t := w.keys[mv.item.key]; t != nil && t.nonce == r.w.nonce {
					return r
				}
			}
		}
	}
	return nil
}

// again tries a batch once more, or splits it so that one bad row cannot hold the others, or ends it.
// An outage is nobody's fault: it ends the batch, and the batches behind it try once.
func (e *Engine) again(ctx context.Context, b *batch, cost int) []*batch {
	b.tries += cost
	limit := e.cfg.Tries
	switch {
	case !b.settleBy.IsZero():
		limit = 1 << 20 // bounded by the time to settle
	case b.run.away && dberr.Classify(b.failure) == dberr.Unavailable:
		limit = 1
	}
	if b.tries < limit {
		return []*batch{b}
	}
	if e.db.Away(ctx, b.failure) {
		b.run.away = true
	} else if rest := b.loseReruns(); rest != nil {
		return rest
	} else if len(b.items) > 1 {
		return b.halves()
	}
	b.giveUp(b.failure)
	return nil
}

// part is a batch of some items that goes on from where b is.
func (b *batch) part(items []*item) *batch {
	return &batch{run: b.run, items: items, lock: b.lock, doubts: b.doubts, settleBy: b.settleBy}
}

// halves splits a batch to find what is wrong with it.
func (b *batch) halves() []*batch {
	n := len(b.items) / 2
	return []*batch{b.part(b.items[:n]), b.part(b.items[n:])}
}

// giveUp ends a batch whose tries or time are used up. Unknown is what may have happened: the requests
// that a COMMIT in doubt has carried, and their twins.
func (b *batch) giveUp(err error) {
	over := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	for _, it := range b.items {
		switch {
		case it.done:
		case b.run.doubtful[it.key]:
			it.finish(Result{Outcome: Unknown, RetryAfter: retryAfter(Unknown, "")})
		case over && b.settleBy.IsZero():
			it.reject(err)
		case over || dberr.Classify(err) == dberr.Unavailable || errors.Is(err, dberr.ErrLockWait):
			it.finish(Result{Outcome: Unavailable, RetryAfter: retryAfter(Unavailable, ""), Cause: err})
		default:
			b.lose(it)
		}
	}
}

// lose ends an item for which all tries have lost a race. A COMMIT in doubt may have carried it all the same.
func (b *batch) lose(it *item) {
	if b.run.doubtful[it.key] {
		it.finish(Result{Outcome: Unknown, RetryAfter: retryAfter(Unknown, "")})
		return
	}
	it.finish(Result{Outcome: Conflict, Detail: LostRace, RetryAfter: retryAfter(Conflict, LostRace)})
}

// failAll ends a batch with a fault.
func (b *batch) failAll(err error) {
	for _, it := range b.items {
		if !it.done {
			it.reject(fmt.Errorf("write: %w", taken(err, nil)))
		}
	}
}
