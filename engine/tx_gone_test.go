package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// Callers who go while ApplyTx works in their transaction.

func TestACallerWhoHasGoneIsToldSoAndKeepsItsTransaction(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		e, _ := gateEngine(t, db)
		hang(t, e, "a")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		asked, second, commit := careless(db.Begin(), "a", func(tx *gorm.DB) error {
			_, err := e.ApplyTx(gone, tx, engine.Request{Machine: "gate", ID: "a", Event: "open"})
			return err
		})
		if !errors.Is(asked, context.Canceled) || second != nil || commit != nil || notes(t, db, "a") != 2 {
			t.Errorf("told %v, then %v, then %v", asked, second, commit)
		}
	})
}

// Whichever statement of ApplyTx a caller goes before: its connection is whole, and so is its transaction.
func TestACallerWhoGoesBetweenTwoStatementsKeepsItsTransaction(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		shaken, s := onServer(t, db)
		e, _ := gateEngine(t, db)
		hang(t, e, "open")
		if _, err := e.Apply(t.Context(), engine.Request{Machine: "gate", ID: "open", Event: "open"}); err != nil {
			t.Fatal(err)
		}
		run := 0
		for name, r := range asked {
			t.Run(name, func(t *testing.T) {
				for statement, gone := 1, true; gone; statement++ {
					run++
					id := fmt.Sprintf("d%d", run)
					hang(t, e, id)
					r := askedOf(r, id)
					ctx, cancel := context.WithCancel(t.Context())
					n := 0
					s.decide = func(string) (error, bool) { return nil, false }
					asked, second, commit := careless(shaken.Begin(), id, func(tx *gorm.DB) error {
						s.decide = func(string) (error, bool) {
							if n++; n == statement {
								cancel()
							}
							return nil, false
						}
						_, err := e.ApplyTx(ctx, tx, r)
						s.decide = func(string) (error, bool) { return nil, false }
						return err
					})
					gone = ctx.Err() != nil
					cancel()
					checkTold(t, db, id, told{statement, false, true, asked, second, commit})
				}
			})
		}
	})
}

func TestACallerWhoGoesWhileItsActionFailsKeepsItsTransaction(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&gateNote{}); err != nil {
			t.Fatal(err)
		}
		y := newYard(t, db, engine.Config{})
		y.build(t, "a")
		ctx, cancel := context.WithCancel(t.Context())
		failure := errors.New("no locomotive")
		y.exec = func(tx *gorm.DB, _ wagonCall) error {
			cancel()
			return errors.Join(failure, tx.Create(&gateNote{ID: "action", Gate: "a"}).Error)
		}
		asked, second, commit := careless(db.Begin(), "a", func(tx *gorm.DB) error {
			_, err := y.eng.ApplyTx(ctx, tx, wagonDo("a", "haul", "1"))
			return err
		})
		if errors.Is(asked, engine.ErrTxEnded) || asked == nil || second != nil || commit != nil || notes(t, db, "a") != 2 {
			t.Errorf("told %v, then %v, then %v", asked, second, commit)
		}
		if w := y.row(t, "a"); w.Version != 1 {
			t.Errorf("the wagon is at version %d", w.Version)
		}
	})
}
