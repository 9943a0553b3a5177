package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// Apply answers one request. It is ApplyAll with one item.
func (e *Engine) Apply(ctx context.Context, r Request) (Result, error) {
	result := e.ApplyAll(ctx, []Request{r})[0]
	return result, result.Err()
}

// ApplyAll answers many requests in shared transactions. Requests for one subject are decided one
// after the other, in their order. When ctx ends before a request was carried by a COMMIT, it is
// answered with ctx's error and nothing happened.
func (e *Engine) ApplyAll(ctx context.Context, rs []Request) []Result {
	if err := e.enter(); err != nil {
		return refusedAll(rs, err)
	}
	defer e.leave()
	items := make([]*item, len(rs))
	var open, dry []*item
	values := context.WithoutCancel(ctx)
	misplaced := OutsideActions(ctx)
	for i, r := range rs {
		it := e.prepare(r.asked(values))
		if misplaced != nil {
			it.reject(misplaced)
		}
		items[i] = it
		switch {
		case it.done:
		case r.DryRun:
			dry = append(dry, it)
		default:
			open = append(open, it)
		}
	}
	for _, it := range dry {
		e.rehearse(ctx, e.db, it)
	}
	e.run(ctx, open)
	e.completeAnswers(ctx, e.db, items)
	e.journal.record(ctx, items)
	results := make([]Result, len(items))
	for i, it := range items {
		results[i] = it.result
	}
	e.observe(items)
	return results
}

func (e *Engine) observe(items []*item) {
	if e.cfg.Observe == nil {
		return
	}
	for _, it := range items {
		e.cfg.Observe(Observation{Request: it.req, Result: it.result, Took: e.cfg.Now().Sub(it.began)})
	}
}

// rehearse decides one request in a world of its own and writes nothing.
func (e *Engine) rehearse(ctx context.Context, from reader, it *item) {
	w, verdicts, err := e.readAndDecide(ctx, from, []*item{it}, lockNothing)
	switch {
	case err != nil && dberr.Classify(err) == dberr.Unavailable:
		it.finish(Result{Outcome: Unavailable, RetryAfter: retryAfter(Unavailable, ""), Cause: err})
	case err != nil:
		it.reject(err)
	case verdicts[0].kind == verdictFinal:
		it.finish(verdicts[0].result)
	default:
		s := w.subject(it.ref(), it.m)
		it.finish(w.answer(it, s, Conflict, LostRace, nil).result)
	}
}

// completeAnswers adds state and version to answers that were given before the subject was read.
func (e *Engine) completeAnswers(ctx context.Context, from reader, items []*item) {
	wanted := map[ref]bool{}
	var incomplete []*item
	for _, it := range items {
		if it.done && it.m != nil && it.result.err == nil && it.result.State == "" &&
			(it.result.Outcome == Illegal || it.result.Outcome == Conflict) {
			incomplete = append(incomplete, it)
			wanted[it.ref()] = true
		}
	}
	if len(incomplete) == 0 {
		return
	}
	w := &world{rows: map[ref]any{}}
	rows, keep, err := e.rowReadings(ctx, from, lockNothing, wanted)
	if err != nil || from.Read(ctx, rows) != nil {
		return // the answer stands without it
	}
	keep(w)
	for _, it := range incomplete {
		if row := w.rows[it.ref()]; row != nil {
			it.result.State, it.result.Version = it.m.row.stateOf(row), it.m.row.versionOf(row)
		} else if it.req.row == nil && it.result.Outcome == Illegal {
			it.result = Result{Outcome: NotFound, Machine: it.req.Machine, ID: it.req.ID, Event: it.req.Event, DryRun: it.req.DryRun}
		}
	}
}

