package redislock_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/lock/redislock"
)

// This one needs a Redis, so it is only compiled here.
func Example() {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer func() { check(client.Close()) }()
	locks, err := redislock.New(client, redislock.Config{Owner: rand.Text})
	check(err)

	lease, err := locks.Try(ctx, "report")
	if errors.Is(err, lock.ErrHeld) {
		fmt.Println("another process writes the report")
		return
	}
	check(err)
	defer func() { check(lease.Release(ctx)) }()

	check(writeReport(lease.Context())) // which ends when the lease is lost; lock.Enforce guards what is written
}

func writeReport(context.Context) error { return nil }

func check(err error) {
	if err != nil {
		panic(err)
	}
}
