package orders_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

func TestNewOrderNamesTheFieldThatIsWrong(t *testing.T) {
	item := func(change func(*orders.Item)) func(*orders.NewOrder) {
		return func(n *orders.NewOrder) { change(&n.Items[1]) }
	}
	for _, c := range []struct {
		field  string
		change func(*orders.NewOrder)
	}{
		{"", func(*orders.NewOrder) {}},
		{"", item(func(i *orders.Item) { i.UnitPrice = 0 })},
		{"", item(func(i *orders.Item) { i.UnitPrice = orders.AmountMax - 1000 })},
		{"", item(func(i *orders.Item) { i.SKU, i.Name = "größe/42", "Schuhe, Größe 42 — 靴" })},
		{"", func(n *orders.NewOrder) { n.Currency = "JPY" }},
		{"", func(n *orders.NewOrder) { n.CustomerRef = strings.Repeat("c", 190) }},
		{"currency", func(n *orders.NewOrder) { n.Currency = "" }},
		{"currency", func(n *orders.NewOrder) { n.Currency = "eur" }},
		{"currency", func(n *orders.NewOrder) { n.Currency = "ZZZ" }},
		{"currency", func(n *orders.NewOrder) { n.Currency = "XAU" }},
		{"items", func(n *orders.NewOrder) { n.Items = nil }},
		{"items", func(n *orders.NewOrder) { n.Items = make([]orders.Item, 501) }},
		{"items", func(n *orders.NewOrder) { n.Items = n.Items[:1]; n.Items[0].UnitPrice = 0 }},
		{"items[1].sku", item(func(i *orders.Item) { i.SKU = "" })},
		{"items[1].sku", item(func(i *orders.Item) { i.SKU = strings.Repeat("s", 129) })},
		{"items[1].sku", item(func(i *orders.Item) { i.SKU = "a\x00b" })},
		{"items[1].sku", item(func(i *orders.Item) { i.SKU = "\xff" })},
		{"items[1].name", item(func(i *orders.Item) { i.Name = "" })},
		{"items[1].name", item(func(i *orders.Item) { i.Name = "two\nlines" })},
		{"items[1].name", item(func(i *orders.Item) { i.Name = strings.Repeat("n", 256) })},
		{"items[1].quantity", item(func(i *orders.Item) { i.Quantity = 0 })},
		{"items[1].quantity", item(func(i *orders.Item) { i.Quantity = -1 })},
		{"items[1].quantity", item(func(i *orders.Item) { i.Quantity = 1_000_000_001 })},
		{"items[1].unit_price", item(func(i *orders.Item) { i.UnitPrice = -1 })},
		{"items[1].unit_price", item(func(i *orders.Item) { i.UnitPrice = orders.AmountMax + 1 })},
		{"items[1]", item(func(i *orders.Item) { i.UnitPrice = orders.AmountMax })},
		{"items[1]", item(func(i *orders.Item) { i.Quantity, i.UnitPrice = 1_000_000_000, 1<<52 })},
		{"customer_ref", func(n *orders.NewOrder) { n.CustomerRef = strings.Repeat("c", 191) }},
		{"customer_ref", func(n *orders.NewOrder) { n.CustomerRef = "a\tb" }},
		{"metadata", func(n *orders.NewOrder) { n.Metadata = orders.Metadata{"": "x"} }},
		{"metadata", func(n *orders.NewOrder) { n.Metadata = orders.Metadata{strings.Repeat("m", 41): "x"} }},
		{"metadata.m", func(n *orders.NewOrder) { n.Metadata = orders.Metadata{"m": strings.Repeat("v", 501)} }},
		{"metadata", func(n *orders.NewOrder) {
			n.Metadata = orders.Metadata{}
			for i := range 51 {
				n.Metadata[fmt.Sprint("m", i)] = ""
			}
		}},
	} {
		n := orders.NewOrder{Currency: "EUR", Items: []orders.Item{
			{SKU: "A", Name: "a", Quantity: 1, UnitPrice: 1000}, {SKU: "B", Name: "b", Quantity: 1, UnitPrice: 500},
		}}
		c.change(&n)
		err := n.Validate()
		if c.field == "" {
			require.NoError(t, err)
			continue
		}
		var wrong *engine.RequestError
		require.True(t, errors.As(err, &wrong), "%s: %v", c.field, err)
		require.Equal(t, c.field, wrong.Field, wrong.Problem)
		require.ErrorIs(t, err, engine.ErrBadRequest)
	}
}

