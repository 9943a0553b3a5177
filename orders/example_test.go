package orders_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "orders"))
	db := must(sqlitedb.Open(filepath.Join(folder, "shop.db")))
	check(errors.Join(engine.Migrate(ctx, db), orders.Migrate(ctx, db)))
	cfg := orders.Config{Providers: []string{"bank"}}
	eng := must(engine.New(db, engine.Config{}, must(cfg.Machines())...))
	defer func() { check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder))) }()
	shop := must(orders.New(db, eng, eng, cfg))

	// The checkout numbers its requests, so that it may send each again.
	checkout := orders.Caller{Principal: "checkout", Actor: "checkout"}
	order, _, err := shop.Place(ctx, checkout, "cart-17", orders.NewOrder{
		Currency: "EUR", Items: []orders.Item{{SKU: "tea", Name: "Green tea", Quantity: 2, UnitPrice: 950}},
	})
	check(err)
	payment, _, err := shop.StartPayment(ctx, checkout, "cart-17-pay", order.ID, orders.NewPayment{Provider: "bank"})
	check(err)

	// The bank says that the money has arrived, and says it again. A provider.Provider has verified that
	// it is the bank.
	for range 2 {
		receipt := must(shop.Accept(ctx, provider.Fact{
			Provider: "bank", Kind: provider.Captured, ID: "transaction-42", Reference: payment.Reference,
			Amount: 1900, Currency: "EUR",
		}))
		fmt.Println("kept:", receipt.Result.Outcome)
	}
	order = must(shop.Order(ctx, order.ID))
	fmt.Println(order.State, orders.FormatMoney(order.PaidAmount, order.Currency))
	// Output:
	// kept: applied
	// kept: already
	// paid 19.00 EUR
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
