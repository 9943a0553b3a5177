package orders_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

func TestExactMoney(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(2500)
		p := r.start(o.ID, 0)
		require.Equal(r, orders.PaymentCreated, p.State)
		require.Regexp(r, `^ref_[0-9a-z]{26}$`, p.Reference)
		first, err := r.Accept(r.Context(), captured("tx-1", p))
		require.NoError(r, err)
		require.Equal(r, engine.Applied, first.Result.Outcome)
		require.Equal(r, orders.FactApplied, first.Fact.State)
		require.EqualValues(r, 2500, first.Fact.AppliedAmount)
		require.Equal(r, o.ID, first.Fact.OrderID)
		for range 3 {
			again, err := r.Accept(r.Context(), captured("tx-1", p))
			require.NoError(r, err)
			require.Equal(r, engine.Replayed, again.Result.Detail)
			require.Equal(r, first.Fact, again.Fact)
		}
		paid := r.order(o.ID)
		require.Equal(r, orders.OrderPaid, paid.State)
		require.EqualValues(r, 2, paid.Version)
		require.EqualValues(r, 2500, paid.PaidAmount)
		p = r.payment(p.ID)
		require.Equal(r, orders.PaymentCaptured, p.State)
		require.Equal(r, "tx-1", p.TransactionID)
		require.EqualValues(r, 2, p.Version)
		require.Empty(r, r.desk())

		past, err := r.engine.History(r.Context(), orders.MachineOrder, o.ID, engine.HistoryQuery{})
		require.NoError(r, err)
		require.Equal(r, orders.EventPay, past[1].Event)
		require.Equal(r, "standard", past[1].Actor)
	})
}

func TestMoneyInParts(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(2500)
		var parts []orders.Payment
		for _, amount := range []int64{1000, 1000, 500} {
			parts = append(parts, r.start(o.ID, amount))
		}
		require.EqualValues(r, 1000, r.accept(captured("tx-1", parts[0])).AppliedAmount)
		require.Equal(r, orders.OrderPartlyPaid, r.order(o.ID).State)
		require.EqualValues(r, 1000, r.accept(captured("tx-2", parts[1])).AppliedAmount)
		require.EqualValues(r, 500, r.start(o.ID, 0).Amount, "the rest due")
		require.EqualValues(r, 500, r.accept(captured("tx-3", parts[2])).AppliedAmount)
		require.Equal(r, orders.OrderPaid, r.order(o.ID).State)
		require.EqualValues(r, 4, r.order(o.ID).Version)
		require.Empty(r, r.desk())
	})
}

