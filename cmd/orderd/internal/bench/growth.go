package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"example.com/orderd/engine"
)

// Of all events in a table of orders, most concern the newest.
const (
	newestShare = .01 // of the orders
	newestPart  = .9  // of the events
)

// growth moves orders in tables of different sizes, in turns.
func growth(ctx context.Context, r *run) error {
	sizes := slices.Sorted(slices.Values(r.Orders))
	if len(sizes) < 2 {
		return fmt.Errorf("growth compares sizes: give two at least")
	}
	var sites []*site
	var contenders []*grown
	for _, n := range sizes {
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
		done := r.done
		ids, err := place(ctx, b, n, func(placed int) {
			if r.Progress != nil {
				r.Progress(done+int64(placed/placing), done+int64(n/placing)+int64(r.Rounds*len(sizes)))
			}
		})
		if err != nil {
			return err
		}
		sites = append(sites, s)
		contenders = append(contenders, &grown{label: fmt.Sprintf("%d orders", n), to: b, ids: ids})
	}
	callers := r.Callers[0]
	r.turns = int64(r.Rounds * len(sizes))
	got := make([][]sample, len(sizes))
	for range r.Rounds {
		for i := range sizes {
			one, err := r.turn(ctx, sites[i], contenders[i], callers)
			if err != nil {
				return err
			}
			got[i] = append(got[i], one)
		}
	}
	for i := 1; i < len(sizes); i++ {
		// The time of a transition is the inverse of the rate.
		r.report.ratio("time per transition at "+contenders[i].label, callers, contenders[0].label, 0, quotients(got[0], got[i]))
		if i == len(sizes)-1 {
			last := &r.report.Ratios[len(r.report.Ratios)-1]
			last.Target, last.Below = targetGrowth, true
		}
	}
	return nil
}

// grown moves orders of a large table nowhere, most of them new ones.
type grown struct {
	label string
	to    engine.Applier
	ids   []string // oldest first
}

func (g *grown) name() string { return g.label }

func (g *grown) prepare(context.Context, int, int) error { return nil }

func (g *grown) step(ctx context.Context, _, _ int) error {
	newest := max(1, int(newestShare*float64(len(g.ids))))
	i := rand.IntN(len(g.ids))
	if rand.Float64() < newestPart {
		i = len(g.ids) - 1 - rand.IntN(newest)
	}
	return applied(g.to.Apply(ctx, request(g.ids[i], noteEvent)))
}
