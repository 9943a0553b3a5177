package orders

import (
	"context"
	"fmt"

	"example.com/orderd/engine"
)

// Place creates an order. seq is the caller's own number of the request and must be given. A repeat
// returns the first order as it is today, with a result that says already/replayed. Malformed input
// is an *engine.RequestError.
func (s *Shop) Place(ctx context.Context, by Caller, seq string, n NewOrder) (Order, engine.Result, error) {
	if seq == "" {
		return Order{}, engine.Result{}, bad("seq", "an order needs a key")
	}
	row := &Order{ID: s.cfg.NewID("ord")}
	result, err := Create(ctx, s.apply, row, engine.Request{
		Machine: MachineOrder, Event: EventPlace, Input: n, Key: by.Key(seq), Token: by.Token(seq), Actor: by.Actor,
	})
	if err != nil {
		return Order{}, result, err
	}
	if result.Outcome == engine.Applied {
		return *row, result, nil
	}
	o, err := s.Order(ctx, result.ID)
	return o, result, err
}

// Order reads one order with its items. It matches engine.ErrNotFound if there is none.
func (s *Shop) Order(ctx context.Context, id string) (Order, error) {
	o, err := engine.Load[Order](ctx, s.engine, MachineOrder, id)
	if err != nil {
		return Order{}, err
	}
	if err := s.db.WithContext(ctx).Where("order_id = ?", id).Order("line").Find(&o.Items).Error; err != nil {
		return Order{}, fmt.Errorf("read the items of %s: %w", id, err)
	}
	return *o, nil
}
