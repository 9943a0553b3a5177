package lock_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/sqlitedb"
)

// Report is what one process at a time should write.
type Report struct {
	ID   int64 `gorm:"primaryKey"`
	Text string
}

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "lock"))
	db := must(sqlitedb.Open(filepath.Join(folder, "shop.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()
	check(errors.Join(db.AutoMigrate(&Report{}), engine.Migrate(ctx, db)))

	locks := must(lock.NewSQL(ctx, db, lock.TTLDefault, rand.Text))
	lease := must(locks.Try(ctx, "report"))
	_, err := locks.Try(ctx, "report") // another process
	fmt.Println(errors.Is(err, lock.ErrHeld))

	// A holder who was paused for longer than the lease still believes in it. Enforce refuses him in the
	// transaction of what he writes, once somebody else has written.
	write := func(l *lock.Lease, text string) error {
		return db.Transaction(func(tx *gorm.DB) error {
			if err := lock.Enforce(ctx, tx, l); err != nil {
				return err
			}
			return tx.Create(&Report{Text: text}).Error
		})
	}
	check(write(lease, "first"))
	check(lease.Release(ctx))

	next := must(lock.Lock(ctx, locks, "report")) // waits until it is free
	check(write(next, "second"))
	fmt.Println(errors.Is(write(lease, "late"), lock.ErrLost))
	check(next.Release(ctx))
	// Output:
	// true
	// true
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
