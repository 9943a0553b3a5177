package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// barrel is a row that was there before the engine, so nobody knows how it came where it is.
type barrel struct {
	ID      string  `gorm:"primaryKey;size:64" engine:"id"`
	Status  string  `gorm:"size:16;<-:create" engine:"state"`
	Version int64   `gorm:"<-:create" engine:"version"`
	Serial  *string `gorm:"size:64;uniqueIndex"`
}

type label struct {
	Text string `json:"text"`
}

func barrels(t *testing.T, check func() error) *engine.Machine[barrel] {
	guard := []engine.Guard[barrel]{engine.Check("asked", func(engine.Call[barrel, engine.NoInput]) error { return check() })}
	m, err := engine.NewMachine(engine.Definition[barrel]{
		Name: "barrel",
		Events: map[engine.Event]engine.Spec{
			"make": {}, "roll": {Repeatable: true}, "fill": {Input: label{}, CountsOther: true}, "top_up": {}, "tap": {}, "stamp": {Input: label{}},
		},
		Edges: []engine.Edge[barrel]{
			{Event: "make", To: "empty"},
			{Event: "stamp", From: []engine.State{"empty"}, To: "stamped", Actions: []engine.Action[barrel]{
				engine.Set("stamp", func(c engine.Call[barrel, label], _ *engine.Effects) error {
					c.Subject.Serial = &c.Input.Text
					return nil
				}),
			}},
			{Event: "fill", From: []engine.State{"empty"}, To: "full"},
			{Event: "top_up", From: []engine.State{"empty"}, To: "full"},
			{Event: "roll", From: []engine.State{"full"}, To: "full"},
			{Event: "tap", From: []engine.State{"full"}, To: "tapped", Guards: guard},
			{Event: "tap", From: []engine.State{"full"}, To: "drained", Guards: guard},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func barrelEngine(t *testing.T, db *gorm.DB, check func() error) *engine.Engine {
	t.Helper()
	if err := db.AutoMigrate(&barrel{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, barrels(t, check))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	return e
}

// Nothing is known of what led a row there that is not adopted. An answer about it agrees with what a moment
// later, once it is adopted, is answered from its history.
func TestARowThatIsNotAdoptedIsAnsweredAsItIsAfterwards(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e := barrelEngine(t, db, func() error { return nil })
		fill := func(id, text string) engine.Request {
			return engine.Request{Machine: "barrel", ID: id, Event: "fill", Input: label{Text: text}}
		}
		for _, id := range []string{"a", "b"} {
			if err := db.Create(&barrel{ID: id, Status: "full"}).Error; err != nil {
				t.Fatal(err)
			}
		}
		answers := func(text string) (all string) {
			for _, r := range []engine.Request{fill("a", text), {Machine: "barrel", ID: "a", Event: "top_up"}} {
				result, _ := e.Apply(t.Context(), r)
				all += fmt.Sprintf("%s/%s ", result.Outcome, result.Detail)
			}
			return all
		}
		const other, same = "conflict/input_differs stale/reached_otherwise ", "already/same_state stale/reached_otherwise "
		if got := answers("port"); got != other {
			t.Errorf("not adopted, with input: %s", got)
		}
		if got := answers(""); got != same {
			t.Errorf("not adopted, without: %s", got)
		}
		roll := engine.Request{Machine: "barrel", ID: "b", Event: "roll", Key: engine.Key{Source: "principal:a", Seq: "1"}}
		together := e.ApplyAll(t.Context(), []engine.Request{roll, fill("b", ""), fill("b", "port")})
		later, _ := e.Apply(t.Context(), fill("b", ""))
		for i, want := range []string{"applied/ 2", "already/same_state 1", "conflict/input_differs 1"} {
			r := together[i]
			if got := fmt.Sprintf("%s/%s", r.Outcome, r.Detail); r.Proof == nil || fmt.Sprintf("%s %d", got, r.Proof.Version) != want {
				t.Errorf("adopted in the same batch: %s with the proof %+v, want %s", got, r.Proof, want)
			}
		}
		if later.Proof == nil || later.Proof.Version != together[1].Proof.Version {
			t.Errorf("the proof is %+v later", later.Proof)
		}
	})
}

// A guard that takes longer than the caller has time is no fault of the guard.
func TestTimeThatEndsBetweenGuardsIsTheCallersError(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		var asked atomic.Bool
		e := barrelEngine(t, db, func() error {
			if !asked.Swap(true) {
				cancel()
			}
			return errors.New("not yet")
		})
		if err := db.Create(&barrel{ID: "a", Status: "full"}).Error; err != nil {
			t.Fatal(err)
		}
		r, err := e.Apply(ctx, engine.Request{Machine: "barrel", ID: "a", Event: "tap"})
		if r.Outcome != "" || !errors.Is(err, context.Canceled) {
			t.Errorf("got %s/%s (%v)", r.Outcome, r.Detail, err)
		}
	})
}

// The user's own unique index is the affair of the row that it refuses, and uses up nobody else's tries.
func TestABrokenCompanionUsesUpNobodysTries(t *testing.T) {
	db := enginetest.MySQL(t)
	shaken, faults := enginetest.NewFaulty(db, nil)
	e := barrelEngine(t, shaken, func() error { return nil })
	others := barrelEngine(t, db, func() error { return nil })
	taken := "7"
	for _, b := range []barrel{{ID: "first", Status: "empty", Serial: &taken}, {ID: "second", Status: "empty"}, {ID: "t", Status: "full"}, {ID: "t2", Status: "full"}} {
		if err := db.Create(&b).Error; err != nil {
			t.Fatal(err)
		}
	}
	tap := func(id string) engine.Request {
		return engine.Request{Machine: "barrel", ID: id, Event: "tap", Key: engine.Key{Source: "principal:a", Seq: "tap"}}
	}
	begun, raced := 0, false
	faults.Decide(func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
		switch {
		case kind == enginetest.CallBegin || kind == enginetest.CallPacket:
			begun++
		case begun > 4 && !raced && kind == enginetest.CallExec && strings.HasPrefix(query, "UPDATE"): // its key was read
			raced = true
			if _, err := others.Apply(context.Background(), tap("t2")); err != nil {
				t.Error(err)
			}
		}
		return enginetest.NoFault
	})
	defer faults.Decide(nil)
	results := e.ApplyAll(t.Context(), []engine.Request{{Machine: "barrel", ID: "second", Event: "stamp", Input: label{Text: taken}}, tap("t")})
	if results[0].Outcome != "" || results[0].Err() == nil {
		t.Errorf("the broken one was answered %s/%s", results[0].Outcome, results[0].Detail)
	}
	if r := results[1]; r.Outcome != engine.Conflict || r.Detail != engine.KeyReused || !raced {
		t.Errorf("its companion was answered %s/%s (%v), raced: %v", r.Outcome, r.Detail, r.Err(), raced)
	}
}
