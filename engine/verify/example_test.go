package verify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orderd/engine"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/verify"
)

// Ticket is a row of our own.
type Ticket struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "verify"))
	db := must(sqlitedb.Open(filepath.Join(folder, "tickets.db")))
	check(errors.Join(db.AutoMigrate(&Ticket{}), engine.Migrate(ctx, db)))
	machine := must(engine.NewMachine(engine.Definition[Ticket]{
		Name:   "ticket",
		Events: map[engine.Event]engine.Spec{"sell": {}, "use": {}},
		Edges: []engine.Edge[Ticket]{
			{Event: "sell", To: "sold"},
			{Event: "use", From: []engine.State{"sold"}, To: "used"},
		},
	}))
	eng := must(engine.New(db, engine.Config{}, machine))
	defer func() { check(errors.Join(eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder))) }()
	must(engine.Create(ctx, eng, &Ticket{ID: "t1"}, engine.Request{Machine: "ticket"}))

	look := func() {
		report := must(verify.Run(ctx, db, verify.Options{Machines: []engine.AnyMachine{machine}}))
		fmt.Println("subjects:", report.Subjects, "findings:", report.Total)
		for _, f := range report.Findings {
			fmt.Println(f.Invariant, f.Machine, f.Subject, f.Text)
		}
	}
	look()
	check(db.Exec("UPDATE tickets SET status = 'used' WHERE id = 't1'").Error) // behind the engine's back
	look()
	// Output:
	// subjects: 1 findings: 0
	// subjects: 1 findings: 1
	// I1 ticket t1 the row is in state "used" at version 1, history ends in "sold" at version 1
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
