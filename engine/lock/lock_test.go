package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/lock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// maker makes lockers with leases of some length that all know each other.
type maker func(t *testing.T, ttl time.Duration) lock.Locker

var owners atomic.Int64

func sqlLocker(db *gorm.DB) maker {
	return func(t *testing.T, ttl time.Duration) lock.Locker {
		t.Helper()
		l, err := lock.NewSQL(t.Context(), db, ttl, func() string { return fmt.Sprint("owner-", owners.Add(1)) })
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

func TestSQL(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		conformance(t, sqlLocker(db), func(t *testing.T, name string) { // somebody else takes over
			if err := db.Exec("UPDATE engine_leases SET owner = 'thief', fence = fence + 1 WHERE name = ?", name).Error; err != nil {
				t.Fatal(err)
			}
		})
	})
}

// conformance is what every Locker promises. steal takes a lease away.
func conformance(t *testing.T, locker maker, steal func(t *testing.T, name string)) {
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
	t.Run("waiting ends with the lease of the other, or with the caller", func(t *testing.T) {
		a, b := locker(t, time.Minute), locker(t, time.Minute)
		first, err := a.Try(t.Context(), "wanted")
		must(t, first, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
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

// A holder that dies leaves its lease to its end.
func TestAnAbandonedLeaseEnds(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.Exec("INSERT INTO engine_leases (name, owner, fence, until_at) VALUES ('left', 'dead', 41, 1)").Error; err != nil {
			t.Fatal(err)
		}
		l, err := sqlLocker(db)(t, time.Minute).Try(t.Context(), "left")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Release(context.Background()) }()
		if l.Fence() != 42 {
			t.Errorf("fence %d, want 42", l.Fence())
		}
	})
}

// What a paused holder writes when it wakes up is refused by its fence.
func TestALateHolderIsFencedOff(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		write := func(fence int64) int64 {
			held, args := lock.Fenced("job", fence)
			done := db.Exec("UPDATE engine_leases SET until_at = until_at + 1 WHERE name = 'job' AND "+held, args...)
			if done.Error != nil {
				t.Fatal(done.Error)
			}
			return done.RowsAffected
		}
		l, err := sqlLocker(db)(t, time.Minute).Try(t.Context(), "job")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Release(context.Background()) }()
		if n := write(l.Fence()); n != 1 {
			t.Errorf("the holder wrote %d rows", n)
		}
		if err := db.Exec("UPDATE engine_leases SET owner = 'next', fence = fence + 1").Error; err != nil {
			t.Fatal(err)
		}
		if n := write(l.Fence()); n != 0 {
			t.Errorf("a late holder wrote %d rows", n)
		}
	})
}
