package worker_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/worker"
)

// One process at a time does the job, the one that has its lease. Any lock.Locker does; this one keeps
// leases in the database.
func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "worker"))
	db := must(sqlitedb.Open(filepath.Join(folder, "shop.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()
	check(engine.Migrate(ctx, db))
	locks := must(lock.NewSQL(ctx, db, lock.TTLDefault, rand.Text))
	leases := func(ctx context.Context, name string) (worker.Lease, error) {
		lease, err := locks.Try(ctx, name)
		if errors.Is(err, lock.ErrHeld) {
			return nil, nil // another process does the job
		}
		if err != nil {
			return nil, err
		}
		return lease, nil
	}

	letters, sent := make(chan string, 10), make(chan string)
	bell := worker.NewBell()
	post := worker.Start(ctx, worker.Config{Leases: leases}, worker.Job{
		Name: "post", Every: time.Minute, Wake: bell,
		Step: func(context.Context, int64) (more bool, err error) { // a small piece of the work
			select {
			case letter := <-letters:
				sent <- letter
				return true, nil // look for more at once
			default:
				return false, nil // until the bell rings, or for a minute
			}
		},
	})
	defer post.Close()

	letters <- "to Ann"
	letters <- "to Bob"
	bell.Ring()
	fmt.Println(<-sent)
	fmt.Println(<-sent)
	// Output:
	// to Ann
	// to Bob
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