// run answers all items. Each try either answers items, or costs one of a bounded number of tries,
// or splits its group. What is left of a group stands before the groups behind it, so requests for
// one subject are decided in their order.
func (e *Engine) run(ctx context.Context, items []*item) {
	if len(items) == 0 {
		return
	}
	first := &group{run: &run{doubtful: map[Key]bool{}}, items: items, lock: e.contest.lately(items)}
	for _, it := range items {
		first.lock = first.lock || it.req.ForUpdate
	}
	for queue := []*group{first}; len(queue) > 0; {
		g := queue[0]
		queue = append(e.try(ctx, g), queue[1:]...)
	}
}

// try runs one transaction for a group and returns what is left to do, in order.
func (e *Engine) try(ctx context.Context, g *group) []*group {
	if g.claim() == 0 {
		return nil
	}
	ctx, cancel := g.context(ctx)
	defer cancel()
	if err := e.pause(ctx, g); err != nil {
		g.giveUp(err)
		return nil
	}
	var r, settled *round
	var err error
	if g.lock {
		err = e.db.InTx(ctx, func(tx *sqldb.Tx) error {
			if r, err = e.round(ctx, tx, g.items, lockRows); err != nil {
				return err
			}
			if settled = g.committed(r.w); settled == nil {
				err = g.certain(ctx, tx, r)
			}
			switch {
			case err != nil:
				return err
			case settled != nil || len(r.w.order) == 0:
				return errNothingToWrite
			}
			return write(ctx, tx, r.w)
		})
	} else if r, err = e.round(ctx, e.db, g.items, lockNothing); err == nil && len(r.w.order) > 0 {
		r.answerFinal() // does not depend on what is about to be written
		err = writeAlone(ctx, e.db, r.w)
	}
	if err == nil || errors.Is(err, errNothingToWrite) {
		if settled != nil {
			r = settled
		}
		for _, tell := range r.w.told {
			tell()
		}
		r.w.told = nil // once, also where several parts of a group are settled by one round
		return r.answerAll(g)
	}
	return e.recoverFrom(ctx, g, r, err)
}

// errNothingToWrite ends a transaction that was opened to lock rows and decided to write none.
var errNothingToWrite = errors.New("nothing to write")

// round is one decision for a group.
type round struct {
	w        *world
	items    []*item
	verdicts []verdict
	until    time.Time // once its COMMIT is in doubt: when it is over, by the database's clock; see dberr.CommitError
}

func (e *Engine) round(ctx context.Context, from reader, items []*item, lock locking) (*round, error) {
	w, verdicts, err := e.readAndDecide(ctx, from, items, lock)
	return &round{w: w, items: items, verdicts: verdicts}, err
}

// readAndDecide reads a world and judges the items in it, reading more where that turns out to be needed.
func (e *Engine) readAndDecide(ctx context.Context, from reader, items []*item, lock locking) (*world, []verdict, error) {
	w, err := e.read(ctx, from, items, lock)
	if err != nil {
		return nil, nil, err
	}
	for range passesMax {
		verdicts, more := make([]verdict, len(items)), false
		for i, it := range items {
			verdicts[i] = w.decide(ctx, it)
			more = more || verdicts[i].kind == verdictMore
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err // guards may have been cut short: nothing of this round is an answer
		}
		if !more {
			return w, verdicts, nil
		}
		if err := e.readMore(ctx, from, w, items); err != nil {
			return nil, nil, err
		}
		w.reset()
	}
	return w, nil, fmt.Errorf("%w: the subject kept moving while it was read", errLostRace)
}

// answerFinal answers what holds whether or not the round's moves commit.
func (r *round) answerFinal() {
	for i, it := range r.items {
		if v := r.verdicts[i]; v.kind == verdictFinal && v.after == nil {
			it.finish(v.result)
		}
	}
}

// answerAll answers what g wants of everything decided, after the moves have committed, and returns
// what waited.
func (r *round) answerAll(g *group) []*group {
	var waiting []*item
	for i, it := range r.items {
		switch v := r.verdicts[i]; {
		case it.done, it.in != g:
		case v.kind == verdictWait:
			waiting = append(waiting, it)
		default:
			it.finish(r.w.named(v.result))
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return []*group{{run: g.run, items: waiting, lock: g.lock}}
}
