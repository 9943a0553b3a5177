package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"gorm.io/gorm"

	"example.com/orderd/cmd/orderd/internal/submit"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/lock/zklock"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/once/redistokens"
	"example.com/orderd/engine/txn"
	"example.com/orderd/engine/worker"
)

// What may stand beside the database: Redis for submit tokens, ZooKeeper for leases. Neither decides
// what is true, and the daemon starts without them; what needs them says that they are away.

func newToken() string { return id.Random("tok") }

// submitTokens is where submit tokens are kept.
func (d *daemon) submitTokens(inSQL *once.Tokens) (submit.Tokens, error) {
	d.background.tokens = inSQL
	if d.secrets.redis == "" {
		return submit.SQL{Tokens: inSQL}, nil
	}
	options, err := redis.ParseURL(d.secrets.redis)
	if err != nil {
		return nil, errors.New("ORDERD_REDIS: want a URL such as redis://127.0.0.1:6379/0") // the cause may show a password
	}
	options.ContextTimeoutEnabled = true
	logging.Disable() // it would log by itself; callers are told by errors
	client := redis.NewClient(options)
	d.background.closers = append(d.background.closers, func() { _ = client.Close() })
	tokens := redistokens.New(client, redistokens.Config{
		Config: once.Config{Now: d.now, Text: newToken}, RunMax: d.patience,
	})
	return submit.Redis{Tokens: tokens, ByKey: d.engine.ByKey}, nil
}

// leases are granted by the database, or by ZooKeeper.
func (d *daemon) leases(ctx context.Context) (worker.Leases, error) {
	if d.secrets.zookeeper == "" {
		inSQL, err := lock.NewSQL(ctx, d.database.Gorm, leaseTime, func() string { return id.New("own") })
		if err != nil {
			return nil, err
		}
		return leasesOf(inSQL, func(context.Context, *lock.Lease) error { return nil }), nil
	}
	servers, root, found := strings.Cut(d.secrets.zookeeper, "/")
	c := zklock.Config{TTL: leaseTime}
	if found {
		c.Root = "/" + root
	}
	zk, err := zklock.Open(strings.Split(servers, ","), c)
	if err != nil {
		return nil, fmt.Errorf("ORDERD_ZOOKEEPER: %w", err)
	}
	d.background.closers = append(d.background.closers, zk.Close)
	return leasesOf(zk, d.announce), nil
}

// announce writes a lease's fence where the writes of jobs look for it.
func (d *daemon) announce(ctx context.Context, l *lock.Lease) error {
	err := txn.Run(ctx, d.database.Gorm, func(tx *gorm.DB) error { return lock.Enforce(ctx, tx, l) })
	if errors.Is(err, lock.ErrLost) {
		return fmt.Errorf("%w; if ZooKeeper was set up anew, its numbers began anew: "+
			"delete the row %q from engine_leases while no daemon runs", err, l.Name())
	}
	return err
}

// leasesOf makes a worker's leases of a Locker's.
func leasesOf(l lock.Locker, announce func(context.Context, *lock.Lease) error) worker.Leases {
	return func(ctx context.Context, name string) (worker.Lease, error) {
		lease, err := l.Try(ctx, name)
		if errors.Is(err, lock.ErrHeld) {
			return nil, nil
		}
		if err != nil {
			return nil, err // not a nil *Lease in an interface
		}
		if err := announce(ctx, lease); err != nil {
			return nil, errors.Join(err, lease.Release(ctx))
		}
		return lease, nil
	}
}
