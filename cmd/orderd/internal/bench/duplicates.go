package bench

import "context"

// duplicates asks for an event of one order that has happened, under a new key each time, and compares
// with hand-written transitions: what it costs to say "already" beside what it costs to do it.
func duplicates(ctx context.Context, r *run) error {
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
	again := &repeated{to: b, filler: b}
	r.turns = int64(len(r.Callers) * r.Rounds * 2)
	for _, callers := range r.Callers {
		if err := r.tune(ctx, s, byHand, byHand, callers); err != nil {
			return err
		}
		var applies, repeats []sample
		for range r.Rounds {
			one, err := r.turn(ctx, s, byHand, callers)
			if err != nil {
				return err
			}
			two, err := r.turn(ctx, s, again, callers)
			if err != nil {
				return err
			}
			applies, repeats = append(applies, one), append(repeats, two)
		}
		goal := 0.0
		if callers == 64 {
			goal = targetDuplicates
		}
		r.report.ratio(string(Duplicates), callers, byHand.name(), goal, quotients(repeats, applies))
	}
	return nil
}
