package engine_test

import (
	"context"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/dberr"
)

// An action that wants another run gets it, and nothing of the run before is left. Whoever shares its transaction
// moves once, whether that is soon or never enough.
func TestAnActionThatWantsAnotherRunGetsIt(t *testing.T) {
	const never = 1 << 20
	says := map[string]func(*gorm.DB) error{
		"plainly": func(*gorm.DB) error { return engine.ErrRunAgain },
		"wrapped": func(*gorm.DB) error { return fmt.Errorf("somebody took it: %w", engine.ErrRunAgain) },
		"about a statement that failed": func(tx *gorm.DB) error {
			err := tx.Create(&berth{ID: "taken"}).Error
			if dberr.Classify(err) != dberr.Duplicate {
				t.Errorf("a taken key: %v", err)
			}
			return fmt.Errorf("the place is taken: %w: %w", engine.ErrRunAgain, err)
		},
	}
	for what, say := range says {
		for _, how := range []engine.Event{"hail", "hail_all"} {
			for name, times := range map[string]int{"once": 1, "thrice": 3, "always": never} {
				t.Run(fmt.Sprintf("%s, %s, %s", what, how, name), func(t *testing.T) {
					forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
						h := newHarbour(t, db)
						h.build(t, "taken", "a", "b", "c", "o")
						runs, others := 0, 0
						h.asks = func(ctx context.Context, tx *gorm.DB, id string) error {
							if id == "b" {
								others++
							}
							if err := tx.Exec("INSERT INTO berths (id, status, version) VALUES (?, 'note', 1)", "by "+id).Error; err != nil {
								return err
							}
							if id != "a" {
								return nil
							}
							if runs++; runs <= times {
								return say(tx)
							}
							return nil
						}
						batch := []engine.Request{
							berthDo("b", how, "1"), berthDo("a", how, "2"), berthDo("o", "pay", "3"), berthDo("a", "pay", "4"), berthDo("c", how, "5"),
						}
						wants := []string{
							"applied/ free 2 by 2", "applied/ free 2 by 2", "applied/ paid 2 by 2", "applied/ paid 3 by 3", "applied/ free 2 by 2",
						}
						if times == never {
							wants[1], wants[3] = "conflict/lost_race  0 by 0", "applied/ paid 2 by 2"
						}
						for i, r := range h.eng.ApplyAll(t.Context(), batch) {
							if got := answered(r); got != wants[i] && !(r.Outcome == engine.Conflict && i == 1 && times == never) {
								t.Errorf("%s %s: %s, %v; want %s", r.ID, r.Event, got, r.Err(), wants[i])
							}
						}
						if times < never && runs != times+1 || runs > 2*8 {
							t.Errorf("the action ran %d times", runs)
						}
						if others > 3 {
							t.Errorf("who stood before it had to run %d times", others)
						}
						var notes []string
						if err := db.Model(&berth{}).Where("status = 'note'").Order("id").Pluck("id", &notes).Error; err != nil {
							t.Fatal(err)
						}
						want := "[by a by b by c]"
						if times == never {
							want = "[by b by c]"
						}
						if got := fmt.Sprint(notes); got != want {
							t.Errorf("the actions left %s, want %s", got, want)
						}
						if err := db.Where("status = 'note'").Delete(&berth{}).Error; err != nil {
							t.Fatal(err)
						}
						h.sound(t)
					})
				})
			}
		}
	}
}

// Of an ExecAll that wants another run for all its calls, without saying for which, all get it, and none that can
// move alone is told that it has lost.
func TestAnExecAllThatWantsAnotherRunForOneOfItsCalls(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&berth{}); err != nil {
			t.Fatal(err)
		}
		all := engine.ExecAll("all", func(_ context.Context, _ *gorm.DB, cs []berthCall) []error {
			errs := make([]error, len(cs))
			for _, c := range cs {
				if c.Subject.ID == "bad" {
					for i := range errs {
						errs[i] = engine.ErrRunAgain
					}
				}
			}
			return errs
		})
		m, err := engine.NewMachine(engine.Definition[berth]{
			Name: "berth", Events: map[engine.Event]engine.Spec{"build": {}, "close": {}},
			Edges: []engine.Edge[berth]{
				{Event: "build", To: "free"},
				{Event: "close", From: []engine.State{"free"}, To: "closed", Actions: []engine.Action[berth]{all}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		h := &harbour{db: db, machine: m}
		if h.eng, err = engine.New(db, engine.Config{Tries: 3}, m); err != nil {
			t.Fatal(err)
		}
		defer shut(t, h.eng)
		ids := []string{"a", "b", "bad", "c", "d"}
		h.build(t, ids...)
		var batch []engine.Request
		for _, id := range ids {
			batch = append(batch, berthDo(id, "close", ""))
		}
		for _, r := range h.eng.ApplyAll(t.Context(), batch) {
			switch {
			case r.ID == "bad" && (r.Outcome != engine.Conflict || r.Detail != engine.LostRace):
				t.Errorf("bad: %s, %v", answered(r), r.Err())
			case r.ID != "bad" && r.Outcome != engine.Applied:
				t.Errorf("%s: %s, %v", r.ID, answered(r), r.Err())
			}
		}
		h.sound(t)
	})
}

// In a transaction of the caller's own, another run begins at ApplyTx's savepoint.
func TestAnActionThatWantsAnotherRunInTheCallersTransaction(t *testing.T) {
	for name, scene := range map[string]struct {
		times int
		want  engine.Outcome
	}{"once": {1, engine.Applied}, "always": {1 << 20, engine.Conflict}} {
		t.Run(name, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				h := newHarbour(t, db)
				h.build(t, "a", "b", "o")
				runs := 0
				h.asks = func(context.Context, *gorm.DB, string) error {
					if runs++; runs <= scene.times {
						return engine.ErrRunAgain
					}
					return nil
				}
				err := db.Transaction(func(tx *gorm.DB) error {
					if r, err := h.eng.ApplyTx(t.Context(), tx, berthDo("a", "hail", "1")); r.Outcome != scene.want {
						t.Errorf("%s, %v", answered(r), err)
					}
					_, err := h.eng.ApplyTx(t.Context(), tx, berthDo("o", "pay", "2")) // the transaction is usable
					return err
				})
				if err != nil || runs != min(scene.times+1, 3) {
					t.Errorf("after %d runs: %v", runs, err)
				}

				// Asked by an action, it is the engine's transaction that runs again.
				runs, hailed := 0, 0
				h.asks = func(ctx context.Context, tx *gorm.DB, id string) error {
					if id == "a" {
						if runs++; runs <= scene.times {
							return engine.ErrRunAgain
						}
						return nil
					}
					hailed++
					_, err := engine.InTx(tx).Apply(ctx, berthDo("a", "hail", "3"))
					return err
				}
				if r, _ := h.eng.Apply(t.Context(), berthDo("b", "hail", "4")); r.Outcome != scene.want {
					t.Errorf("b: %s, %v", answered(r), r.Err())
				}
				if hailed > 8 {
					t.Errorf("b was hailed %d times", hailed)
				}
				h.sound(t)
			})
		})
	}
}
