package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// What becomes of a request of an action that meets a lock or loses a race.

// sayings is what an action makes of an error.
var sayings = map[string]func(error) error{
	"returned":  func(err error) error { return err },
	"replaced":  func(error) error { return errors.New("could not be hailed") },
	"refused":   func(error) error { return engine.Refuse("could not be hailed") },
	"swallowed": func(error) error { return nil },
}

// As with SQL of the action's own.
func TestWhatPassesIsTriedAgainWhereAnActionAsksIt(t *testing.T) {
	for what, say := range sayings {
		for name, beside := range map[string][]engine.Request{
			"hail": nil, "hail_all": nil, "hail_all, two": {berthDo("n", "hail_all", "n")},
		} {
			how, _, _ := strings.Cut(name, ",")
			t.Run(fmt.Sprintf("%s, %s", what, name), func(t *testing.T) {
				forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
					for statement := 1; ; statement++ { // each that the nested request needs
						h := newHarbour(t, db)
						id := fmt.Sprintf("s%d", statement)
						h.build(t, id, id+"o")
						n, runs := 0, 0
						inside := false
						h.faults.Decide(func(_ int, _ enginetest.CallKind, query string) enginetest.Fault {
							if inside && !strings.Contains(query, "SAVEPOINT") {
								if n++; n == statement {
									return enginetest.LockWait
								}
							}
							return enginetest.NoFault
						})
						h.asks = func(ctx context.Context, tx *gorm.DB, asker string) error {
							if asker != id {
								return nil
							}
							runs++
							inside = true
							_, err := h.eng.ApplyTx(ctx, tx, berthDo(id+"o", "pay", id+"p"))
							inside = false
							if err != nil {
								return say(err)
							}
							return nil
						}
						batch := []engine.Request{berthDo(id, engine.Event(how), id)}
						for _, r := range beside {
							h.build(t, r.ID+id)
							r.ID, r.Key.Seq = r.ID+id, r.Key.Seq+id
							batch = append(batch, r)
						}
						rs := h.eng.ApplyAll(t.Context(), batch)
						met := n >= statement
						for _, r := range rs {
							if r.Outcome != engine.Applied || met && runs < 2 {
								t.Errorf("statement %d, after %d runs: %s, %v", statement, runs, answered(r), r.Err())
							}
						}
						row, err := engine.Load[berth](t.Context(), h.eng, "berth", id+"o")
						if err != nil || row.Status != "paid" {
							t.Errorf("statement %d: the berth is %+v, %v", statement, row, err)
						}
						if !met {
							return
						}
					}
				})
			})
		}
	}
}

func TestARowThatAnotherHoldsIsWaitedForAgainWhereAnActionAsksIt(t *testing.T) {
	db := enginetest.MySQL(t)
	h := newHarbour(t, db)
	h.build(t, "a", "o")
	other := db.Begin()
	if err := other.Exec("SELECT 1 FROM berths WHERE id = 'o' FOR UPDATE").Error; err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	runs := 0
	h.asks = func(ctx context.Context, tx *gorm.DB, _ string) error {
		if runs++; runs == 2 {
			other.Rollback()
		}
		_, err := h.eng.ApplyTx(ctx, tx, berthDo("o", "pay", "p"))
		return err
	}
	if r, err := h.eng.Apply(t.Context(), berthDo("a", "hail", "1")); err != nil || runs != 2 {
		t.Errorf("after %d runs: %s, %v", runs, answered(r), err)
	}
	h.sound(t)
}

// meddle lets the guard of what is asked move the row on behind the engine's back, some times.
func (h *harbour) meddle(t *testing.T, times int) (asks func(context.Context, *gorm.DB) (engine.Result, error)) {
	return func(ctx context.Context, tx *gorm.DB) (engine.Result, error) {
		h.guard = func() error {
			if times--; times >= 0 {
				if err := tx.Exec("UPDATE berths SET version = version + 1 WHERE id = 'o'").Error; err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		return h.eng.ApplyTx(ctx, tx, berthDo("o", "pay", "p"))
	}
}

func TestARaceThatAnActionsRequestLosesIsRunAgain(t *testing.T) {
	for what, say := range sayings {
		t.Run(what, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				h := newHarbour(t, db)
				h.build(t, "a", "o")
				asks, runs := h.meddle(t, 3), 0 // as often as ApplyTx tries
				h.asks = func(ctx context.Context, tx *gorm.DB, _ string) error {
					runs++
					if _, err := asks(ctx, tx); err != nil {
						return say(err)
					}
					return nil
				}
				if r, err := h.eng.Apply(t.Context(), berthDo("a", "hail", "1")); err != nil || runs != 2 {
					t.Errorf("after %d runs: %s, %v", runs, answered(r), err)
				}
				h.guard = nil
				if r, err := h.eng.Apply(t.Context(), berthDo("o", "pay", "p")); err != nil || r.Detail != engine.Replayed {
					t.Errorf("what was asked: %s, %v", answered(r), err)
				}
				h.sound(t)
			})
		})
	}
}

// To run a caller's own transaction again is the caller's affair.
func TestWhatPassesInTheCallersTransactionIsToldToTheAction(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		h := newHarbour(t, db)
		h.build(t, "a", "o")
		asks, runs := h.meddle(t, 3), 0
		h.asks = func(ctx context.Context, tx *gorm.DB, _ string) error {
			runs++
			if r, err := asks(ctx, tx); !errors.Is(err, engine.ErrConflict) || r.Detail != engine.LostRace {
				t.Errorf("told %s, %v", answered(r), err)
			}
			return nil
		}
		if r, err := outright[inTheirs](t.Context(), h, berthDo("a", "hail", "1")); err != nil || runs != 1 {
			t.Errorf("after %d runs: %s, %v", runs, answered(r), err)
		}
		h.sound(t)
	})
}
