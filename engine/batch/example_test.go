package batch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
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
	folder := must(os.MkdirTemp("", "batch"))
	db := must(sqlitedb.Open(filepath.Join(folder, "parcels.db")))
	check(errors.Join(db.AutoMigrate(&Parcel{}), engine.Migrate(ctx, db)))
	eng := must(engine.New(db, engine.Config{}, must(engine.NewMachine(engine.Definition[Parcel]{
		Name:   "parcel",
		Events: map[engine.Event]engine.Spec{"post": {}, "deliver": {}},
		Edges: []engine.Edge[Parcel]{
			{Event: "post", To: "posted"},
			{Event: "deliver", From: []engine.State{"posted"}, To: "delivered"},
		},
	}))))
	batcher := must(batch.New(eng, batch.Config{}))
	defer func() { // first the batcher, which answers those who wait
		check(errors.Join(batcher.Close(ctx), eng.Close(ctx), must(db.DB()).Close(), os.RemoveAll(folder)))
	}()

	// As many callers as there are, such as the handlers of a server. Whoever comes while a transaction
	// commits shares the next one. A parcel is posted once, and five of its six callers hear so.
	var callers sync.WaitGroup
	outcomes := make([]engine.Outcome, 60)
	for i := range outcomes {
		callers.Go(func() {
			parcel := Parcel{ID: fmt.Sprint("p", i%10)}
			result, err := engine.Create(ctx, batcher, &parcel, engine.Request{Machine: "parcel"})
			check(err)
			outcomes[i] = result.Outcome
		})
	}
	callers.Wait()
	count := map[engine.Outcome]int{}
	for _, outcome := range outcomes {
		count[outcome]++
	}
	fmt.Println(count)
	// Output: map[already:50 applied:10]
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
