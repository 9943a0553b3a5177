package txn_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/txn"
)

// Parcel is a row that a machine drives.
type Parcel struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

// Van is a row of our own.
type Van struct {
	ID   string `gorm:"primaryKey"`
	Free int64
}

// Two parcels and the room in the van for them stand or fall together.
func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "txn"))
	db := must(sqlitedb.Open(filepath.Join(folder, "parcels.db")))
	check(errors.Join(db.AutoMigrate(&Parcel{}, &Van{}), engine.Migrate(ctx, db)))
	eng := must(engine.New(db, engine.Config{}, must(engine.NewMachine(engine.Definition[Parcel]{
		Name:   "parcel",
		Events: map[engine.Event]engine.Spec{"post": {}, "load": {}},
		Edges: []engine.Edge[Parcel]{
			{Event: "post", To: "posted"},
			{Event: "load", From: []engine.State{"posted"}, To: "loaded"},
		},
	}))))
	defer func() { check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder))) }()
	check(db.Create(&Van{ID: "v1", Free: 3}).Error)
	for _, id := range []string{"p1", "p2", "p3", "p4"} {
		must(engine.Create(ctx, eng, &Parcel{ID: id}, engine.Request{Machine: "parcel"}))
	}

	// It runs again from its start where that may help, as after a deadlock, so it does nothing but SQL.
	load := func(parcels ...string) error {
		return txn.Run(ctx, db, func(tx *gorm.DB) error {
			for _, id := range parcels {
				if _, err := eng.ApplyTx(ctx, tx, engine.Request{Machine: "parcel", ID: id, Event: "load"}); err != nil {
					return err
				}
			}
			room := tx.Exec("UPDATE vans SET free = free - ? WHERE id = 'v1' AND free >= ?", len(parcels), len(parcels))
			if room.Error == nil && room.RowsAffected == 0 {
				return errors.New("the van is full")
			}
			return room.Error
		})
	}
	fmt.Println(load("p1", "p2"))
	fmt.Println(load("p3", "p4"))
	for _, id := range []string{"p1", "p2", "p3", "p4"} {
		fmt.Println(id, must(engine.Load[Parcel](ctx, eng, "parcel", id)).Status)
	}
	// Output:
	// <nil>
	// the van is full
	// p1 loaded
	// p2 loaded
	// p3 posted
	// p4 posted
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
