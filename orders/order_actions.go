package orders

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

type (
	orderCall = engine.Call[Order, engine.NoInput]
	placeCall = engine.Call[Order, NewOrder]
)

// fillOrder computes the row of a new order from what the checkout sent.
func (cfg Config) fillOrder() engine.Action[Order] {
	return engine.Set("fill", func(c placeCall, _ *engine.Effects) error {
		total, err := c.Input.Total()
		if err != nil {
			return engine.Refuse("%v", err) // validated already
		}
		o := c.Subject
		o.Amount, o.Currency = total, c.Input.Currency
		o.CustomerRef, o.Metadata = c.Input.CustomerRef, c.Input.Metadata
		o.Items = slices.Clone(c.Input.Items)
		for i := range o.Items {
			o.Items[i].OrderID, o.Items[i].Line = o.ID, i+1
		}
		o.ExpiresAt = engine.StoredTime(c.Now.Add(cfg.ExpireAfter))
		return nil
	})
}

// itemsChunk keeps one statement below what SQLite allows in parameters.
const itemsChunk = 4000

// insertItems writes the items of all orders of a batch in one statement.
func insertItems() engine.Action[Order] {
	return engine.ExecAll("insert_items", func(_ context.Context, tx *gorm.DB, calls []placeCall) []error {
		var all []Item
		for _, c := range calls {
			all = append(all, c.Subject.Items...)
		}
		for chunk := range slices.Chunk(all, itemsChunk) {
			if err := tx.Create(chunk).Error; err != nil {
				return slices.Repeat([]error{err}, len(calls))
			}
		}
		return nil
	})
}

// armExpire sets the one end that an unpaid order has, for each state in which it is waited for.
func armExpire() engine.Action[Order] {
	return engine.Set("arm_expire", func(c orderCall, fx *engine.Effects) error {
		fx.Arm(timerExpire, c.Subject.ExpiresAt, EventExpire)
		return nil
	})
}

// armComplete ends the time for returns, counted from when the customer has the goods (again).
func (cfg Config) armComplete() engine.Action[Order] {
	return engine.Set("arm_complete", func(c orderCall, fx *engine.Effects) error {
		fx.Arm(timerComplete, c.Now.Add(cfg.CompleteAfter), EventComplete)
		return nil
	})
}

// giveBack notes that everything paid has gone back.
func giveBack() engine.Action[Order] {
	return engine.Set("give_back", func(c orderCall, _ *engine.Effects) error {
		c.Subject.RefundedAmount = c.Subject.PaidAmount
		return nil
	})
}

// OrderMessage is the body of every message about an order: where the order is after the transition.
type OrderMessage struct {
	ID          string       `json:"id"`
	State       engine.State `json:"state"`
	Version     int64        `json:"version"`
	Amount      int64        `json:"amount"`
	Currency    string       `json:"currency"`
	PaidAmount  int64        `json:"paid_amount"`
	CustomerRef string       `json:"customer_ref"`
}

// announce emits the transition's one message. It goes after the actions that change the row.
func announce(messageType string) engine.Action[Order] {
	return engine.Set("emit "+messageType, func(c orderCall, fx *engine.Effects) error {
		o := c.Subject
		fx.Emit(messageType, OrderMessage{
			ID: o.ID, State: c.To, Version: c.Version, Amount: o.Amount, Currency: o.Currency,
			PaidAmount: o.PaidAmount, CustomerRef: o.CustomerRef,
		})
		return nil
	})
}
