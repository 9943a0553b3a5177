package orders_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// However money comes and in how many parts, an order takes no more than what is still due of it.
func TestAnOrderNeverTakesMoreThanItsRest(t *testing.T) {
	each(t, func(r *rig) {
		offline := func(id string, event engine.Event, amount int64) (engine.Result, error) {
			return r.Transition(r.Context(), by, id, orders.TransitionRequest{
				Event: event, Seq: r.key(), Input: fmt.Appendf(nil, `{"amount":%d,"currency":"EUR"}`, amount),
			})
		}
		captured := func(id string, event engine.Event, amount int64) (engine.Result, error) {
			payment := "pay_too_much" // what is too much is no payment that could be started
			if o := r.order(id); amount <= o.Rest() {
				payment = r.start(id, amount).ID
				_, err := r.engine.Apply(r.Context(), engine.Request{
					Machine: orders.MachinePayment, ID: payment, Event: orders.EventCapture, Key: engine.Key{Source: "test", Seq: r.key()},
					Input: json.RawMessage(fmt.Sprintf(`{"transaction":%q,"amount":%d,"currency":"EUR"}`, payment, amount)),
				})
				require.NoError(r, err)
			}
			return r.engine.Apply(r.Context(), engine.Request{
				Machine: orders.MachineOrder, ID: id, Event: event, Key: engine.Key{Source: "test", Seq: r.key()},
				Input: orders.Pay{Amount: amount, Currency: "EUR", Payment: payment},
			})
		}
		for name, pay := range map[string]func(string, engine.Event, int64) (engine.Result, error){"offline": offline, "captured": captured} {
			id := r.place(1000).ID
			_, err := pay(id, orders.EventPayPart, 400)
			require.NoError(r, err, name)
			for _, event := range []engine.Event{orders.EventPayPart, orders.EventPay} {
				for _, tooMuch := range []int64{601, 700, 1000} {
					result, err := pay(id, event, tooMuch)
					require.ErrorIs(r, err, engine.ErrIllegal, "%s of %d, %s", event, tooMuch, name)
					require.Equal(r, engine.GuardRefused, result.Detail)
				}
			}
			require.EqualValues(r, 400, r.order(id).PaidAmount)
			result, err := pay(id, orders.EventPayPart, 600)
			require.NoError(r, err, name)
			require.Equal(r, orders.OrderPaid, result.State)
			require.EqualValues(r, 1000, r.order(id).PaidAmount)
		}
	})
}

// A payment is for an amount of a currency: other money does not capture it, whoever says so.
func TestAPaymentIsCapturedOnlyByMoneyThatCoversIt(t *testing.T) {
	each(t, func(r *rig) {
		capture := func(p orders.Payment, amount int64, currency string) (engine.Result, error) {
			return r.engine.Apply(r.Context(), engine.Request{
				Machine: orders.MachinePayment, ID: p.ID, Event: orders.EventCapture, Key: engine.Key{Source: "test", Seq: r.key()},
				Input: json.RawMessage(fmt.Sprintf(`{"transaction":"tx-1","amount":%d,"currency":%q}`, amount, currency)),
			})
		}
		p := r.start(r.place(2500).ID, 1000)
		for _, wrong := range []struct {
			amount   int64
			currency string
		}{{999, "EUR"}, {1, "EUR"}, {1000, "USD"}, {5000, "USD"}, {999, "USD"}} {
			result, err := capture(p, wrong.amount, wrong.currency)
			require.ErrorIs(r, err, engine.ErrIllegal, "%v", wrong)
			require.Equal(r, engine.GuardRefused, result.Detail)
			require.Contains(r, result.Refused[0].Reason, "the payment is for 10.00 EUR, not ")
		}
		require.Equal(r, orders.PaymentCreated, r.payment(p.ID).State)
		for _, enough := range []int64{1000, 1001} {
			q := r.start(r.place(2500).ID, 1000)
			_, err := capture(q, enough, "EUR")
			require.NoError(r, err)
			require.Equal(r, orders.PaymentCaptured, r.payment(q.ID).State)
		}
	})
}

// What is paid already is not to be paid again: a payment is for at most the rest.
func TestAPaymentIsForAtMostTheRest(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(2500)
		r.keyed(o.ID, orders.EventPayPart, `{"amount":1000,"currency":"EUR"}`)
		start := func(amount int64) (orders.Payment, engine.Result, error) {
			return r.StartPayment(r.Context(), by, r.key(), o.ID, orders.NewPayment{Provider: "standard", Amount: &amount})
		}
		for _, tooMuch := range []int64{1501, 2500, 2501} {
			_, result, err := start(tooMuch)
			require.ErrorIs(r, err, engine.ErrIllegal, tooMuch)
			require.Contains(r, result.Refused[0].Reason, "the rest due is 15.00 EUR")
		}
		p, _, err := start(1500)
		require.NoError(r, err)
		require.EqualValues(r, 1500, p.Amount)
		require.EqualValues(r, 1500, r.start(o.ID, 0).Amount, "the rest, unless said otherwise")
	})
}
