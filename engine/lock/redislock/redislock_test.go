package redislock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/lock"
	"example.com/orderd/engine/lock/redislock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var owners atomic.Int64

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled = true
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func locker(t *testing.T, c *redis.Client, prefix string, ttl time.Duration) lock.Locker {
	t.Helper()
	l, err := redislock.New(c, redislock.Config{
		TTL: ttl, Prefix: prefix, Owner: func() string { return fmt.Sprint("owner-", owners.Add(1)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestConformance(t *testing.T) {
	url := enginetest.Redis(t)
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		c, prefix := client(t, url), fmt.Sprintf("test:%s:%d:", t.Name(), time.Now().UnixNano())
		enginetest.Lockers(t, db, func(t *testing.T, ttl time.Duration) lock.Locker { return locker(t, c, prefix, ttl) },
			func(t *testing.T, name string) func() {
				key := prefix + "{" + name + "}"
				if err := c.Set(t.Context(), key, "thief", 0).Err(); err != nil {
					t.Fatal(err)
				}
				return func() {
					if err := c.Del(t.Context(), key).Err(); err != nil {
						t.Fatal(err)
					}
				}
			})
	})
}

// A Redis that has lost everything forgets who holds the lock, and no more: the next fence is greater.
func TestFencesGrowAcrossAnEmptiedRedis(t *testing.T) {
	c, prefix := client(t, enginetest.Redis(t)), fmt.Sprintf("test:emptied:%d:", time.Now().UnixNano())
	l := locker(t, c, prefix, time.Minute)
	first, err := l.Try(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.Keys(t.Context(), prefix+"*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatalf("%q, %v", keys, err)
	}
	if err := c.Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
	second, err := l.Try(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	if second.Fence() <= first.Fence() {
		t.Errorf("fence %d after %d", second.Fence(), first.Fence())
	}
	_, _ = first.Release(t.Context()), second.Release(t.Context())
}

// A lease that nobody renews ends.
func TestAnAbandonedLeaseEnds(t *testing.T) {
	c, prefix := client(t, enginetest.Redis(t)), fmt.Sprintf("test:abandoned:%d:", time.Now().UnixNano())
	if err := c.Set(t.Context(), prefix+"{job}", "dead", 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	l := locker(t, c, prefix, time.Minute)
	if _, err := l.Try(t.Context(), "job"); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("%v, want ErrHeld", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	lease, err := lock.Lock(ctx, l, "job")
	if err != nil {
		t.Fatal(err)
	}
	_ = lease.Release(t.Context())
}

// Without Redis nobody gets a lock, and is told so in time: neither a grant nor ErrHeld.
func TestWithoutRedisThereIsNoLock(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for name, addr := range map[string]string{"refuses": gone.Addr().String(), "hangs": mute.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			l := locker(t, client(t, "redis://"+addr), "test:", time.Minute)
			began := time.Now()
			lease, err := l.Try(t.Context(), "job")
			if lease != nil || err == nil || errors.Is(err, lock.ErrHeld) {
				t.Errorf("%v, %v", lease, err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
