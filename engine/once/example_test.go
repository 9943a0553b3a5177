package once_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/sqlitedb"
)

// Vote is work that drives no subject of a machine.
type Vote struct {
	ID     int64 `gorm:"primaryKey"`
	Choice string
}

func Example() {
	ctx := context.Background()
	folder := must(os.MkdirTemp("", "once"))
	db := must(sqlitedb.Open(filepath.Join(folder, "poll.db")))
	defer func() { check(errors.Join(must(db.DB()).Close(), os.RemoveAll(folder))) }()
	check(errors.Join(db.AutoMigrate(&Vote{}), engine.Migrate(ctx, db)))

	// A form carries a token, and whoever sends it twice has voted once. The token is spent in the
	// transaction of the vote: if that fails, it is good for another try.
	tokens := must(once.NewTokens(ctx, db, time.Hour, once.Config{}))
	form := once.Binding{Holder: "session-1", Scope: "vote"}
	token := must(tokens.Issue(ctx, form))
	vote := func() error {
		return db.Transaction(func(tx *gorm.DB) error {
			if err := tokens.Spend(ctx, tx, token.Text, form); err != nil {
				return err
			}
			return tx.Create(&Vote{Choice: "tea"}).Error
		})
	}
	fmt.Println(vote(), errors.Is(vote(), once.ErrUnknown))

	// A message counts once, however often it is delivered.
	inbox := must(once.NewInbox(ctx, db, "postal votes", once.Config{}))
	for range 2 {
		done := must(inbox.Do(ctx, "letter-4711", func(tx *gorm.DB) error { return tx.Create(&Vote{Choice: "coffee"}).Error }))
		fmt.Println("counted by this delivery:", done)
	}

	// The result is announced once a day, whichever process thinks of it first.
	jobs := must(once.NewJobs(ctx, db, once.Config{}))
	for range 2 {
		_ = must(jobs.Run(ctx, once.Job{Name: "announce", Every: 24 * time.Hour}, func(ctx context.Context) error {
			var n int64
			err := db.WithContext(ctx).Model(&Vote{}).Count(&n).Error
			fmt.Println(n, "votes")
			return err
		}))
	}
	// Output:
	// <nil> true
	// counted by this delivery: true
	// counted by this delivery: false
	// 2 votes
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
