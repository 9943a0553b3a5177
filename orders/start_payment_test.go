package orders_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

func TestStartPayment(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(2500)
		n := orders.NewPayment{Provider: "standard"}
		first, result, err := r.StartPayment(r.Context(), by, "p", o.ID, n)
		require.NoError(r, err)
		require.Equal(r, engine.Applied, result.Outcome)
		require.Equal(r, first, r.payment(first.ID))
		require.Regexp(r, `^pay_`, first.ID)

		seven, tooMuch, zero := int64(7), int64(2501), int64(0)
		_, result, err = r.StartPayment(r.Context(), by, "p", o.ID, orders.NewPayment{Provider: "standard", Amount: &seven})
		require.ErrorIs(r, err, engine.ErrConflict)
		require.Equal(r, engine.KeyReused, result.Detail)
		_, result, err = r.StartPayment(r.Context(), by, "p2", o.ID, orders.NewPayment{Provider: "standard", Amount: &tooMuch})
		require.ErrorIs(r, err, engine.ErrIllegal)
		require.Equal(r, "the rest due is 25.00 EUR, so 25.01 EUR is too much", result.Refused[0].Reason)
		for _, wrong := range []orders.NewPayment{{}, {Provider: "nobody"}, {Provider: orders.ProviderManual}, {Provider: "standard", Amount: &zero}} {
			_, _, err = r.StartPayment(r.Context(), by, "p3", o.ID, wrong)
			require.ErrorIs(r, err, engine.ErrBadRequest)
		}
		_, _, err = r.StartPayment(r.Context(), by, "", o.ID, n)
		require.ErrorIs(r, err, engine.ErrBadRequest)
		_, _, err = r.StartPayment(r.Context(), by, "p4", "ord_nobody", n)
		require.ErrorIs(r, err, engine.ErrNotFound)
		_, err = r.Payment(r.Context(), "pay_nobody")
		require.ErrorIs(r, err, engine.ErrNotFound)

		// Once the order is paid nothing new can be started, and the repeat still says what it started.
		r.accept(captured("tx-1", first))
		_, result, err = r.StartPayment(r.Context(), by, "p5", o.ID, n)
		require.ErrorIs(r, err, engine.ErrIllegal)
		require.Equal(r, "the order is paid", result.Refused[0].Reason)
		again, result, err := r.StartPayment(r.Context(), by, "p", o.ID, n)
		require.NoError(r, err)
		require.Equal(r, engine.Replayed, result.Detail)
		require.Equal(r, first.ID, again.ID)
		require.Equal(r, orders.PaymentCaptured, again.State)
	})
}
