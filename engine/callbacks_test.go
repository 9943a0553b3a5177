package engine_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

type called struct {
	HookBase
	Note string `gorm:"size:64;default:none"`
}

// Callbacks of a plugin run for the INSERT of Create and for what user code does itself. A transition is none of gorm's
// updates.
func TestCallbacksRunForCreateAndForTheUsersOwnStatements(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&called{}); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		see := func(kind string) func(*gorm.DB) {
			return func(tx *gorm.DB) {
				if tx.Statement.Table == "calleds" {
					seen[kind]++
				}
			}
		}
		err := db.Callback().Create().Before("gorm:create").Register("see", see("create"))
		if err == nil {
			err = db.Callback().Update().Before("gorm:update").Register("see", see("update"))
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := engine.NewMachine(engine.Definition[called]{
			Name: "called", Events: map[engine.Event]engine.Spec{"make": {}, "move": {}, "write": {}},
			Edges: []engine.Edge[called]{
				{Event: "make", To: "made"},
				{Event: "move", From: []engine.State{"made"}, To: "moved", Actions: []engine.Action[called]{
					engine.Set("note", func(c engine.Call[called, engine.NoInput], _ *engine.Effects) error {
						c.Subject.Secret = "s"
						return nil
					}),
				}},
				{Event: "write", From: []engine.State{"moved"}, To: "written", Actions: []engine.Action[called]{
					engine.Exec("write", func(_ context.Context, tx *gorm.DB, c engine.Call[called, engine.NoInput]) error {
						return tx.Model(c.Subject).Update("note", "written").Error
					}),
				}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		row := &called{HookBase: HookBase{ID: "c"}}
		if _, err := engine.Create(t.Context(), e, row, engine.Request{Machine: "called"}); err != nil {
			t.Fatal(err)
		}
		if row.Note != "none" || seen["create"] != 1 {
			t.Errorf("created with %q, callbacks saw %v", row.Note, seen)
		}
		for _, step := range []struct {
			event   engine.Event
			updates int
		}{{"move", 0}, {"write", 1}} {
			if _, err := e.Apply(t.Context(), engine.Request{Machine: "called", ID: "c", Event: step.event}); err != nil {
				t.Fatal(err)
			}
			if seen["update"] != step.updates {
				t.Errorf("after %s callbacks saw %v", step.event, seen)
			}
		}
		stored, err := engine.Load[called](t.Context(), e, "called", "c")
		if err != nil || stored.Note != "written" || stored.Secret != "s" {
			t.Errorf("stored %+v: %v", stored, err)
		}
		clean(t, db, m)
	})
}
