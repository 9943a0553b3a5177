package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/timer"
	"example.com/orderd/engine/worker"
)

// Order is a row of our own. The engine drives the three tagged fields.
type Order struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Amount  int64
	PayBy   time.Time
}

// Payment is what a request to pay carries.
type Payment struct {
	Amount int64 `json:"amount"`
}

type (
	orderCall = engine.Call[Order, engine.NoInput]
	payCall   = engine.Call[Order, Payment]
)

func orderMachine() (*engine.Machine[Order], error) {
	exact := engine.Check("exact", func(c payCall) error {
		if c.Input.Amount != c.Subject.Amount {
			return fmt.Errorf("the order costs %d, not %d", c.Subject.Amount, c.Input.Amount)
		}
		return nil
	})
	wait := engine.Set("wait", func(c orderCall, fx *engine.Effects) error {
		fx.Arm("unpaid", c.Subject.PayBy, "expire") // unless the order is paid by then
		return nil
	})
	announce := engine.Set("announce", func(c orderCall, fx *engine.Effects) error {
		fx.Emit("order."+string(c.To), map[string]string{"id": c.Subject.ID})
		return nil
	})
	return engine.NewMachine(engine.Definition[Order]{
		Name: "order",
		Events: map[engine.Event]engine.Spec{
			"place":  {},
			"pay":    {Input: Payment{}, Factual: true}, // carries money: its requests need a key
			"ship":   {},
			"expire": {},
		},
		Edges: []engine.Edge[Order]{
			{Event: "place", To: "placed", Actions: []engine.Action[Order]{wait}},
			{
				Event: "pay", From: []engine.State{"placed"}, To: "paid",
				Guards: []engine.Guard[Order]{exact}, Actions: []engine.Action[Order]{announce},
			},
			{Event: "ship", From: []engine.State{"paid"}, To: "shipped"},
			{Event: "expire", From: []engine.State{"placed"}, To: "expired", Actions: []engine.Action[Order]{announce}},
		},
	})
}

// printer is a sink: where messages go. There are others for webhooks, NATS JetStream and Kafka.
type printer chan string

func (printer) Name() string { return "printer" }

func (p printer) Send(_ context.Context, ms []outbox.Message) []error {
	for _, m := range ms {
		p <- m.Type + " " + m.Subject
	}
	return make([]error, len(ms)) // nil: taken for good
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

	must(engine.Create(ctx, eng, &Order{ID: "o1", Amount: 1999, PayBy: time.Now().Add(time.Hour)}, engine.Request{Machine: "order"}))
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

	// Messages leave and timers fire in the background. worker.Config.Leases lets one of many processes do it.
	out := make(printer)
	relay := must(outbox.NewRelay(ctx, db, outbox.Config{}, out))
	timers := must(timer.New(ctx, db, eng, timer.Config{}))
	defer worker.Start(ctx, worker.Config{},
		worker.Job{Name: outbox.RelayName, Step: relay.Step, Every: 100 * time.Millisecond},
		worker.Job{Name: timer.Name, Step: timers.Step, Every: 100 * time.Millisecond},
	).Close()
	fmt.Println(<-out)
	must(engine.Create(ctx, eng, &Order{ID: "o2", Amount: 500, PayBy: time.Now()}, engine.Request{Machine: "order"}))
	fmt.Println(<-out)
	// Output:
	// early placed 1 order o1: ship: early (state placed, version 1)
	// applied paid 2 <nil>
	// already paid 2 <nil>
	// true order o1: pay: stale/passed (state paid, version 2)
	// applied shipped 3 <nil>
	// already shipped 3 <nil>
	// order.paid o1
	// order.expired o2
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
