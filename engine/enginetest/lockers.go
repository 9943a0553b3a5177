package enginetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/lock"
)

// Granted is a lock.Locker that says yes to everybody, as the worst one would. What is correct stays
// correct behind it.
type Granted struct{}

// Try grants the lock, whoever holds it.
func (Granted) Try(ctx context.Context, name string) (*lock.Lease, error) {
	if err := lock.CheckName(name); err != nil {
		return nil, err
	}
	return lock.NewLease(ctx, name, 1, time.Hour, time.Now(), granted{}), nil
}

type granted struct{}

func (granted) Renew(context.Context) error   { return nil }
func (granted) Release(context.Context) error { return nil }

// Lockers holds a kind of lock.Locker to what every one promises. locker makes them, each for another
// owner, with leases of some length; all know of each other. steal gives a lock to somebody else, as if
// its holder had been paused for longer than the lease, until giveUp. db has the engine's tables.
func Lockers(t *testing.T, db *gorm.DB, locker func(t *testing.T, ttl time.Duration) lock.Locker,
	steal func(t *testing.T, name string) (giveUp func())) {
	t.Helper()
	must := func(t *testing.T, l *lock.Lease, err error) *lock.Lease {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Release(context.Background()) })
		return l
	}
	t.Run("one holder at a time, and fences grow", func(t *testing.T) {
		a, b := locker(t, time.Minute), locker(t, time.Minute)
		first, err := a.Try(t.Context(), "job")
		must(t, first, err)
		for _, l := range []lock.Locker{a, b} {
			if _, err := l.Try(t.Context(), "job"); !errors.Is(err, lock.ErrHeld) {
				t.Fatalf("%v, want ErrHeld", err)
			}
		}
		other, err := b.Try(t.Context(), "another job")
		must(t, other, err)
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := first.Release(t.Context()); err != nil {
			t.Errorf("a second release: %v", err)
		}
		if first.Context().Err() == nil {
			t.Error("a released lease goes on")
		}
		second, err := b.Try(t.Context(), "job")
		must(t, second, err)
		if second.Fence() <= first.Fence() {
			t.Errorf("fence %d after %d", second.Fence(), first.Fence())
		}
	})
	t.Run("a lease outlives the call that asked for it, and renews itself", func(t *testing.T) {
		a, b := locker(t, 400*time.Millisecond), locker(t, 400*time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		l, err := a.Try(ctx, "long")
		must(t, l, err)
		cancel()
		for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
			if _, err := b.Try(t.Context(), "long"); !errors.Is(err, lock.ErrHeld) {
				t.Fatalf("%v, want ErrHeld", err)
			}
			if l.Context().Err() != nil {
				t.Fatal(context.Cause(l.Context()))
			}
		}
	})
	t.Run("a stolen lease is told, and its fence is old", func(t *testing.T) {
		l, err := locker(t, 300*time.Millisecond).Try(t.Context(), "stolen")
		must(t, l, err)
		steal(t, "stolen")
		select {
		case <-l.Context().Done():
		case <-time.After(10 * time.Second):
			t.Fatal("nobody told the holder")
		}
		if err := context.Cause(l.Context()); !errors.Is(err, lock.ErrLost) {
			t.Errorf("the cause is %v", err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("release what is lost: %v", err)
		}
	})
	t.Run("a holder that was paused is refused by its fence", func(t *testing.T) {
		a, b := locker(t, 10*time.Second), locker(t, time.Minute)
		paused, err := a.Try(t.Context(), "paused")
		must(t, paused, err)
		write := func(l *lock.Lease) error {
			return db.Transaction(func(tx *gorm.DB) error { return lock.Enforce(t.Context(), tx, l) })
		}
		for range 2 {
			if err := write(paused); err != nil {
				t.Fatalf("while it holds the lock: %v", err)
			}
		}
		give := steal(t, "paused")
		give()
		next, err := lock.Lock(t.Context(), b, "paused")
		must(t, next, err)
		if err := write(next); err != nil {
			t.Fatalf("who took over: %v", err)
		}
		if err := write(paused); !errors.Is(err, lock.ErrLost) {
			t.Errorf("who was paused: %v, want ErrLost", err)
		}
		if err := write(next); err != nil {
			t.Errorf("who took over, again: %v", err)
		}
	})
	t.Run("waiting ends with the lease of the other, or with the caller", func(t *testing.T) {
		a, b := locker(t, time.Minute), locker(t, time.Minute)
		first, err := a.Try(t.Context(), "wanted")
		must(t, first, err)
		if _, err := b.Try(t.Context(), "wanted"); !errors.Is(err, lock.ErrHeld) {
			t.Fatalf("%v, want ErrHeld", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := lock.Lock(ctx, b, "wanted"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, lock.ErrHeld) {
			t.Errorf("%v", err)
		}
		go func() { _ = first.Release(context.Background()) }()
		second, err := lock.Lock(t.Context(), b, "wanted")
		must(t, second, err)
	})
	t.Run("many ask at once and one gets it", func(t *testing.T) {
		var got atomic.Int64
		var all sync.WaitGroup
		for range 32 {
			l := locker(t, time.Minute)
			all.Go(func() {
				lease, err := l.Try(t.Context(), "first of all")
				switch {
				case err == nil:
					got.Add(1)
					t.Cleanup(func() { _ = lease.Release(context.Background()) })
				case !errors.Is(err, lock.ErrHeld):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got.Load() != 1 {
			t.Errorf("%d got it", got.Load())
		}
	})
	t.Run("bad names are refused", func(t *testing.T) {
		for _, name := range []string{"", string(make([]byte, 129))} {
			if _, err := locker(t, time.Minute).Try(t.Context(), name); err == nil || errors.Is(err, lock.ErrHeld) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}