// Money that does not fit is kept, credited to nobody and laid on the desk with its reason.
func TestOddMoney(t *testing.T) {
	each(t, func(r *rig) {
		for i, c := range []struct {
			reason        orders.DeskReason
			before        func(o orders.Order, p orders.Payment)
			change        func(f *provider.Fact)
			desk, applied int64
			order         engine.State
			payment       engine.State
		}{
			{reason: orders.DeskShort, change: func(f *provider.Fact) { f.Amount-- },
				desk: 2499, order: orders.OrderPlaced, payment: orders.PaymentCreated},
			{reason: orders.DeskOver, change: func(f *provider.Fact) { f.Amount++ },
				desk: 1, applied: 2500, order: orders.OrderPaid, payment: orders.PaymentCaptured},
			{reason: orders.DeskCurrency, change: func(f *provider.Fact) { f.Currency = "USD" },
				desk: 2500, order: orders.OrderPlaced, payment: orders.PaymentCreated},
			{reason: orders.DeskCurrency, change: func(f *provider.Fact) { f.Currency = "ZZZ" },
				desk: 2500, order: orders.OrderPlaced, payment: orders.PaymentCreated},
			{reason: orders.DeskUnknownReference, change: func(f *provider.Fact) { f.Reference = "ref_nobody" },
				desk: 2500, order: orders.OrderPlaced, payment: orders.PaymentCreated},
			{reason: orders.DeskUnknownReference, change: func(f *provider.Fact) { f.Provider = "fake" }, // another's reference
				desk: 2500, order: orders.OrderPlaced, payment: orders.PaymentCreated},
			{reason: orders.DeskRefund, change: func(f *provider.Fact) { f.Kind = provider.Refunded },
				desk: 2500, order: orders.OrderPlaced, payment: orders.PaymentCreated},
			{reason: orders.DeskLate, before: func(o orders.Order, _ orders.Payment) { r.event(o.ID, orders.EventCancel) },
				desk: 2500, order: orders.OrderCancelled, payment: orders.PaymentCaptured},
			{reason: orders.DeskLate, before: func(o orders.Order, _ orders.Payment) { r.event(o.ID, orders.EventExpire) },
				change: func(f *provider.Fact) { f.Amount += 7 }, desk: 2507, order: orders.OrderExpired, payment: orders.PaymentCaptured},
			{reason: orders.DeskSecond, before: func(_ orders.Order, p orders.Payment) { r.accept(captured("first-"+p.ID, p)) },
				desk: 2500, order: orders.OrderPaid, payment: orders.PaymentCaptured},
			{reason: orders.DeskSecond, before: func(o orders.Order, _ orders.Payment) {
				r.keyed(o.ID, orders.EventPay, `{"amount":2500,"currency":"EUR"}`)
				r.event(o.ID, orders.EventShip)
			}, desk: 2500, order: orders.OrderShipped, payment: orders.PaymentCaptured},
			{reason: orders.DeskSecond, before: func(o orders.Order, _ orders.Payment) {
				r.keyed(o.ID, orders.EventPay, `{"amount":2500,"currency":"EUR"}`)
				r.keyed(o.ID, orders.EventRequestRefund, "")
				r.keyed(o.ID, orders.EventFinishRefund, "")
			}, desk: 2500, order: orders.OrderRefunded, payment: orders.PaymentCaptured},
			{reason: orders.DeskOver, before: func(o orders.Order, _ orders.Payment) {
				r.keyed(o.ID, orders.EventPayPart, `{"amount":2000,"currency":"EUR"}`)
			}, desk: 2000, applied: 500, order: orders.OrderPaid, payment: orders.PaymentCaptured},
		} {
			o := r.place(2500)
			p := r.start(o.ID, 0)
			if c.before != nil {
				c.before(o, p)
			}
			said := captured("tx-"+p.ID, p)
			if c.change != nil {
				c.change(&said)
			}
			version := r.order(o.ID).Version
			var f orders.Fact
			for range 2 {
				f = r.accept(said)
				require.Equal(r, orders.FactDesk, f.State)
				require.Equal(r, c.reason, f.DeskReason)
				require.Equal(r, c.desk, f.DeskAmount, c.reason)
				require.Equal(r, c.applied, f.AppliedAmount, c.reason)
			}
			require.Len(r, r.desk(), i+1)
			require.Equal(r, f, r.desk()[0])
			if c.reason != orders.DeskUnknownReference {
				require.Equal(r, o.ID, f.OrderID, c.reason)
				require.Equal(r, p.ID, f.PaymentID, c.reason)
			}
			require.Equal(r, c.order, r.order(o.ID).State, c.reason)
			require.Equal(r, c.payment, r.payment(p.ID).State, c.reason)
			if c.applied == 0 {
				require.Equal(r, version, r.order(o.ID).Version)
			}
		}
	})
}

func TestAContradictionIsKeptBesideTheFirst(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(2500)
		p := r.start(o.ID, 0)
		first := r.accept(captured("tx-1", p))
		odd := captured("tx-1", p)
		odd.Amount = 2501
		for range 3 {
			receipt, err := r.Accept(r.Context(), odd)
			require.NoError(r, err)
			require.Equal(r, orders.DeskMismatch, receipt.Fact.DeskReason)
			require.EqualValues(r, 2501, receipt.Fact.DeskAmount)
			require.Equal(r, o.ID, receipt.Fact.OrderID)
			require.Equal(r, p.ID, receipt.Fact.PaymentID)
		}
		require.EqualValues(r, 1, r.log.errors.Load(), "one alert")
		odd.Currency = "USD"
		require.Equal(r, orders.DeskMismatch, r.accept(odd).DeskReason)
		require.Len(r, r.desk(), 2)
		require.Equal(r, first, r.accept(captured("tx-1", p)))
		require.EqualValues(r, 2, r.order(o.ID).Version)
		require.EqualValues(r, 2500, r.order(o.ID).PaidAmount)
	})
}

