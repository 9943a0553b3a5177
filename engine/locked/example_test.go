package locked_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/locked"
	"example.com/orderd/engine/sqlitedb"
)

// Parcel is a row of our own.
type Parcel struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "locked"))
	db := must(sqlitedb.Open(filepath.Join(folder, "parcels.db")))
	check(errors.Join(db.AutoMigrate(&Parcel{}), engine.Migrate(ctx, db)))
	eng := must(engine.New(db, engine.Config{}, must(engine.NewMachine(engine.Definition[Parcel]{
		Name:   "parcel",
		Events: map[engine.Event]engine.Spec{"post": {}, "deliver": {}},
		Edges:  []engine.Edge[Parcel]{{Event: "post", To: "posted"}, {Event: "deliver", From: []engine.State{"posted"}, To: "delivered"}},
	}))))
	defer func() { check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder))) }()

	// Any lock.Locker does: this one keeps leases in the database, redislock and zklock elsewhere.
	locker := must(lock.NewSQL(ctx, db, 0, rand.Text))
	one := locked.New(eng, locker, locked.Config{Wait: 50 * time.Millisecond})
	must(engine.Create(ctx, one, &Parcel{ID: "p1"}, engine.Request{Machine: "parcel"}))
	deliver := engine.Request{Machine: "parcel", ID: "p1", Event: "deliver"}

	somebody := must(locker.Try(ctx, "subject:parcel/p1"))
	result, err := one.Apply(ctx, deliver)
	fmt.Println(result.Outcome, errors.Is(err, engine.ErrUnavailable))

	check(somebody.Release(ctx))
	fmt.Println(must(one.Apply(ctx, deliver)).Outcome)

	// A holder who was paused and wakes up is refused where it writes, by the fence of its lease.
	late := must(locker.Try(ctx, "report"))
	check(late.Release(ctx))
	next := must(locker.Try(ctx, "report"))
	write := func(l *lock.Lease) error {
		return db.Transaction(func(tx *gorm.DB) error { return lock.Enforce(ctx, tx, l) })
	}
	fmt.Println(write(next), errors.Is(write(late), lock.ErrLost))
	check(next.Release(ctx))
	// Output:
	// unavailable true
	// applied
	// <nil> true
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
