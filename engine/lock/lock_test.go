package lock_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/lock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var owners atomic.Int64

func sqlLocker(db *gorm.DB) func(*testing.T, time.Duration) lock.Locker {
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
		enginetest.Lockers(t, db, sqlLocker(db), func(t *testing.T, name string) func() {
			must := func(query string) {
				t.Helper()
				if err := db.Exec(query, name).Error; err != nil {
					t.Fatal(err)
				}
			}
			must("UPDATE engine_leases SET owner = 'thief', fence = fence + 1 WHERE name = ?")
			return func() { must("UPDATE engine_leases SET owner = '' WHERE name = ?") }
		})
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
		for _, query := range []string{"CREATE TABLE work (done BIGINT)", "INSERT INTO work VALUES (0)"} {
			if err := db.Exec(query).Error; err != nil {
				t.Fatal(err)
			}
		}
		write := func(fence int64) int64 {
			held, args := lock.Fenced("job", fence)
			done := db.Exec("UPDATE work SET done = done + 1 WHERE "+held, args...)
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