func TestPlace(t *testing.T) {
	each(t, func(r *rig) {
		n := orders.NewOrder{
			Currency: "EUR", CustomerRef: "c-1", Metadata: orders.Metadata{"cart": "7", "note": `"quoted"`},
			Items: []orders.Item{
				{SKU: "BOOK-1", Name: "A book", Quantity: 2, UnitPrice: 1250}, {SKU: "GIFT", Name: "A gift", Quantity: 1},
			},
		}
		first, result, err := r.Place(r.Context(), by, "k", n)
		require.NoError(r, err)
		require.Equal(r, engine.Applied, result.Outcome)
		require.Regexp(r, `^ord_[0-9a-z]{26}$`, first.ID)
		require.Equal(r, orders.OrderPlaced, first.State)
		require.EqualValues(r, 1, first.Version)
		require.EqualValues(r, 2500, first.Amount)
		require.Equal(r, r.clock.Now(), first.CreatedAt)
		require.Equal(r, r.clock.Now().Add(30*60e9), first.ExpiresAt)
		require.Equal(r, first, r.order(first.ID), "what is answered is what is stored")
		require.Equal(r, n.Items[0].SKU, first.Items[0].SKU)
		require.Equal(r, n.Metadata, first.Metadata)
		due, armed := r.timer(first.ID, "expire", 1)
		require.True(r, armed)
		require.Equal(r, first.ExpiresAt, due)
		require.Equal(r, []string{"order.placed"}, r.messages(first.ID))

		require.Equal(r, engine.Applied, r.event(first.ID, orders.EventCancel).Outcome)
		again, result, err := r.Place(r.Context(), by, "k", n)
		require.NoError(r, err)
		require.Equal(r, engine.Replayed, result.Detail)
		require.Equal(r, first.ID, again.ID)
		require.Equal(r, orders.OrderCancelled, again.State)
		require.Len(r, again.Items, 2)

		n.Items[0].UnitPrice++
		_, result, err = r.Place(r.Context(), by, "k", n)
		require.ErrorIs(r, err, engine.ErrConflict)
		require.Equal(r, engine.KeyReused, result.Detail)
		_, _, err = r.Place(r.Context(), by, "", n)
		require.ErrorIs(r, err, engine.ErrBadRequest)
		_, _, err = r.Place(r.Context(), by, "k2", orders.NewOrder{Currency: "EUR"})
		var wrong *engine.RequestError
		require.True(r, errors.As(err, &wrong))
		require.Equal(r, "items", wrong.Field)
		_, err = r.Order(r.Context(), "ord_nobody")
		require.ErrorIs(r, err, engine.ErrNotFound)
	})
}

func TestPlaceManyItems(t *testing.T) {
	each(t, func(r *rig) {
		n := oneItem(1)
		for range 499 {
			n.Items = append(n.Items, n.Items[0])
		}
		o, _, err := r.Place(r.Context(), by, "k", n)
		require.NoError(r, err)
		require.Len(r, r.order(o.ID).Items, 500)
		require.EqualValues(r, 500, o.Amount)

		for i := range n.Items {
			n.Items[i].Name = strings.Repeat("<", 200) // six bytes each in JSON
		}
		_, _, err = r.Place(r.Context(), by, "k2", n)
		require.ErrorIs(r, err, engine.ErrBadRequest, "the input as a whole is too long")
	})
}
