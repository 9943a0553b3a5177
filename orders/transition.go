package orders

import (
	"context"
	"encoding/json"

	"example.com/orderd/engine"
	"example.com/orderd/engine/strictjson"
)

// TransitionRequest asks for one event on an order.
type TransitionRequest struct {
	Event     engine.Event
	Input     json.RawMessage // nil where the event takes none
	Reason    string
	Seq       string // the caller's own number of the request; "" gives none
	IfVersion int64  // 0 pins nothing
	DryRun    bool
}

// offlinePayment is what a caller may say of a payment: all of Pay but where it was captured.
type offlinePayment struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Transition asks for one event on an order. Its pay and pay_part are an operator's word that money
// came in outside of any provider. Who may ask for which event is the caller's to check. Malformed
// input matches engine.ErrBadRequest.
func (s *Shop) Transition(ctx context.Context, by Caller, orderID string, t TransitionRequest) (engine.Result, error) {
	r := engine.Request{
		Machine: MachineOrder, ID: orderID, Event: t.Event, Key: by.Key(t.Seq), IfVersion: t.IfVersion,
		Actor: by.Actor, Reason: t.Reason, DryRun: t.DryRun,
	}
	switch {
	case t.Event == EventPay || t.Event == EventPayPart:
		var said offlinePayment
		if len(t.Input) > 0 {
			if err := strictjson.Decode(t.Input, &said); err != nil {
				return engine.Result{}, bad("input", "%v", err)
			}
		}
		r.Input = Pay{Amount: said.Amount, Currency: said.Currency}
	case len(t.Input) > 0:
		r.Input = t.Input
	}
	return s.apply.Apply(ctx, r)
}
