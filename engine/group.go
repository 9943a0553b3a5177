package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/retry"
)

// run is one call of ApplyAll on its way: what all its groups share.
type run struct {
	doubtful map[Key]bool // keys that a COMMIT without an answer has carried
	away     bool         // a group has given up because the database is away
}

// group is a set of items that share transactions, in the order in which they came.
type group struct {
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

// claim drops the items that have their answer and takes the others for this group. It returns how
// many there are.
func (g *group) claim() int {
	open := make([]*item, 0, len(g.items))
	for _, it := range g.items {
		if !it.done {
			it.in = g
			open = append(open, it)
		}
	}
	g.items = open
	return len(open)
}

// context is the caller's, or the engine's own once a COMMIT is in doubt: the answer is then worth
// having even if the caller has gone.
func (g *group) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.settleBy.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(context.WithoutCancel(ctx), g.settleBy)
}

// pause waits before another try, and ends the group when its caller has gone.
func (e *Engine) pause(ctx context.Context, g *group) error {
	if g.tries > 0 && g.settleBy.IsZero() || g.tries > 1 {
		longest := min(retry.Doubled(e.cfg.Backoff, 100*time.Millisecond, g.tries), 100*time.Millisecond)
		if err := retry.Sleep(ctx, time.Duration(e.cfg.Rand()%uint64(longest+1))); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// doubt keeps a round whose COMMIT got no answer, and marks what it carried.
func (e *Engine) doubt(g *group, r *round) {
	for _, s := range r.w.order {
		for _, mv := range s.moves {
			mv.item.inDoubt = true
			g.run.doubtful[mv.item.key] = true
		}
	}
	g.doubts = append(g.doubts, r)
	g.lock = true
	if g.settleBy.IsZero() {
		g.settleBy = time.Now().Add(e.cfg.Settle) // real time: it bounds waiting, it dates nothing
	}
}

// committed is the round in doubt whose transitions history has, seen from a world that was read behind
// the locks which that round held. A transaction stands as a whole, so this one has given every answer
// of that round, and they are the same as if its COMMIT had been heard. Nil if there is none such.
func (g *group) committed(w *world) *round {
	for _, r := range g.doubts {
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

// again tries a group once more, or splits it so that one bad row cannot hold the others, or ends it.
// An outage is nobody's fault: it ends the group, and the groups behind it try once.
func (e *Engine) again(ctx context.Context, g *group, cost int) []*group {
	g.tries += cost
	limit := e.cfg.Tries
	switch {
	case !g.settleBy.IsZero():
		limit = 1 << 20 // bounded by the time to settle
	case g.run.away && dberr.Classify(g.failure) == dberr.Unavailable:
		limit = 1
	}
	if g.tries < limit {
		return []*group{g}
	}
	if e.db.Away(ctx, g.failure) {
		g.run.away = true
	} else if rest := g.loseReruns(); rest != nil {
		return rest
	} else if len(g.items) > 1 {
		return g.halves()
	}
	g.giveUp(g.failure)
	return nil
}

// part is a group of some items that goes on from where g is.
func (g *group) part(items []*item) *group {
	return &group{run: g.run, items: items, lock: g.lock, doubts: g.doubts, settleBy: g.settleBy}
}

// halves splits a group to find what is wrong with it.
func (g *group) halves() []*group {
	n := len(g.items) / 2
	return []*group{g.part(g.items[:n]), g.part(g.items[n:])}
}

// giveUp ends a group whose tries or time are used up. Unknown is what may have happened: the requests
// that a COMMIT in doubt has carried, and their twins.
func (g *group) giveUp(err error) {
	over := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	for _, it := range g.items {
		switch {
		case it.done:
		case g.run.doubtful[it.key]:
			it.finish(Result{Outcome: Unknown, RetryAfter: retryAfter(Unknown, "")})
		case over && g.settleBy.IsZero():
			it.reject(err)
		case over || dberr.Classify(err) == dberr.Unavailable || errors.Is(err, dberr.ErrLockWait):
			it.finish(Result{Outcome: Unavailable, RetryAfter: retryAfter(Unavailable, ""), Cause: err})
		default:
			g.lose(it)
		}
	}
}

// lose ends an item for which all tries have lost a race. A COMMIT in doubt may have carried it all the same.
func (g *group) lose(it *item) {
	if g.run.doubtful[it.key] {
		it.finish(Result{Outcome: Unknown, RetryAfter: retryAfter(Unknown, "")})
		return
	}
	it.finish(Result{Outcome: Conflict, Detail: LostRace, RetryAfter: retryAfter(Conflict, LostRace)})
}

// failAll ends a group with a fault.
func (g *group) failAll(err error) {
	for _, it := range g.items {
		if !it.done {
			it.reject(fmt.Errorf("write: %w", taken(err, nil)))
		}
	}
}
