package timer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/timer"
)

// Booking is a row of our own.
type Booking struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

type bookingCall = engine.Call[Booking, engine.NoInput]

// A booking that is not confirmed within half an hour expires.
func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "timer"))
	db := must(sqlitedb.Open(filepath.Join(folder, "hotel.db")))
	check(errors.Join(db.AutoMigrate(&Booking{}), engine.Migrate(ctx, db)))

	wait := engine.Set("wait", func(c bookingCall, fx *engine.Effects) error {
		fx.Arm("patience", c.Now.Add(30*time.Minute), "expire")
		return nil
	})
	machine := must(engine.NewMachine(engine.Definition[Booking]{
		Name:   "booking",
		Events: map[engine.Event]engine.Spec{"book": {}, "confirm": {}, "expire": {}},
		Edges: []engine.Edge[Booking]{
			{Event: "book", To: "held", Actions: []engine.Action[Booking]{wait}},
			{Event: "confirm", From: []engine.State{"held"}, To: "confirmed"},
			{Event: "expire", From: []engine.State{"held"}, To: "expired"},
		},
	}))
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now } // leave Now out in a program
	eng := must(engine.New(db, engine.Config{Now: clock}, machine))
	defer func() { check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder))) }()

	for _, id := range []string{"b1", "b2"} {
		must(engine.Create(ctx, eng, &Booking{ID: id}, engine.Request{Machine: "booking"}))
	}
	must(eng.Apply(ctx, engine.Request{Machine: "booking", ID: "b1", Event: "confirm"})) // its timer ends with its state

	// In a program the steps are a job of a worker: worker.Job{Name: timer.Name, Step: timers.Step, Every: time.Second}
	timers := must(timer.New(ctx, db, eng, timer.Config{Now: clock}))
	now = now.Add(time.Hour)
	must(timers.Step(ctx, 0))
	for _, id := range []string{"b1", "b2"} {
		booking := must(engine.Load[Booking](ctx, eng, "booking", id))
		fmt.Println(booking.ID, booking.Status)
	}
	// Output:
	// b1 confirmed
	// b2 expired
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
