package orders_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

func TestMachinesHaveNoMistakes(t *testing.T) {
	require.Len(t, orders.Machines(), 3)
	_, err := orders.Config{ExpireAfter: -1}.Machines()
	require.Error(t, err)
	for _, m := range orders.Machines() {
		for _, f := range m.Describe().Lint() {
			require.NotEqual(t, engine.FindingUnreachable, f.Kind, f.Text)
		}
	}
}

// Every path an order can go, with the messages it leaves.
func TestTheLifeOfAnOrder(t *testing.T) {
	each(t, func(r *rig) {
		paid := func() string {
			id := r.place(2500).ID
			r.keyed(id, orders.EventPay, `{"amount":2500,"currency":"EUR"}`)
			return id
		}
		for _, c := range []struct {
			events []engine.Event
			state  engine.State
			last   string
		}{
			{[]engine.Event{"ship", "deliver", "complete"}, "completed", "order.completed"},
			{[]engine.Event{"ship_part", "ship_part", "ship", "deliver"}, "delivered", "order.delivered"},
			{[]engine.Event{"ship", "fail_delivery", "accept_return", "finish_refund"}, "refunded", "order.refunded"},
			{[]engine.Event{"ship", "deliver", "request_return", "reject_return", "request_return", "accept_return"}, "refunding", "order.return_accepted"},
			{[]engine.Event{"ship", "deliver", "request_return", "reject_return", "complete", "request_refund"}, "refunding", "order.refund_requested"},
			{[]engine.Event{"ship_part", "request_refund"}, "refunding", "order.refund_requested"},
			{[]engine.Event{"request_refund", "finish_refund"}, "refunded", "order.refunded"},
			{[]engine.Event{"ship", "deliver", "request_return"}, "returning", "order.return_requested"},
			{[]engine.Event{"ship", "fail_delivery", "reject_return"}, "delivered", "order.return_rejected"},
		} {
			id := paid()
			for i, event := range c.events {
				require.EqualValues(r, i+3, r.keyed(id, event, "").Version)
			}
			o := r.order(id)
			require.Equal(r, c.state, o.State)
			messages := r.messages(id)
			require.Len(r, messages, int(o.Version), "each transition emits one message")
			require.Equal(r, c.last, messages[len(messages)-1])
			if o.State == orders.OrderRefunded {
				require.EqualValues(r, 2500, o.RefundedAmount)
			} else {
				require.Zero(r, o.RefundedAmount)
			}
		}
	})
}

func TestDuplicatesWithoutKeys(t *testing.T) {
	each(t, func(r *rig) {
		id := r.place(2500).ID
		require.Equal(r, engine.Early, r.event(id, "deliver").Outcome)
		require.Equal(r, engine.IdentityRequired, r.event(id, "request_return").Detail)
		r.keyed(id, orders.EventPay, `{"amount":2500,"currency":"EUR"}`)
		for _, event := range []engine.Event{"ship", "deliver"} {
			require.Equal(r, engine.Applied, r.event(id, event).Outcome)
			require.Equal(r, engine.SameState, r.event(id, event).Detail)
		}
		require.Equal(r, engine.Superseded, r.event(id, "ship").Detail)
		require.Equal(r, engine.Passed, r.event(id, "cancel").Detail)
		require.Equal(r, engine.IdentityRequired, r.event(id, "ship_part").Detail)
		require.Equal(r, engine.Applied, r.event(id, "complete").Outcome)
		require.Equal(r, engine.IdentityRequired, r.event(id, "request_refund").Detail)

		expired := r.place(2500).ID
		require.Equal(r, engine.Applied, r.event(expired, "expire").Outcome)
		require.Equal(r, engine.Stale, r.event(expired, "cancel").Outcome)
		require.Equal(r, engine.SameState, r.event(expired, "expire").Detail)
		require.Empty(r, r.desk())
	})
}

