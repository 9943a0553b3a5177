package orders_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// totals is where money ends up.
type totals struct {
	paid  int64
	state string
	desk  int64 // over and second money together: which of two comes second depends on the order
	odd   map[orders.DeskReason]int64
}

// Whatever the order and number of deliveries, money ends in the same places. The same facts are
// delivered twice, to two equal orders, in two different ways.
func TestEveryDeliveryEndsInTheSameTotals(t *testing.T) {
	r := onSQLite(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		attempts := rapid.SliceOfN(rapid.SampledFrom([]int64{300, 700, 1000, 1500, 2500}), 1, 3).Draw(t, "attempts")
		changes := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "over", "short", "currency", "twice", "failed"}), len(attempts), len(attempts)).Draw(t, "changes")
		deliver := func(side int) totals {
			o := r.place(2500)
			sum := totals{odd: map[orders.DeskReason]int64{}}
			facts := factsOf(r, fmt.Sprint(run, "-", side), o, attempts, changes)
			deliveries := slices.Concat(facts, rapid.SliceOfN(rapid.SampledFrom(facts), 0, 4).Draw(t, "repeats"))
			for _, f := range rapid.Permutation(deliveries).Draw(t, "order") {
				r.accept(f)
			}
			o = r.order(o.ID)
			sum.paid, sum.state = o.PaidAmount, string(o.State)
			desk, err := r.MoneyDesk(r.Context(), orders.DeskFilter{OrderID: o.ID})
			require.NoError(t, err)
			for _, f := range desk.Data {
				if f.DeskReason == orders.DeskOver || f.DeskReason == orders.DeskSecond {
					sum.desk += f.DeskAmount
				} else {
					sum.odd[f.DeskReason] += f.DeskAmount
				}
			}
			return sum
		}
		require.Equal(t, deliver(1), deliver(2))
	})
}

// factsOf are the facts about attempts to pay an order. A mismatch is not among them: which version
// comes first is kept, so its totals do depend on the order.
func factsOf(r *rig, prefix string, o orders.Order, attempts []int64, changes []string) []provider.Fact {
	var facts []provider.Fact
	for i, amount := range attempts {
		f := captured(fmt.Sprint(prefix, "-", i), r.start(o.ID, amount))
		switch changes[i] {
		case "over":
			f.Amount += 11
		case "short":
			f.Amount -= 11
		case "currency":
			f.Currency = "USD"
		case "twice": // the provider took the money twice
			second := f
			second.ID += "-second"
			facts = append(facts, second)
		case "failed":
			failed := f
			failed.Kind = provider.Failed
			facts = append(facts, failed)
		}
		facts = append(facts, f)
	}
	return facts
}
