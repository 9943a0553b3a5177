package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine"
	"example.com/orderd/engine/sqlitedb"
)

// Order is a row of our own. The engine drives the three tagged fields.
type Order struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Amount  int64
}

// Payment is what a request to pay carries.
type Payment struct {
	Amount int64 `json:"amount"`
}

type payCall = engine.Call[Order, Payment]

func orderMachine() (*engine.Machine[Order], error) {
	exact := engine.Check("exact", func(c payCall) error {
		if c.Input.Amount != c.Subject.Amount {
			return fmt.Errorf("the order costs %d, not %d", c.Subject.Amount, c.Input.Amount)
		}
		return nil
	})
	announce := engine.Set("announce", func(c payCall, fx *engine.Effects) error {
		fx.Emit("order.paid", map[string]string{"id": c.Subject.ID})
		return nil
	})
	return engine.NewMachine(engine.Definition[Order]{
		Name: "order",
		Events: map[engine.Event]engine.Spec{
			"place": {},
			"pay":   {Input: Payment{}, Factual: true}, // carries money: its requests need a key
			"ship":  {},
		},
		Edges: []engine.Edge[Order]{
			{Event: "place", To: "placed"},
			{
				Event: "pay", From: []engine.State{"placed"}, To: "paid",
				Guards: []engine.Guard[Order]{exact}, Actions: []engine.Action[Order]{announce},
			},
			{Event: "ship", From: []engine.State{"paid"}, To: "shipped"},
		},
	})
}

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "shop"))
	db := must(sqlitedb.Open(filepath.Join(folder, "shop.db")))
	check(errors.Join(db.AutoMigrate(&Order{}), engine.Migrate(ctx, db)))
	eng := must(engine.New(db, engine.Config{}, must(orderMachine())))
	defer func() {
		check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder)))
	}()

	must(engine.Create(ctx, eng, &Order{ID: "o1", Amount: 1999}, engine.Request{Machine: "order"}))
	tell := func(result engine.Result, err error) {
		fmt.Println(result.Outcome, result.State, result.Version, err)
	}
	tell(eng.Apply(ctx, engine.Request{Machine: "order", ID: "o1", Event: "ship"}))

	paid := engine.Request{
		Machine: "order", ID: "o1", Event: "pay", Input: Payment{Amount: 1999},
		Key: engine.Key{Source: "provider:bank", Seq: "transaction-42"},
	}
	tell(eng.Apply(ctx, paid))
	tell(eng.Apply(ctx, paid)) // the provider says it again

	_, err := eng.Apply(ctx, engine.Request{
		Machine: "order", ID: "o1", Event: "pay", Input: Payment{Amount: 1999},
		Key: engine.Key{Source: "provider:bank", Seq: "transaction-43"}, // other money
	})
	fmt.Println(errors.Is(err, engine.ErrStale), err)

	tell(eng.Apply(ctx, engine.Request{Machine: "order", ID: "o1", Event: "ship"}))
	tell(eng.Apply(ctx, engine.Request{Machine: "order", ID: "o1", Event: "ship"}))
	// Output:
	// early placed 1 order o1: ship: early (state placed, version 1)
	// applied paid 2 <nil>
	// already paid 2 <nil>
	// true order o1: pay: stale/passed (state paid, version 2)
	// applied shipped 3 <nil>
	// already shipped 3 <nil>
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
