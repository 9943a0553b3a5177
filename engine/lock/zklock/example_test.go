package zklock_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/lock/zklock"
)

// This one needs a ZooKeeper, so it is only compiled here.
func Example() {
	ctx := context.Background()
	locks, err := zklock.Open([]string{"zk1:2181", "zk2:2181", "zk3:2181"}, zklock.Config{Root: "/shop/locks"})
	check(err)
	defer locks.Close()

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
