package bench

import (
	"context"

	"example.com/orderd/engine"
)

// hot lets all callers move one order: through one daemon's batcher, through those of two daemons on
// one database, and by hand, with the row locked while it is read. And it measures what a storm on one
// order does to those who move others.
func hot(ctx context.Context, r *run) error {
	s, err := r.scratch(ctx)
	if err != nil {
		return err
	}
	var daemons []engine.Applier
	for range 2 {
		e, err := r.withEngine(ctx, s)
		if err != nil {
			return err
		}
		b, err := r.withBatcher(ctx, e)
		if err != nil {
			return err
		}
		daemons = append(daemons, b)
	}
	byHand, err := r.newHand(ctx, s, "hand-written, locked row", "hot")
	if err != nil {
		return err
	}
	byHand.hot = true
	one := &noted{label: "engine, one order", to: daemons[:1], filler: daemons[0], shared: true}
	two := &noted{label: "two engines, one order", to: daemons, filler: daemons[0], shared: true}
	apart := &noted{label: "engine, an order each", to: daemons[:1], filler: daemons[0]}
	stormy := &beside{noted: &noted{label: "beside a storm", to: daemons[:1], filler: daemons[0]}, storm: one}
	calm := &beside{noted: &noted{label: "beside as many others", to: daemons[:1], filler: daemons[0]}, storm: apart}

	contenders := []contender{byHand, one, two, apart, stormy, calm}
	r.turns = int64(len(r.Callers) * r.Rounds * len(contenders))
	for _, callers := range r.Callers {
		if err := r.tune(ctx, s, byHand, byHand, callers); err != nil {
			return err
		}
		got := map[contender][]sample{}
		for range r.Rounds {
			for _, c := range contenders {
				sample, err := r.turn(ctx, s, c, callers)
				if err != nil {
					return err
				}
				got[c] = append(got[c], sample)
			}
		}
		r.report.ratio("hot", callers, byHand.name(), 0, quotients(got[one], got[byHand]))
		r.report.ratio("two daemons", callers, "one daemon", 0, quotients(got[two], got[one]))
		var slower []float64
		for i := range r.Rounds {
			slower = append(slower, got[stormy][i].p99()/got[calm][i].p99())
		}
		r.report.ratio("p99 beside a storm", callers, "beside as many others", 0, slower)
		last := &r.report.Ratios[len(r.report.Ratios)-1]
		last.Target, last.Below = targetStorm, true
	}
	return nil
}

// targetStorm is how much longer others may wait while one order is stormed.
const targetStorm = 3

// beside moves orders of its own while as many others go on next to it.
type beside struct {
	*noted
	storm *noted
}

func (b *beside) prepare(ctx context.Context, callers, requests int) error {
	if err := b.storm.prepare(ctx, callers, requests); err != nil {
		return err
	}
	return b.noted.prepare(ctx, callers, requests)
}

// crowd is what goes on next to the measured callers.
func (b *beside) crowd(ctx context.Context, caller int) error { return b.storm.step(ctx, caller, 0) }
