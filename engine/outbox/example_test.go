package outbox_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/timer"
	"example.com/orderd/engine/worker"
)

// Parcel is a row of one's own.
type Parcel struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

type parcelCall = engine.Call[Parcel, engine.NoInput]

// parcelMachine returns a parcel that nobody has fetched for a while, and says so.
func parcelMachine(patience time.Duration) (*engine.Machine[Parcel], error) {
	return engine.NewMachine(engine.Definition[Parcel]{
		Name:   "parcel",
		Events: map[engine.Event]engine.Spec{"arrive": {}, "fetch": {}, "return": {}},
		Edges: []engine.Edge[Parcel]{
			{Event: "arrive", To: "waiting", Actions: []engine.Action[Parcel]{
				engine.Set("wait", func(c parcelCall, fx *engine.Effects) error {
					fx.Emit("parcel.arrived", map[string]string{"id": c.Subject.ID})
					fx.Arm("patience", c.Now.Add(patience), "return")
					return nil
				}),
			}},
			{Event: "fetch", From: []engine.State{"waiting"}, To: "fetched"},
			{Event: "return", From: []engine.State{"waiting"}, To: "returned", Actions: []engine.Action[Parcel]{
				engine.Set("say", func(c parcelCall, fx *engine.Effects) error {
					fx.Emit("parcel.returned", map[string]string{"id": c.Subject.ID})
					return nil
				}),
			}},
		},
	})
}

// printer is a sink: where messages go.
type printer chan string

func (printer) Name() string { return "printer" }

func (p printer) Send(_ context.Context, ms []outbox.Message) []error {
	for _, m := range ms {
		p <- fmt.Sprintf("%s, version %d of %s", m.Type, m.Version, m.Subject)
	}
	return make([]error, len(ms)) // nil: taken for good
}

// A worker takes messages out and fires timers. Another process with the same lines shares the work.
func Example() {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	folder := must(os.MkdirTemp("", "shop"))
	db := must(sqlitedb.Open(filepath.Join(folder, "shop.db")))
	check(errors.Join(db.AutoMigrate(&Parcel{}), engine.Migrate(ctx, db)))
	bell := worker.NewBell()
	eng := must(engine.New(db, engine.Config{Logger: log, Observe: func(o engine.Observation) {
		if outbox.Wake(o) { // after the commit
			bell.Ring()
		}
	}}, must(parcelMachine(time.Millisecond))))

	out := make(printer, 10)
	relay := must(outbox.NewRelay(ctx, db, outbox.Config{Logger: log}, out))
	timers := must(timer.New(ctx, db, eng, timer.Config{Logger: log}))
	locks := must(lock.NewSQL(ctx, db, lock.TTLDefault, rand.Text))
	work := worker.Start(ctx, worker.Config{Log: log, Leases: func(ctx context.Context, name string) (worker.Lease, error) {
		lease, err := locks.Try(ctx, name)
		if errors.Is(err, lock.ErrHeld) {
			return nil, nil
		}
		return lease, err
	}},
		worker.Job{Name: outbox.RelayName, Step: relay.Step, Every: 100 * time.Millisecond, Wake: bell},
		worker.Job{Name: timer.Name, Step: timers.Step, Every: 100 * time.Millisecond},
	)

	must(engine.Create(ctx, eng, &Parcel{ID: "p1"}, engine.Request{Machine: "parcel"}))
	fmt.Println(<-out)
	fmt.Println(<-out)

	work.Close()
	check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder)))
	// Output:
	// parcel.arrived, version 1 of p1
	// parcel.returned, version 2 of p1
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
