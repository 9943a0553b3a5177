package bench

import (
	"context"
	"fmt"
	"time"
)

// The targets, as ratios of medians over rounds.
const (
	targetOne        = 1.2 // engine ÷ hand-written, 1 caller
	target64         = 6   // 64 callers
	target256        = 15  // 256 callers
	targetBulk       = .8  // 1,024 callers ÷ bulk load
	targetDuplicates = 15
	targetHTTP       = 3
	targetTransfers  = 20  // 256 callers
	targetGrowth     = 1.3 // at most
)

func target(callers int) float64 {
	switch callers {
	case 1:
		return targetOne
	case 64:
		return target64
	case 256:
		return target256
	}
	return 0
}

// poolsTried are the numbers of connections that people who write by hand may choose from.
var poolsTried = []int{8, 16, 32, 64}

// probe is how long one number of connections is tried.
const probe = 700 * time.Millisecond

// tunable is who works with a number of connections that can be chosen.
type tunable interface{ use(conns int) }

// tune gives a hand the number of connections that serves it best.
func (r *run) tune(ctx context.Context, s *site, c contender, h tunable, callers int) error {
	if callers == 1 || !s.mysql {
		h.use(1)
		if !s.mysql {
			h.use(poolsTried[0])
		}
		return nil
	}
	best, most := 0, 0.0
	for _, conns := range poolsTried {
		h.use(conns)
		got, err := measure(ctx, s, c, callers, min(probe, r.Time))
		if err != nil {
			return fmt.Errorf("%s with %d callers and %d connections: %w", c.name(), callers, conns, err)
		}
		if got.perSecond() > most {
			best, most = conns, got.perSecond()
		}
	}
	h.use(best)
	return nil
}

// transitions moves orders from placed to completed, an order a caller.
func transitions(ctx context.Context, r *run) error {
	s, err := r.scratch(ctx)
	if err != nil {
		return err
	}
	e, err := r.withEngine(ctx, s)
	if err != nil {
		return err
	}
	b, err := r.withBatcher(ctx, e)
	if err != nil {
		return err
	}
	byHand, err := r.newHand(ctx, s, "hand-written", "hand")
	if err != nil {
		return err
	}
	withGorm, err := r.newHand(ctx, s, "gorm + looplab/fsm", "gorm")
	if err != nil {
		return err
	}
	bare, err := r.newHand(ctx, s, "conditional update", "bare")
	if err != nil {
		return err
	}
	bare.full = false
	ceiling, err := newBulk(ctx, s)
	if err != nil {
		return err
	}
	contenders := []contender{
		byHand, &gormed{withGorm}, bare,
		&driven{label: "engine, no batcher", to: e, filler: b}, &driven{label: "engine", to: b, filler: b}, ceiling,
	}
	r.turns = int64(len(r.Callers) * r.Rounds * len(contenders))
	for _, callers := range r.Callers {
		if err := r.tune(ctx, s, byHand, byHand, callers); err != nil {
			return err
		}
		withGorm.use(byHand.conn)
		bare.use(byHand.conn)
		got := map[string][]sample{}
		for range r.Rounds {
			for _, c := range contenders {
				n := callers
				if c == contender(ceiling) {
					n = min(callers, 2) // more loaders than cores only wait for each other
				}
				one, err := r.turn(ctx, s, c, n)
				if err != nil {
					return err
				}
				one.callers = callers
				r.samples[len(r.samples)-1] = one
				got[c.name()] = append(got[c.name()], one)
			}
		}
		for _, c := range contenders {
			against := c.name()
			if against == "engine" {
				continue
			}
			goal := 0.0
			switch {
			case c == contender(byHand):
				goal = target(callers)
			case c == contender(ceiling) && callers == 1024:
				goal = targetBulk
			}
			r.report.ratio(string(Transitions), callers, against, goal, quotients(got["engine"], got[against]))
		}
	}
	return nil
}