func TestOfflinePayments(t *testing.T) {
	each(t, func(r *rig) {
		id := r.place(1999).ID
		refuse := func(event engine.Event, input, reason string) {
			r.Helper()
			result, err := r.Transition(r.Context(), by, id, orders.TransitionRequest{Event: event, Seq: r.key(), Input: []byte(input)})
			require.ErrorIs(r, err, engine.ErrIllegal)
			require.Equal(r, engine.GuardRefused, result.Detail)
			require.Len(r, result.Refused, 1)
			require.Equal(r, reason, result.Refused[0].Reason)
		}
		refuse("pay", `{"amount":500,"currency":"EUR"}`, "the rest due is 19.99 EUR, not 5.00 EUR")
		refuse("pay", `{"amount":1999,"currency":"USD"}`, "the order is in EUR, not in USD")
		refuse("pay_part", `{"amount":2000,"currency":"EUR"}`, "the rest due is 19.99 EUR, so 20.00 EUR is too much")
		for _, input := range []string{``, `{}`, `{"amount":0,"currency":"EUR"}`, `{"amount":1999,"currency":"ZZZ"}`, `{"amount":1999.0,"currency":"EUR"}`,
			`{"amount":1999,"currency":"EUR","payment":"pay_x"}`, `{"amount":1999,"currency":"EUR"} x`, `[]`, `{"amount":9007199254740992,"currency":"EUR"}`} {
			_, err := r.Transition(r.Context(), by, id, orders.TransitionRequest{Event: "pay", Seq: r.key(), Input: []byte(input)})
			require.ErrorIs(r, err, engine.ErrBadRequest, input)
		}
		payments := func() []orders.Payment {
			page, err := r.Payments(r.Context(), orders.PaymentFilter{OrderID: id})
			require.NoError(r, err)
			return page.Data
		}
		dry, err := r.Transition(r.Context(), by, id, orders.TransitionRequest{Event: "pay", Seq: r.key(), DryRun: true, Input: []byte(`{"amount":1999,"currency":"EUR"}`)})
		require.NoError(r, err)
		require.Equal(r, orders.OrderPaid, dry.State)
		require.Empty(r, payments(), "refused and rehearsed payments record no money")

		part := orders.TransitionRequest{Event: "pay_part", Seq: "part", Reason: "cash", Input: []byte(`{"amount":500,"currency":"EUR"}`)}
		for _, want := range []engine.Outcome{engine.Applied, engine.Already} {
			result, err := r.Transition(r.Context(), by, id, part)
			require.NoError(r, err)
			require.Equal(r, want, result.Outcome)
		}
		require.Len(r, payments(), 1)
		p := payments()[0]
		require.Equal(r, orders.ProviderManual, p.Provider)
		require.Equal(r, orders.PaymentCaptured, p.State)
		require.EqualValues(r, 500, p.Amount)
		past, err := r.engine.History(r.Context(), orders.MachinePayment, p.ID, engine.HistoryQuery{})
		require.NoError(r, err)
		require.Equal(r, "Tess", past[0].Actor)
		require.Equal(r, "cash", past[0].Reason)

		require.Equal(r, orders.OrderPartlyPaid, r.keyed(id, "pay_part", `{"currency":"EUR","amount":499}`).State)
		refuse("pay", `{"amount":1999,"currency":"EUR"}`, "the rest due is 10.00 EUR, not 19.99 EUR")
		require.Equal(r, orders.OrderPaid, r.keyed(id, "pay_part", `{"currency":"EUR","amount":1000}`).State)
		require.Len(r, payments(), 3)
		require.Equal(r, []string{"order.placed", "order.partly_paid", "order.partly_paid", "order.paid"}, r.messages(id))
		result, err := r.Transition(r.Context(), by, id, orders.TransitionRequest{Event: "pay", Seq: r.key(), Input: []byte(`{"amount":1,"currency":"EUR"}`)})
		require.ErrorIs(r, err, engine.ErrStale)
		require.Equal(r, engine.Passed, result.Detail)
		require.Len(r, payments(), 3)
	})
}

func TestTimers(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(1999)
		r.clock.Advance(10 * time.Minute)
		r.keyed(o.ID, "pay_part", `{"amount":500,"currency":"EUR"}`)
		due, armed := r.timer(o.ID, "expire", 2)
		require.True(r, armed)
		require.Equal(r, o.ExpiresAt, due, "one absolute time, however often a part is paid")
		r.keyed(o.ID, "pay_part", `{"amount":500,"currency":"EUR"}`)
		_, armed = r.timer(o.ID, "expire", 3)
		require.False(r, armed)
		r.keyed(o.ID, "pay", `{"amount":999,"currency":"EUR"}`)
		for i, event := range []engine.Event{"ship", "deliver", "request_return", "reject_return"} {
			r.clock.Advance(time.Hour)
			r.keyed(o.ID, event, "")
			due, armed := r.timer(o.ID, "complete", int64(i+5))
			require.Equal(r, event == "deliver" || event == "reject_return", armed)
			if armed {
				require.Equal(r, r.clock.Now().Add(14*24*time.Hour), due)
			}
		}
	})
}

func TestAnEndedOrderLeavesItsMoneyOnTheDesk(t *testing.T) {
	each(t, func(r *rig) {
		for _, event := range []engine.Event{orders.EventCancel, orders.EventExpire} {
			o := r.place(1999)
			r.keyed(o.ID, "pay_part", `{"amount":500,"currency":"EUR"}`)
			for range 2 {
				require.True(r, r.event(o.ID, event).Outcome.Success())
			}
			held := r.desk()[0]
			require.Equal(r, orders.DeskHeld, held.DeskReason)
			require.Equal(r, o.ID, held.OrderID)
			require.EqualValues(r, 500, held.DeskAmount)
		}
		require.Len(r, r.desk(), 2)
	})
}
