package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/orderd/engine/dberr"
)

// duplicatesMax is how often a taken key may be a twin's. One that still is taken is the user's own
// affair, such as a unique index of theirs.
const duplicatesMax = 3

// errLostRace says that a conditional update or a unique key met somebody else's row.
var errLostRace = errors.New("lost a race")

// lostRace reports whether a row was not where it was read.
func lostRace(err error) bool {
	return errors.Is(err, errLostRace) || errors.Is(err, dberr.ErrRunAgain)
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

// reruns are the requests of a transaction whose actions want the whole to be run again. It matches ErrRunAgain.
type reruns struct {
	items []*item
	blame []*item // those of items that are certain to have asked; one of an ExecAll may have asked for all its calls
}

func (r *reruns) Error() string { return "an action wants its transaction to be run again" }
func (r *reruns) Unwrap() error { return ErrRunAgain }

func (r *reruns) add(it *item, blamed bool) {
	r.items = append(r.items, it)
	if blamed {
		r.blame = append(r.blame, it)
	}
}

// aside lets requests that have asked for another run before run behind the others: what they wait for may take
// long, or never come. It returns nil where that changes nothing.
func (b *batch) aside() []*batch {
	var asked *reruns
	if !errors.As(b.failure, &asked) {
		return nil
	}
	if b.reruns++; b.reruns < 2 { // most races are over by then
		return nil
	}
	free, held := b.behind(func(it *item) bool { return slices.Contains(asked.items, it) })
	if len(free) == 0 {
		return nil
	}
	return []*batch{b.part(free), b.part(held)}
}

// loseReruns ends, with lost_race, the requests of a batch whose tries are used up that are to blame for it. It
// returns what is left of the batch, or nil if none was to blame.
func (b *batch) loseReruns() []*batch {
	var asked *reruns
	if !errors.As(b.failure, &asked) || len(asked.blame) == 0 {
		return nil
	}
	for _, it := range asked.blame {
		b.lose(it)
	}
	rest := b.part(b.items)
	if rest.claim() == 0 {
		return []*batch{}
	}
	return []*batch{rest}
}

// recoverFrom decides what becomes of a batch whose transaction did not commit. The transaction has
// been rolled back, or its COMMIT is in doubt.
func (e *Engine) recoverFrom(ctx context.Context, b *batch, r *round, err error) []*batch {
	b.failure = err
	b.claim() // some refusals have been answered already
	var bad culprits
	var commit *dberr.CommitError
	class := dberr.Classify(err)
	switch {
	case errors.As(err, &bad): // first: what is in there is the user's
		return e.without(ctx, b, bad, r)
	case errors.As(err, &commit) && commit.Unknown:
		r.until = commit.Until
		e.doubt(b, r)
		return e.again(ctx, b, 1)
	case errors.Is(err, errUnderWay):
		return e.again(ctx, b, 1)
	case lostRace(err):
		return e.lost(ctx, b, r, err)
	case class == dberr.Duplicate && b.duplicates < duplicatesMax:
		b.duplicates++
		b.lock = true // a twin's key or subject, which the next read will show
		return e.again(ctx, b, 1)
	case class == dberr.Canceled && ctx.Err() != nil:
		b.giveUp(ctx.Err())
		return nil
	case errors.Is(err, dberr.ErrLockWait) && b.settleBy.IsZero(): // nobody who waits could write
		b.giveUp(err)
		return nil
	case class == dberr.LockWait:
		return e.again(ctx, b, 3) // each of these has waited long already
	case class.Transient() || class == dberr.Canceled:
		return e.again(ctx, b, 1)
	}
	if len(b.items) > 1 {
		return b.halves()
	}
	b.failAll(err)
	return nil
}

// lost goes on after a lost race, on locked rows: there progress is certain, and a miss is no race. Every race that
// was lost without locks gets such a try.
func (e *Engine) lost(ctx context.Context, b *batch, r *round, err error) []*batch {
	e.contest.lost(r.w)
	b.lock = true
	if parts := b.aside(); parts != nil {
		return parts
	}
	if r.w.lock == lockNothing {
		b.tries = min(b.tries, e.cfg.Tries-2)
		return e.again(ctx, b, 1)
	}
	if m, ok := errors.AsType[*missedError](err); ok {
		switch {
		case len(b.items) > 1:
			return b.halves()
		case m.fault != nil:
			b.failAll(m.fault)
			return nil
		}
	}
	return e.again(ctx, b, 1)
}

// without runs the others as a batch and each culprit alone, where nobody else's doing can be what it
// failed on; a culprit that was alone has its answer, unless its twin has done it meanwhile.
func (e *Engine) without(ctx context.Context, b *batch, bad culprits, r *round) []*batch {
	if len(b.items) == 1 {
		switch taken, err := r.w.keyTaken(ctx, e.db, bad[0].item); {
		case err != nil:
			b.failure = err
			return e.again(ctx, b, 1)
		case taken:
			return e.again(ctx, b, 1)
		}
		b.answerCulprit(bad[0], r)
		return nil
	}
	return b.apart(bad)
}

// apart splits a batch into what does not depend on its culprits, and then, in the order in which they
// came, each culprit alone and what stands behind one.
func (b *batch) apart(bad culprits) []*batch {
	isBad := func(it *item) bool { return slices.ContainsFunc(bad, func(c culprit) bool { return c.item == it }) }
	free, held := b.behind(isBad)
	var parts []*batch
	if len(free) > 0 {
		parts = append(parts, b.part(free))
	}
	joins := false // the last part takes more
	for _, it := range held {
		alone := isBad(it)
		if alone || !joins {
			parts = append(parts, b.part(nil))
		}
		last := parts[len(parts)-1]
		last.items = append(last.items, it)
		joins = !alone
	}
	return parts
}

// behind parts a batch's items into those that do not depend on some of them, and these with what stands behind
// one: requests for its subject or with its key.
func (b *batch) behind(some func(*item) bool) (free, held []*item) {
	subjects, keys := map[ref]bool{}, map[Key]bool{}
	for _, it := range b.items {
		if !some(it) && !subjects[it.ref()] && !keys[it.key] {
			free = append(free, it)
			continue
		}
		subjects[it.ref()], keys[it.key] = true, true
		held = append(held, it)
	}
	return free, held
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
