package once_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
)

// clock is set by tests.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time        { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(by time.Duration) { c.at.Add(int64(by)) }

var order = once.Binding{Holder: "principal:shop", Scope: "order"}

func tokens(t *testing.T, db *gorm.DB, c *clock) *once.Tokens {
	t.Helper()
	made, err := once.NewTokens(t.Context(), db, 10*time.Minute, once.Config{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func issue(t *testing.T, ts *once.Tokens, b once.Binding) once.Token {
	t.Helper()
	token, err := ts.Issue(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// ledgerLine is work that would be done twice without a token.
type ledgerLine struct{ ID int64 }

func lines(t *testing.T, db *gorm.DB) (n int64) {
	t.Helper()
	if err := db.Model(&ledgerLine{}).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// However many clicks carry a token, the work is done once, and work that fails gives the token back.
func TestATokenIsSpentOnceInTheTransactionOfItsWork(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&ledgerLine{}); err != nil {
			t.Fatal(err)
		}
		ts := tokens(t, db, newClock())
		token := issue(t, ts, order)

		broken := errors.New("the work failed")
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := ts.Spend(t.Context(), tx, token.Text, order); err != nil {
				return err
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatalf("%v", err)
		}

		const clicks = 16
		var spent, unknown atomic.Int64
		var all sync.WaitGroup
		for range clicks {
			all.Go(func() {
				err := db.Transaction(func(tx *gorm.DB) error {
					if err := ts.Spend(t.Context(), tx, token.Text, order); err != nil {
						return err
					}
					return tx.Create(&ledgerLine{}).Error
				})
				switch {
				case err == nil:
					spent.Add(1)
				case errors.Is(err, once.ErrUnknown):
					unknown.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if spent.Load() != 1 || unknown.Load() != clicks-1 || lines(t, db) != 1 {
			t.Errorf("%d spent it, %d were refused, the work was done %d times", spent.Load(), unknown.Load(), lines(t, db))
		}
	})
}

// A token is good for its holder, its scope and its time.
func TestATokenIsBound(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		c := newClock()
		ts := tokens(t, db, c)
		spend := func(text string, b once.Binding) error {
			return db.Transaction(func(tx *gorm.DB) error { return ts.Spend(t.Context(), tx, text, b) })
		}
		token := issue(t, ts, order)
		for name, err := range map[string]error{
			"another holder": spend(token.Text, once.Binding{Holder: "principal:thief", Scope: "order"}),
			"another scope":  spend(token.Text, once.Binding{Holder: "principal:shop", Scope: "transfer"}),
			"never issued":   spend("no such token", order),
		} {
			if !errors.Is(err, once.ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		c.pass(10*time.Minute - time.Second)
		late := issue(t, ts, order)
		if err := spend(token.Text, order); err != nil {
			t.Errorf("in time: %v", err)
		}
		c.pass(10 * time.Minute)
		if err := spend(late.Text, order); !errors.Is(err, once.ErrUnknown) {
			t.Errorf("expired: %v", err)
		}
		if n, err := ts.Trim(t.Context(), 100); n != 0 || err != nil { // not before it has expired
			t.Errorf("removed %d, %v", n, err)
		}
		c.pass(time.Microsecond)
		if n, err := ts.Trim(t.Context(), 100); n != 1 || err != nil {
			t.Errorf("removed %d, %v", n, err)
		}
		if err := ts.Spend(t.Context(), db, late.Text, order); err == nil || errors.Is(err, once.ErrUnknown) {
			t.Errorf("outside a transaction: %v", err)
		}
		for _, b := range []once.Binding{{}, {Holder: "h"}, {Scope: "s"}, {Holder: string(make([]byte, 161)), Scope: "s"}} {
			if _, err := ts.Issue(t.Context(), b); err == nil {
				t.Errorf("%v was accepted", b)
			}
		}
	})
}

// Deleting is idempotent: a second time succeeds too, and says that nothing was left.
func TestRevokingATokenTwice(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		ts := tokens(t, db, newClock())
		token := issue(t, ts, order)
		for i, want := range []struct {
			holder string
			there  bool
		}{{"principal:thief", false}, {"principal:shop", true}, {"principal:shop", false}} {
			if there, err := ts.Revoke(t.Context(), token.Text, want.holder); there != want.there || err != nil {
				t.Errorf("%d: %t, %v", i, there, err)
			}
		}
	})
}

// What the database holds cannot be spent by who reads it.
func TestTokensAreKeptAsHashes(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		token := issue(t, tokens(t, db, newClock()), order)
		var rows []map[string]any
		if err := db.Table("engine_tokens").Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprintf("%s", rows); len(rows) != 1 || len(token.Text) < 20 || strings.Contains(text, token.Text) {
			t.Errorf("%q is in %s", token.Text, text)
		}
	})
}

// Many tokens that have expired are removed in one call.
func TestManyTokensAreTrimmed(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		c := newClock()
		ts := tokens(t, db, c)
		const n = 1050
		for range n {
			issue(t, ts, order)
		}
		c.pass(time.Hour)
		fresh := issue(t, ts, order)
		for _, want := range []int{1000, n - 1000, 0} {
			if got, err := ts.Trim(t.Context(), 1000); got != want || err != nil {
				t.Errorf("%d, %v, want %d", got, err, want)
			}
		}
		if there, err := ts.Revoke(t.Context(), fresh.Text, order.Holder); !there || err != nil {
			t.Errorf("the fresh one: %t, %v", there, err)
		}
	})
}
