package orders

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/orderd/engine"
)

// StartPayment creates an attempt to pay an order, for the rest due unless a smaller amount is asked
// for. seq is the caller's own number of the request and must be given; a repeat returns the first
// attempt as it is today. An order that takes no money now, and an amount above the rest due, are
// illegal/guard. The provider is not told anything here.
func (s *Shop) StartPayment(ctx context.Context, by Caller, seq, orderID string, n NewPayment) (Payment, engine.Result, error) {
	if seq == "" {
		return Payment{}, engine.Result{}, bad("seq", "a payment needs a key")
	}
	if !slices.Contains(s.cfg.Providers, n.Provider) {
		return Payment{}, engine.Result{}, bad("provider", "unknown, or not in use here")
	}
	o, err := engine.Load[Order](ctx, s.engine, MachineOrder, orderID)
	if err != nil {
		var missing *engine.Error
		if errors.As(err, &missing) {
			return Payment{}, missing.Result, err
		}
		return Payment{}, engine.Result{}, err
	}
	row := attempt(o, n)
	row.ID, row.Reference = s.cfg.NewID("pay"), s.cfg.NewReference()
	result, err := Create(ctx, s.apply, row, engine.Request{
		Machine: MachinePayment, Event: EventStart, Input: start{Order: orderID, NewPayment: n},
		Key: by.Key(seq), Token: by.Token(seq), Actor: by.Actor,
	})
	if err != nil {
		return Payment{}, result, err
	}
	if result.Outcome == engine.Applied {
		return *row, result, nil
	}
	p, err := s.Payment(ctx, result.ID)
	return p, result, err
}

// attempt is the row of a new payment, or says why there must be none.
func attempt(o *Order, n NewPayment) *Payment {
	p := &Payment{OrderID: o.ID, Provider: n.Provider, Amount: o.Rest(), Currency: o.Currency}
	if n.Amount != nil {
		p.Amount = *n.Amount
	}
	switch {
	case o.State != OrderPlaced && o.State != OrderPartlyPaid:
		p.refusal = fmt.Sprintf("the order is %s", o.State)
	case p.Amount > o.Rest():
		p.refusal = fmt.Sprintf("the rest due is %s, so %s is too much",
			FormatMoney(o.Rest(), o.Currency), FormatMoney(p.Amount, o.Currency))
	}
	return p
}

// Payment reads one payment. It matches engine.ErrNotFound if there is none.
func (s *Shop) Payment(ctx context.Context, id string) (Payment, error) {
	p, err := engine.Load[Payment](ctx, s.engine, MachinePayment, id)
	if err != nil {
		return Payment{}, err
	}
	return *p, nil
}
