package orders

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// Pay is the input of pay and pay_part.
type Pay struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`

	// Payment names the captured payment that the money is from. It is empty if an operator says that
	// money came in some other way: then the payment is recorded with the transition. Shop.Transition
	// does not let callers set it.
	Payment string `json:"payment,omitempty"`
}

// Validate names the first field that is wrong, as an *engine.RequestError.
func (p Pay) Validate() error { return CheckMoney(p.Amount, p.Currency) }

type payCall = engine.Call[Order, Pay]

func isCaptured() engine.Guard[Order] {
	return engine.Check("captured", func(c payCall) error {
		if c.Input.Payment == "" {
			return errors.New("an offline payment names no captured payment")
		}
		return nil
	})
}

func isOffline() engine.Guard[Order] {
	return engine.Check("offline", func(c payCall) error {
		if c.Input.Payment != "" {
			return errors.New("a captured payment is not an offline one")
		}
		return nil
	})
}

func isTheRest() engine.Guard[Order] {
	return engine.Check("is_the_rest", func(c payCall) error {
		if c.Input.Amount != c.Subject.Rest() {
			return errors.New("the rest due is " + FormatMoney(c.Subject.Rest(), c.Subject.Currency))
		}
		return nil
	})
}

// takeRest credits the order with exactly what is still due. That the amount is wrong is refused
// here and not by a guard, because a guard's refusal comes once for every edge it stands on.
func takeRest() engine.Action[Order] {
	return engine.Set("take_rest", func(c payCall, _ *engine.Effects) error {
		if rest := c.Subject.Rest(); c.Input.Currency == c.Subject.Currency && c.Input.Amount != rest {
			return engine.Refuse("the rest due is %s, not %s",
				FormatMoney(rest, c.Subject.Currency), FormatMoney(c.Input.Amount, c.Input.Currency))
		}
		return take(c)
	})
}

// takePart credits the order with at most what is still due.
func takePart() engine.Action[Order] {
	return engine.Set("take_part", func(c payCall, _ *engine.Effects) error { return take(c) })
}

// take is the only place where money reaches an order: never in another currency, never more than
// the order costs.
func take(c payCall) error {
	o := c.Subject
	switch {
	case c.Input.Currency != o.Currency:
		return engine.Refuse("the order is in %s, not in %s", o.Currency, c.Input.Currency)
	case c.Input.Amount > o.Rest():
		return engine.Refuse("the rest due is %s, so %s is too much",
			FormatMoney(o.Rest(), o.Currency), FormatMoney(c.Input.Amount, c.Input.Currency))
	}
	o.PaidAmount += c.Input.Amount
	return nil
}

// recordOffline writes an operator's payment as a row, in the transaction that credits the order:
// where the credit is refused, no money is recorded.
func (cfg Config) recordOffline() engine.Action[Order] {
	return engine.Exec("record_offline", func(ctx context.Context, tx *gorm.DB, c payCall) error {
		by := engine.Transition{Machine: MachineOrder, Subject: c.Subject.ID, Version: c.Version}
		_, err := engine.Create(ctx, engine.InTx(tx), &Payment{
			ID: cfg.NewID("pay"), OrderID: c.Subject.ID, Provider: ProviderManual, Reference: cfg.NewReference(),
			Amount: c.Input.Amount, Currency: c.Input.Currency,
		}, engine.Request{
			Machine: MachinePayment, Event: EventRecord, Actor: c.Request.Actor, Reason: c.Request.Reason,
			Key: engine.CauseKey(by, MachinePayment, "", EventRecord),
		})
		return err
	})
}
