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
func (g *group) aside() []*group {
	var asked *reruns
	if !errors.As(g.failure, &asked) {
		return nil
	}
	if g.reruns++; g.reruns < 2 { // most races are over by then
		return nil
	}
	free, held := g.behind(func(it *item) bool { return slices.Contains(asked.items, it) })
	if len(free) == 0 {
		return nil
	}
	return []*group{g.part(free), g.part(held)}
}

// loseReruns ends, with lost_race, the requests of a group whose tries are used up that are to blame for it. It
// returns what is left of the group, or nil if none was to blame.
func (g *group) loseReruns() []*group {
	var asked *reruns
	if !errors.As(g.failure, &asked) || len(asked.blame) == 0 {
		return nil
	}
	for _, it := range asked.blame {
		g.lose(it)
	}
	rest := g.part(g.items)
	if rest.claim() == 0 {
		return []*group{}
	}
	return []*group{rest}
}

// recoverFrom decides what becomes of a group whose transaction did not commit. The transaction has
// been rolled back, or its COMMIT is in doubt.
func (e *Engine) recoverFrom(ctx context.Context, g *group, r *round, err error) []*group {
	g.failure = err
	g.claim() // some refusals have been answered already
	var bad culprits
	var commit *dberr.CommitError
	class := dberr.Classify(err)
	switch {
	case errors.As(err, &bad): // first: what is in there is the user's
		return e.without(ctx, g, bad, r)
	case errors.As(err, &commit) && commit.Unknown:
		r.until = commit.Until
		e.doubt(g, r)
		return e.again(ctx, g, 1)
	case errors.Is(err, errUnderWay):
		return e.again(ctx, g, 1)
	case lostRace(err):
		return e.lost(ctx, g, r, err)
	case class == dberr.Duplicate && g.duplicates < duplicatesMax:
		g.duplicates++
		g.lock = true // a twin's key or subject, which the next read will show
		return e.again(ctx, g, 1)
	case class == dberr.Canceled && ctx.Err() != nil:
		g.giveUp(ctx.Err())
		return nil
	case errors.Is(err, dberr.ErrLockWait) && g.settleBy.IsZero(): // nobody who waits could write
		g.giveUp(err)
		return nil
	case class == dberr.LockWait:
		return e.again(ctx, g, 3) // each of these has waited long already
	case class.Transient() || class == dberr.Canceled:
		return e.again(ctx, g, 1)
	}
	if len(g.items) > 1 {
		return g.halves()
	}
	g.failAll(err)
	return nil
}

// lost goes on after a lost race, on locked rows: there progress is certain, and a miss is no race. Every race that
// was lost without locks gets such a try.
func (e *Engine) lost(ctx context.Context, g *group, r *round, err error) []*group {
	e.contest.lost(r.w)
	g.lock = true
	if parts := g.aside(); parts != nil {
		return parts
	}
	if r.w.lock == lockNothing {
		g.tries = min(g.tries, e.cfg.Tries-2)
		return e.again(ctx, g, 1)
	}
	if m, ok := errors.AsType[*missedError](err); ok {
		switch {
		case len(g.items) > 1:
			return g.halves()
		case m.fault != nil:
			g.failAll(m.fault)
			return nil
		}
	}
	return e.again(ctx, g, 1)
}

// without runs the others as a group and each culprit alone, where nobody else's doing can be what it
// failed on; a culprit that was alone has its answer, unless its twin has done it meanwhile.
func (e *Engine) without(ctx context.Context, g *group, bad culprits, r *round) []*group {
	if len(g.items) == 1 {
		switch used, err := r.w.keyUsed(ctx, e.db, bad[0].item); {
		case err != nil:
			g.failure = err
			return e.again(ctx, g, 1)
		case used:
			return e.again(ctx, g, 1)
		}
		g.answerCulprit(bad[0], r)
		return nil
	}
	return g.apart(bad)
}

// apart splits a group into what does not depend on its culprits, and then, in the order in which they
// came, each culprit alone and what stands behind one.
func (g *group) apart(bad culprits) []*group {
	isBad := func(it *item) bool { return slices.ContainsFunc(bad, func(c culprit) bool { return c.item == it }) }
	free, held := g.behind(isBad)
	var parts []*group
	if len(free) > 0 {
		parts = append(parts, g.part(free))
	}
	joins := false // the last part takes more
	for _, it := range held {
		alone := isBad(it)
		if alone || !joins {
			parts = append(parts, g.part(nil))
		}
		last := parts[len(parts)-1]
		last.items = append(last.items, it)
		joins = !alone
	}
	return parts
}

// behind parts a group's items into those that do not depend on some of them, and these with what stands behind
// one: requests for its subject or with its key.
func (g *group) behind(some func(*item) bool) (free, held []*item) {
	subjects, keys := map[ref]bool{}, map[Key]bool{}
	for _, it := range g.items {
		if !some(it) && !subjects[it.ref()] && !keys[it.key] {
			free = append(free, it)
			continue
		}
		subjects[it.ref()], keys[it.key] = true, true
		held = append(held, it)
	}
	return free, held
}

// keyUsed reports whether an item's key has been used by now. SQL actions wait for locks, and what
// they find then may be what the item's own twin has left: no refusal on a key read before.
func (w *world) keyUsed(ctx context.Context, from reader, it *item) (bool, error) {
	if it.keyless {
		return false, nil
	}
	if err := from.Read(ctx, w.keyReadings(from, []*item{it})); err != nil {
		return false, fmt.Errorf("read the key again: %w", err)
	}
	return w.keys[it.key] != nil, nil
}

func (g *group) answerCulprit(bad culprit, r *round) {
	for _, s := range r.w.order {
		for _, mv := range s.moves {
			if mv.item == bad.item {
				v := r.w.undo(mv, bad)
				bad.item.finish(v.result)
				return
			}
		}
	}
	g.failAll(bad.err)
}
