package engine_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// What an answer rests on: what was read, or what is about to be written.

func TestAnAnswerThatRestsOnWhatWasReadStandsThoughTheDatabaseGoes(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a", "b")
		y.faults.Decide(goesAtTheWrite())
		y.expect(t, []engine.Request{wagonDo("a", "tip", ""), wagonDo("b", "fill", "")}, "early/ empty 1 by 0", "unavailable/  0 by 0")
	})
}

func TestAnAnswerThatRestsOnAMoveIsGivenOnlyWithIt(t *testing.T) {
	for name, c := range map[string]struct {
		rs   []engine.Request
		then string // the second answer once the first is carried out
	}{
		"the same again":           {[]engine.Request{wagonDo("a", "fill", ""), wagonDo("a", "fill", "")}, "already/same_state full 3 by 3"},
		"too late because of it":   {[]engine.Request{wagonDo("a", "fill", ""), wagonDo("a", "shunt", "new")}, "stale/passed full 3 by 3"},
		"a twin of it":             {[]engine.Request{wagonDo("a", "fill", "f"), wagonDo("a", "fill", "f")}, "already/replayed full 3 by 3"},
		"an old key of its row":    {[]engine.Request{wagonDo("a", "fill", ""), wagonDo("a", "shunt", "old")}, "already/replayed full 3 by 2"},
		"its key for another row":  {[]engine.Request{wagonDo("a", "fill", "f"), wagonDo("b", "fill", "f")}, "conflict/key_reused empty 1 by 3"},
		"another row's key for it": {[]engine.Request{wagonDo("b", "fill", ""), wagonDo("b", "shunt", "old")}, "conflict/key_reused full 2 by 2"},
	} {
		t.Run(name, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				y := newYard(t, db, engine.Config{})
				y.build(t, "a", "b")
				y.expect(t, []engine.Request{wagonDo("a", "shunt", "old")}, "applied/ empty 2 by 2")
				y.faults.Decide(goesAtTheWrite())
				y.expect(t, c.rs, "unavailable/  0 by 0", "unavailable/  0 by 0")
				y.faults.Decide(nil)
				results := y.eng.ApplyAll(t.Context(), c.rs)
				if results[0].Outcome != engine.Applied || answered(results[1]) != c.then {
					t.Errorf("once the database is back: %s, %s; want %s", answered(results[0]), answered(results[1]), c.then)
				}
			})
		})
	}
}

func TestARefusedNeighbourDoesNotMakeAnActionRunAgain(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a", "b")
		runs := 0
		y.exec = func(*gorm.DB, wagonCall) error {
			runs++
			return engine.Refuse("no locomotive")
		}
		y.expect(t, []engine.Request{wagonDo("a", "tip", ""), wagonDo("b", "haul", "1")},
			"early/ empty 1 by 0", "illegal/guard empty 1 by 0")
		if runs != 1 {
			t.Errorf("the action ran %d times", runs)
		}
	})
}

// Rows, keys and the past are read one after the other, while others move the subject.
func TestAnAnswerIsOfOneMoment(t *testing.T) {
	meanwhile := func(y *yard, other *engine.Engine, t *testing.T, rs ...engine.Request) {
		queries := new(atomic.Int64)
		y.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind == enginetest.CallQuery && queries.Add(1) == 2 { // the row has been read
				for _, r := range other.ApplyAll(t.Context(), rs) {
					if r.Outcome != engine.Applied {
						t.Errorf("%s: %v", r.Event, r.Err())
					}
				}
			}
			return enginetest.NoFault
		})
	}
	t.Run("a refusal", func(t *testing.T) {
		forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
			y := newYard(t, db, engine.Config{})
			other := y.engine(t, db, engine.Config{})
			y.build(t, "a")
			meanwhile(y, other, t, wagonDo("a", "fill", ""), wagonDo("a", "tip", ""))
			r, _ := y.eng.Apply(t.Context(), wagonDo("a", "tip", "mine"))
			if got := answered(r); got != "early/ empty 1 by 0" && got != "already/same_state tipped 3 by 3" {
				t.Errorf("got %s", got)
			}
		})
	})
	t.Run("what stands behind a replay", func(t *testing.T) {
		forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
			y := newYard(t, db, engine.Config{})
			other := y.engine(t, db, engine.Config{})
			y.build(t, "a")
			meanwhile(y, other, t, wagonDo("a", "fill", ""), wagonDo("a", "tip", "twin"))
			y.expect(t, []engine.Request{wagonDo("a", "tip", "twin"), wagonDo("a", "fill", "")},
				"already/replayed tipped 3 by 3", "already/superseded tipped 3 by 2")
		})
	})
}

// A wagon can be made where nothing leads on: its making did not close a way that it never had.
func TestACreationClosesNoWay(t *testing.T) {
	type found struct {
		ID      string `gorm:"primaryKey;size:64" engine:"id"`
		Status  string `gorm:"size:16;<-:create" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	m, err := engine.NewMachine(engine.Definition[found]{
		Name:   "found",
		Events: map[engine.Event]engine.Spec{"make": {}, "bring": {}, "use": {Repeatable: true}, "polish": {}},
		Edges: []engine.Edge[found]{
			{Event: "make", To: "new"}, {Event: "bring", To: "old"},
			{Event: "use", From: []engine.State{"new"}, To: "new"}, {Event: "polish", From: []engine.State{"new"}, To: "bright"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	db := openSQLite(t)
	if err := db.AutoMigrate(&found{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, m)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, e)
	if _, err := engine.Create(t.Context(), e, &found{ID: "a"}, engine.Request{Machine: "found", Event: "bring"}); err != nil {
		t.Fatal(err)
	}
	for _, ev := range []engine.Event{"use", "polish"} {
		r, err := e.Apply(t.Context(), engine.Request{Machine: "found", ID: "a", Event: ev, IfVersion: 1})
		if answered(r) != "illegal/no_path old 1 by 0" || !errors.Is(err, engine.ErrIllegal) {
			t.Errorf("%s: got %s, %v", ev, answered(r), err)
		}
	}
}