func TestFailedAttempts(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(2500)
		p := r.start(o.ID, 0)
		failed := captured("try-1", p)
		failed.Kind = provider.Failed
		require.Equal(r, orders.FactApplied, r.accept(failed).State)
		require.Equal(r, orders.PaymentFailed, r.payment(p.ID).State)
		require.Equal(r, orders.OrderPlaced, r.order(o.ID).State, "only the attempt has failed")

		// Money that arrives all the same is money.
		require.Equal(r, orders.FactApplied, r.accept(captured("try-1", p)).State)
		require.Equal(r, orders.OrderPaid, r.order(o.ID).State)
		failed.ID = "try-0"
		require.Equal(r, orders.FactApplied, r.accept(failed).State)
		require.Equal(r, orders.PaymentCaptured, r.payment(p.ID).State)
		failed.ID, failed.Reference = "try-9", "ref_nobody"
		require.Equal(r, orders.FactApplied, r.accept(failed).State)
		require.Empty(r, r.desk())
	})
}

func TestFactsThatCannotBeKept(t *testing.T) {
	r := onSQLite(t)
	p := r.start(r.place(2500).ID, 0)
	for _, change := range []func(f *provider.Fact){
		func(f *provider.Fact) { f.Provider = "" }, func(f *provider.Fact) { f.Provider = "a b" }, func(f *provider.Fact) { f.Kind = "payout.paid" },
		func(f *provider.Fact) { f.ID = "" }, func(f *provider.Fact) { f.ID = string(make([]byte, 191)) }, func(f *provider.Fact) { f.ID = "a b" },
		func(f *provider.Fact) { f.Reference = "" }, func(f *provider.Fact) { f.Reference = "é" }, func(f *provider.Fact) { f.Amount = 0 },
		func(f *provider.Fact) { f.Amount = -1 }, func(f *provider.Fact) { f.Amount = 1 << 53 }, func(f *provider.Fact) { f.Currency = "euro" },
	} {
		f := captured("tx-1", p)
		change(&f)
		_, err := r.Accept(r.Context(), f)
		require.ErrorIs(r, err, provider.ErrMalformed)
	}
}

// Twins of callbacks, of several payments, all at once: each amount counts once.
func TestConcurrentTwins(t *testing.T) {
	each(t, func(r *rig) {
		o := r.place(10_000)
		var facts []provider.Fact
		for i := range 5 {
			p := r.start(o.ID, int64(1500+500*i)) // 1500 + 2000 + 2500 + 3000 + 3500 = 12500
			facts = append(facts, captured("tx-"+p.ID, p))
		}
		var all sync.WaitGroup
		for range 4 {
			for _, f := range facts {
				all.Go(func() {
					_, err := r.Accept(r.Context(), f)
					if err != nil {
						r.Errorf("accept: %v", err)
					}
				})
			}
		}
		all.Wait()
		_, err := r.Settle(r.Context(), 100)
		require.NoError(r, err)
		require.EqualValues(r, 10_000, r.order(o.ID).PaidAmount)
		require.Equal(r, orders.OrderPaid, r.order(o.ID).State)
		var applied, desk int64
		for _, f := range facts {
			kept := r.accept(f)
			applied, desk = applied+kept.AppliedAmount, desk+kept.DeskAmount
		}
		require.EqualValues(r, 10_000, applied)
		require.EqualValues(r, 2_500, desk)
	})
}

func TestCancelAndPayAtOnce(t *testing.T) {
	each(t, func(r *rig) {
		for range 10 {
			o := r.place(2500)
			p := r.start(o.ID, 0)
			var both sync.WaitGroup
			both.Go(func() { r.event(o.ID, orders.EventCancel) })
			both.Go(func() { _, _ = r.Accept(r.Context(), captured("tx-"+p.ID, p)) })
			both.Wait()
			f := r.accept(captured("tx-"+p.ID, p))
			switch r.order(o.ID).State {
			case orders.OrderPaid:
				require.Equal(r, orders.FactApplied, f.State)
			case orders.OrderCancelled:
				require.Equal(r, orders.DeskLate, f.DeskReason)
				require.EqualValues(r, 2500, f.DeskAmount)
			default:
				r.Fatalf("the order is %s", r.order(o.ID).State)
			}
		}
	})
}
