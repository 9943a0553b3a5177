package orders_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// totals is where the money of one order ends up.
type totals struct {
	paid  int64
	state engine.State
	desk  int64                       // over and second money together: which of two comes second depends on the order
	odd   map[orders.DeskReason]int64 // all other
}

// Whatever the order and number of deliveries, money ends where it ends when each is delivered once.
func TestEveryDeliveryEndsInTheSameTotals(t *testing.T) {
	r := onSQLite(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		amounts := rapid.SliceOfN(rapid.SampledFrom([]int64{300, 700, 1000, 1500, 2500}), 1, 3).Draw(t, "amounts")
		changes := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "over", "short", "currency", "twice", "failed"}), len(amounts), len(amounts)).Draw(t, "changes")
		plain, shuffled := r.place(2500).ID, r.place(2500).ID
		for _, f := range factsOf(r, fmt.Sprint(run, "-plain"), plain, amounts, changes) {
			r.accept(f)
		}
		facts := factsOf(r, fmt.Sprint(run, "-shuffled"), shuffled, amounts, changes)
		repeats := rapid.SliceOfN(rapid.SampledFrom(facts), 0, 4).Draw(t, "repeats")
		for _, f := range rapid.Permutation(append(facts, repeats...)).Draw(t, "deliveries") {
			r.accept(f)
		}
		require.Equal(t, totalsOf(r, plain), totalsOf(r, shuffled))
	})
}

// factsOf are the facts about attempts to pay an order. A contradicting version is not among them:
// the version that comes first is believed, so there the order of deliveries does count.
func factsOf(r *rig, prefix, order string, amounts []int64, changes []string) []provider.Fact {
	var facts []provider.Fact
	for i, amount := range amounts {
		f := captured(fmt.Sprint(prefix, "-", i), r.start(order, amount))
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
		case "failed": // and then succeeded
			failed := f
			failed.Kind = provider.Failed
			facts = append(facts, failed)
		}
		facts = append(facts, f)
	}
	return facts
}

func totalsOf(r *rig, order string) totals {
	o := r.order(order)
	sum := totals{paid: o.PaidAmount, state: o.State, odd: map[orders.DeskReason]int64{}}
	desk, err := r.MoneyDesk(r.Context(), orders.DeskFilter{OrderID: order})
	require.NoError(r, err)
	for _, f := range desk.Data {
		if f.DeskReason == orders.DeskOver || f.DeskReason == orders.DeskSecond {
			sum.desk += f.DeskAmount
		} else {
			sum.odd[f.DeskReason] += f.DeskAmount
		}
	}
	return sum
}
