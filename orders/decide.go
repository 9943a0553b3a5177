package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/orders/provider"
)

// decide takes a kept fact to its end. Each step is a request whose key comes from the fact, so
// deciding again, after a crash anywhere or at the same time elsewhere, does nothing twice.
func (s *Shop) decide(ctx context.Context, f *Fact) error {
	d, err := s.judge(ctx, f)
	if err != nil {
		return fmt.Errorf("decide %s: %w", f.ID, err)
	}
	_, err = s.apply.Apply(ctx, f.request(MachineFact, f.ID, d.event(), d))
	return err
}

// request asks for what a fact causes. The key does not tell pay from pay_part: a fact credits its
// order once, whichever of them it was.
func (f *Fact) request(machine, subject string, event engine.Event, input any) engine.Request {
	kept := engine.Transition{Machine: MachineFact, Subject: f.ID, Version: 1}
	keyed := event
	if event == EventPayPart {
		keyed = EventPay
	}
	return engine.Request{
		Machine: machine, ID: subject, Event: event, Input: input, Actor: f.Provider,
		Key: engine.CauseKey(kept, machine, subject, keyed),
	}
}

// judge does what a fact causes and says where its money has gone.
func (s *Shop) judge(ctx context.Context, f *Fact) (decision, error) {
	p, err := s.paymentOf(ctx, f)
	if err != nil {
		return decision{}, err
	}
	if f.Kind == provider.Refunded {
		var d decision
		if p != nil {
			d.Payment, d.Order = p.ID, p.OrderID
		}
		return d.toDesk(DeskRefund, f.Amount), nil
	}
	if f.Kind == provider.Failed {
		return s.fail(ctx, f, p)
	}
	if p == nil {
		return decision{}.toDesk(DeskUnknownReference, f.Amount), nil
	}
	d := decision{Payment: p.ID, Order: p.OrderID}
	switch {
	case f.Currency != p.Currency:
		return d.toDesk(DeskCurrency, f.Amount), nil
	case f.Amount < p.Amount:
		return d.toDesk(DeskShort, f.Amount), nil
	}
	_, err = s.apply.Apply(ctx, f.request(MachinePayment, p.ID, EventCapture,
		capture{Transaction: f.TransactionID, Amount: f.Amount, Currency: f.Currency}))
	switch {
	case errors.Is(err, engine.ErrStale): // captured, by another transaction
		return d.toDesk(DeskSecond, f.Amount), nil
	case err != nil:
		return decision{}, err
	}
	return s.credit(ctx, f, p, d)
}

// paymentOf is the payment that a fact is about, nil if its provider was never told the reference.
func (s *Shop) paymentOf(ctx context.Context, f *Fact) (*Payment, error) {
	var p Payment
	err := s.db.WithContext(ctx).Where("reference = ? AND provider = ?", f.Reference, f.Provider).Take(&p).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("find the payment of %s: %w", f.ID, err)
	}
	return &p, nil
}

// fail ends the attempt that a report of failure is about, unless it has ended otherwise. The order
// goes on: another attempt may succeed.
func (s *Shop) fail(ctx context.Context, f *Fact, p *Payment) (decision, error) {
	if p == nil {
		return decision{}, nil // no money has moved, so there is nothing for the desk
	}
	_, err := s.apply.Apply(ctx, f.request(MachinePayment, p.ID, EventFail, nil))
	if err != nil && !errors.Is(err, engine.ErrStale) {
		return decision{}, err
	}
	return decision{Payment: p.ID, Order: p.OrderID}, nil
}

// choicesMax bounds how often the order's event is chosen anew because other money came between
// reading the rest due and paying it.
const choicesMax = 8

// credit pays the order with a captured payment: what the payment is for, or the rest due if that is
// less. What remains goes to the desk.
func (s *Shop) credit(ctx context.Context, f *Fact, p *Payment, d decision) (decision, error) {
	var refused error
	for range choicesMax {
		o, err := engine.Load[Order](ctx, s.engine, MachineOrder, p.OrderID)
		if err != nil {
			return decision{}, err
		}
		event, amount := choose(o.Rest(), p.Amount)
		result, err := s.apply.Apply(ctx, f.request(MachineOrder, o.ID, event,
			Pay{Amount: amount, Currency: p.Currency, Payment: p.ID}))
		switch {
		case err == nil, result.Detail == engine.KeyReused: // the fact credited the order before, when the rest was another
			return d.credited(f, result.Proof)
		case result.Outcome == engine.Stale:
			return d.toDesk(tooLate(result.State), f.Amount), nil
		case result.Detail != engine.GuardRefused:
			return decision{}, err
		}
		refused = err
	}
	return decision{}, fmt.Errorf("the rest due kept changing: %w", refused)
}

// choose is the order's event for money of a payment, and how much of it the order takes. An order
// that needs nothing is asked all the same: the key may show that this very money has paid it.
func choose(rest, amount int64) (engine.Event, int64) {
	switch {
	case rest <= 0:
		return EventPay, amount
	case amount >= rest:
		return EventPay, rest
	}
	return EventPayPart, amount
}

// tooLate is why an order in a state takes no money any more.
func tooLate(state engine.State) DeskReason {
	if state == OrderCancelled || state == OrderExpired {
		return DeskLate
	}
	return DeskSecond
}

// credited is d after a transition that paid the order out of f.
func (d decision) credited(f *Fact, by *engine.Transition) (decision, error) {
	var paid Pay
	if err := json.Unmarshal(by.Input, &paid); err != nil {
		return decision{}, fmt.Errorf("read what %s took at version %d: %w", by.Subject, by.Version, err)
	}
	d.Applied = paid.Amount
	if excess := f.Amount - paid.Amount; excess > 0 {
		return d.toDesk(DeskOver, excess), nil
	}
	return d, nil
}
