package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// An action knows no engine: its handle leads to the one whose action it is, whatever context it asks with, and
// what it has asked is told to that engine's observer once it is certain.
func TestAnActionFindsItsEngineOnItsHandle(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		h := newHarbour(t, db)
		h.build(t, "a", "o")
		h.heard = nil
		lost := false
		h.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind != enginetest.CallCommit || lost {
				return enginetest.NoFault
			}
			lost = true
			return enginetest.LostBefore
		})
		h.asks = func(_ context.Context, tx *gorm.DB, _ string) error {
			ctx := context.Background() // not the one that the action was given
			in := engine.InTx(tx)
			if _, err := engine.Create(ctx, in, &berth{ID: "n"}, engine.Request{Machine: "berth", Key: engine.Key{Source: "principal:a", Seq: "n"}}); err != nil {
				return err
			}
			if _, err := engine.CreateTx(ctx, h.eng, tx, &berth{ID: "m"}, engine.Request{Machine: "berth"}); err != nil {
				return err
			}
			for i, r := range in.ApplyAll(ctx, []engine.Request{berthDo("n", "close", ""), berthDo("n", "pay", "p"), berthDo("o", "pay", "q")}) {
				if want := []engine.Outcome{engine.Applied, engine.Stale, engine.Applied}[i]; r.Outcome != want {
					t.Errorf("request %d: %s, %v", i, answered(r), r.Err())
				}
			}
			return nil
		}
		if r, err := h.eng.Apply(t.Context(), berthDo("a", "hail", "1")); err != nil || !lost {
			t.Fatalf("%s, %v", answered(r), err)
		}
		want := []string{"n build applied", "m build applied", "n close applied", "n pay stale", "o pay applied", "a hail applied"}
		if !slices.Equal(h.heard, want) {
			t.Errorf("the observer heard %q, want %q", h.heard, want)
		}
		h.sound(t)
	})
}

// What an action did by a request that was refused in the end is undone with it, so nobody is told that it happened.
func TestObserversHearWhatStandsOfWhatActionsAskedAtAnyDepth(t *testing.T) {
	for what, scene := range map[string]struct {
		says  error
		heard []string
		state engine.State
	}{
		"done":    {nil, []string{"o pay applied", "b hail applied", "a hail applied"}, "paid"},
		"refused": {engine.Refuse("not now"), []string{"b hail illegal", "a hail applied"}, "free"},
	} {
		t.Run(what, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				h := newHarbour(t, db)
				h.build(t, "a", "b", "o")
				h.heard = nil
				h.asks = func(ctx context.Context, tx *gorm.DB, id string) error {
					if id == "a" {
						_, err := engine.InTx(tx).Apply(ctx, berthDo("b", "hail", "2"))
						if errors.Is(err, engine.ErrIllegal) {
							return nil
						}
						return err
					}
					if _, err := engine.InTx(tx).Apply(ctx, berthDo("o", "pay", "p")); err != nil {
						return err
					}
					return scene.says
				}
				if _, err := h.eng.Apply(t.Context(), berthDo("a", "hail", "1")); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(h.heard, scene.heard) {
					t.Errorf("the observer heard %q, want %q", h.heard, scene.heard)
				}
				o, err := engine.Load[berth](t.Context(), h.eng, "berth", "o")
				if err != nil || o.Status != scene.state {
					t.Errorf("o is %+v, %v", o, err)
				}
				h.sound(t)
			})
		})
	}
}

func TestOutsideAnActionThereIsNoEngineToFind(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		h := newHarbour(t, db)
		h.build(t, "a", "o")
		var kept *gorm.DB
		h.asks = func(_ context.Context, tx *gorm.DB, _ string) error { kept = tx; return nil }
		if _, err := h.eng.Apply(t.Context(), berthDo("a", "hail", "1")); err != nil {
			t.Fatal(err)
		}
		own := db.Begin()
		defer own.Rollback()
		for name, tx := range map[string]*gorm.DB{"no transaction": db, "the caller's": own, "kept": kept, "none": nil} {
			var wrong *engine.RequestError
			result, err := engine.InTx(tx).Apply(t.Context(), berthDo("o", "pay", "p"))
			if !errors.As(err, &wrong) || wrong.Field != "tx" || !errors.Is(err, engine.ErrBadRequest) || result.Outcome != "" {
				t.Errorf("%s: %s, %v", name, answered(result), err)
			}
		}
		o, err := engine.Load[berth](t.Context(), h.eng, "berth", "o")
		if err != nil || o.Status != "free" {
			t.Errorf("o is %+v, %v", o, err)
		}
	})
}
