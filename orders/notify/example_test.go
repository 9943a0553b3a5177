package notify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/orders/notify"
)

// printer is a sender over a channel of our own. SMTP and Post are senders for mail and HTTP.
type printer struct{}

func (printer) Channel() string    { return "paper" }
func (printer) KnowsRepeats() bool { return false } // two calls are two sheets

func (printer) Send(_ context.Context, n notify.Notification) error {
	fmt.Println("to", n.Recipient+":", n.Title)
	return nil
}

// compose says who is told of a message, and what.
func compose(_ context.Context, m outbox.Message) ([]notify.Draft, error) {
	if m.Type != "order.shipped" {
		return nil, nil
	}
	return []notify.Draft{{Channel: "paper", Recipient: "Ann", Title: "Your order " + m.Subject + " is on its way"}}, nil
}

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "notify"))
	db := must(sqlitedb.Open(filepath.Join(folder, "shop.db")))
	check(errors.Join(engine.Migrate(ctx, db), notify.Migrate(ctx, db)))
	eng := must(engine.New(db, engine.Config{}, notify.Machines()...))
	defer func() { check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder))) }()
	notifier := must(notify.New(ctx, db, eng, notify.Config{
		Compose: compose, Senders: []notify.Sender{printer{}}, NewID: id.New,
	}))

	// In a program the notifier is a sink of an outbox.Relay, which may bring a message more than once, and
	// Step is the job notify.JobName of a worker. The customer is told once.
	shipped := outbox.Message{ID: "msg_1", Machine: "order", Subject: "o1", Version: 3, Ordinal: 1, Type: "order.shipped"}
	for range 2 {
		check(errors.Join(notifier.Send(ctx, []outbox.Message{shipped})...))
		must(notifier.Step(ctx, 0))
	}
	for _, n := range must(notifier.List(ctx, notify.Filter{OrderID: "o1"})).Notifications {
		fmt.Println(n.Channel, n.State)
	}
	// Output:
	// to Ann: Your order o1 is on its way
	// paper sent
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
