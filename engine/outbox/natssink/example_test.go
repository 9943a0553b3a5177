package natssink_test

import (
	"context"
	"os"
	"os/signal"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/natssink"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/worker"
)

// This one needs a NATS server with JetStream, so it is only compiled here. A message order.paid goes to
// shop.order.paid in the stream SHOP.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	db := must(sqlitedb.Open("shop.db"))
	defer func() { check(must(db.DB()).Close()) }()
	check(engine.Migrate(ctx, db))

	sink := must(natssink.New(natssink.Config{URL: "nats://localhost:4222", Stream: "SHOP", Prefix: "shop"}))
	defer sink.Close()
	relay := must(outbox.NewRelay(ctx, db, outbox.Config{}, sink))
	// Where several processes do this, the worker needs Leases: see its example.
	work := worker.Start(ctx, worker.Config{}, worker.Job{Name: outbox.RelayName, Step: relay.Step, Every: time.Second})
	defer work.Close()
	<-ctx.Done() // the rest of the program
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
