package bench

import (
	"context"

	"example.com/orderd/engine"
	"example.com/orderd/orders/ledger"
)

// transfers lets all callers move money out of one account, each to an account of their own: with the
// ledger, and by hand with both rows locked.
func transfers(ctx context.Context, r *run) error {
	s, err := r.scratch(ctx)
	if err != nil {
		return err
	}
	byLedger, err := r.newPayer(ctx, s)
	if err != nil {
		return err
	}
	byHand, err := r.newTeller(ctx, s)
	if err != nil {
		return err
	}
	r.turns = int64(len(r.Callers) * r.Rounds * 2)
	for _, callers := range r.Callers {
		if err := r.tune(ctx, s, byHand, byHand, callers); err != nil {
			return err
		}
		var hand, own []sample
		for range r.Rounds {
			one, err := r.turn(ctx, s, byHand, callers)
			if err != nil {
				return err
			}
			two, err := r.turn(ctx, s, byLedger, callers)
			if err != nil {
				return err
			}
			hand, own = append(hand, one), append(own, two)
		}
		goal := 0.0
		if callers == 256 {
			goal = targetTransfers
		}
		r.report.ratio(string(Transfers), callers, byHand.name(), goal, quotients(own, hand))
	}
	return nil
}

// newPayer puts engine, batcher and ledger on a site.
func (r *run) newPayer(ctx context.Context, s *site) (*payer, error) {
	if err := engine.Migrate(ctx, s.gorm); err != nil {
		return nil, err
	}
	if err := ledger.Migrate(ctx, s.gorm); err != nil {
		return nil, err
	}
	e, err := r.newEngine(ctx, s, ledger.Machines()...)
	if err != nil {
		return nil, err
	}
	b, err := r.withBatcher(ctx, e)
	if err != nil {
		return nil, err
	}
	s.checks = ledger.Checks()
	l, err := ledger.New(s.gorm, e, b, ledger.Config{})
	return &payer{label: "ledger", ledger: l}, err
}
