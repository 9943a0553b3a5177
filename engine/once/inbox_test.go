package once_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
)

func inbox(t *testing.T, db *gorm.DB, consumer string, c *clock) *once.Inbox {
	t.Helper()
	b, err := once.NewInbox(t.Context(), db, consumer, once.Config{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A message that is delivered many times at once, and after failures, has its effect once for each
// consumer.
func TestAMessageHasItsEffectOnce(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&ledgerLine{}); err != nil {
			t.Fatal(err)
		}
		c := newClock()
		b, other := inbox(t, db, "mailer", c), inbox(t, db, "printer", c)
		work := func(tx *gorm.DB) error { return tx.Create(&ledgerLine{}).Error }

		broken := errors.New("the work failed")
		done, err := b.Do(t.Context(), "m1", func(tx *gorm.DB) error { return errors.Join(work(tx), broken) })
		if done || !errors.Is(err, broken) || lines(t, db) != 0 {
			t.Fatalf("%t, %v, %d lines", done, err, lines(t, db))
		}
		var did atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				done, err := b.Do(t.Context(), "m1", work)
				if err != nil {
					t.Error(err)
				}
				if done {
					did.Add(1)
				}
			})
		}
		all.Wait()
		if did.Load() != 1 || lines(t, db) != 1 {
			t.Errorf("%d say that they did it, it was done %d times", did.Load(), lines(t, db))
		}
		if done, err := other.Do(t.Context(), "m1", work); !done || err != nil || lines(t, db) != 2 {
			t.Errorf("another consumer: %t, %v, %d lines", done, err, lines(t, db))
		}
		for _, id := range []string{"", strings.Repeat("x", 513)} {
			if _, err := b.Do(t.Context(), id, work); err == nil {
				t.Errorf("a message of %d bytes was accepted", len(id))
			}
		}
		if _, err := b.Do(t.Context(), strings.Repeat("x", 512), work); err != nil {
			t.Error(err)
		}

		c.pass(time.Hour)
		if n, err := b.Trim(t.Context(), 2*time.Hour, 10); n != 0 || err != nil {
			t.Errorf("forgot %d, %v", n, err)
		}
		if n, err := b.Trim(t.Context(), time.Minute, 2); n != 2 || err != nil {
			t.Errorf("forgot %d, %v", n, err)
		}
	})
}

// In the caller's own transaction a message is noted with the work, and undone with it.
func TestFirstSharesTheFateOfTheTransaction(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		b := inbox(t, db, "mailer", newClock())
		broken := errors.New("on purpose")
		for i, end := range []error{broken, nil, nil} {
			var first bool
			err := db.Transaction(func(tx *gorm.DB) (err error) {
				if first, err = b.First(t.Context(), tx, "m1"); err != nil {
					return err
				}
				return end
			})
			if !errors.Is(err, end) || first != (i < 2) {
				t.Errorf("%d: first %t, %v", i, first, err)
			}
		}
		if _, err := b.First(t.Context(), db, "m2"); err == nil {
			t.Error("outside a transaction was accepted")
		}
	})
}

// A commit whose answer is lost is settled: the caller hears that it did it, and it was done once.
func TestALostCommitIsSettled(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&ledgerLine{}); err != nil {
			t.Fatal(err)
		}
		for _, fault := range enginetest.Faults() {
			before := lines(t, db)
			shaken, faults := enginetest.NewFaulty(db, nil)
			b := inbox(t, shaken, "mailer", newClock())
			lost := 0
			faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
				if kind == enginetest.CallCommit && lost == 0 {
					lost++
					return fault
				}
				return enginetest.NoFault
			})
			done, err := b.Do(t.Context(), "m of "+fault.String(), func(tx *gorm.DB) error { return tx.Create(&ledgerLine{}).Error })
			if !done || err != nil || lines(t, db) != before+1 || lost != 1 {
				t.Errorf("fault %v: %t, %v, %d lines more, %d commits lost", fault, done, err, lines(t, db)-before, lost)
			}
		}
	})
}
