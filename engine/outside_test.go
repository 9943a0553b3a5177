package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/sqlitedb"
)

type lantern struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"<-:create;size:16" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

type bill struct {
	ID string `gorm:"primaryKey;size:64"`
}

// lamps is an engine whose lamps are lit by an action of the test's.
func lanterns(t *testing.T, db *gorm.DB, act func(ctx context.Context, tx *gorm.DB, id string) error) *engine.Engine {
	t.Helper()
	light := engine.Exec("light", func(ctx context.Context, tx *gorm.DB, c engine.Call[lantern, engine.NoInput]) error {
		return act(ctx, tx, c.Subject.ID)
	})
	m, err := engine.NewMachine(engine.Definition[lantern]{
		Name: "lantern", Events: map[engine.Event]engine.Spec{"hang": {}, "light": {}},
		Edges: []engine.Edge[lantern]{
			{Event: "hang", To: "dark"},
			{Event: "light", From: []engine.State{"dark"}, To: "lit", Actions: []engine.Action[lantern]{light}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(engine.Migrate(t.Context(), db), db.AutoMigrate(&lantern{}, &bill{})); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	for _, id := range []string{"a", "b"} {
		if _, err := engine.Create(t.Context(), e, &lantern{ID: id}, engine.Request{Machine: "lantern"}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// What an action does past its transaction would be done apart from it, once for each time that it runs, or wait for it.
func TestWhatAnActionDoesPastItsTransactionIsRefused(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		var e *engine.Engine
		var b *batch.Batcher
		other := engine.Request{Machine: "lantern", ID: "b", Event: "light"}
		careless := map[string]func(ctx context.Context) error{
			"writes by another handle": func(ctx context.Context) error { return db.WithContext(ctx).Create(&bill{ID: "x"}).Error },
			"reads by another handle":  func(ctx context.Context) error { return db.WithContext(ctx).Take(&lantern{}).Error },
			"begins a transaction":     func(ctx context.Context) error { return db.WithContext(ctx).Begin().Error },
			"asks the engine":          func(ctx context.Context) error { _, err := e.Apply(ctx, other); return err },
			"asks the engine for many": func(ctx context.Context) error { return e.ApplyAll(ctx, []engine.Request{other})[0].Err() },
			"asks a batcher":           func(ctx context.Context) error { _, err := b.Apply(ctx, other); return err },
			"creates by the engine": func(ctx context.Context) error {
				_, err := engine.Create(ctx, e, &lantern{ID: "c"}, engine.Request{Machine: "lantern"})
				return err
			},
			"asks and hides the answer": func(ctx context.Context) error { _, _ = e.Apply(ctx, other); return nil },
			"writes and hides the error": func(ctx context.Context) error {
				_ = db.WithContext(ctx).Create(&bill{ID: "x"})
				return nil
			},
		}
		var do func(ctx context.Context) error
		runs := 0
		e = lanterns(t, db, func(ctx context.Context, _ *gorm.DB, id string) error {
			if runs++; id != "a" {
				return nil
			}
			return do(ctx)
		})
		var err error
		if b, err = batch.New(e, batch.Config{}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = b.Close(context.Background()) }()
		for name, f := range careless {
			do, runs = f, 0
			result, err := e.Apply(t.Context(), engine.Request{Machine: "lantern", ID: "a", Event: "light"})
			if err == nil || result.Outcome != "" || !strings.Contains(err.Error(), "action light") {
				t.Errorf("%s: %s, %v", name, result.Outcome, err)
			}
			if runs != 1 {
				t.Errorf("%s: the action ran %d times", name, runs)
			}
			var count int64
			if err := db.Model(&bill{}).Count(&count).Error; err != nil || count != 0 {
				t.Errorf("%s: %d rows written apart from the transaction, %v", name, count, err)
			}
			for _, id := range []string{"a", "b"} {
				if row, err := engine.Load[lantern](t.Context(), e, "lantern", id); err != nil || row.Status != "dark" {
					t.Errorf("%s: lamp %s is %v, %v", name, id, row, err)
				}
			}
		}
	})
}

// An action's context is like any other once it has returned, and what it is told by its own handle is its own.
func TestAnActionsContextIsFreeAfterIt(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		var kept context.Context
		e := lanterns(t, db, func(ctx context.Context, tx *gorm.DB, id string) error {
			kept = context.WithoutCancel(ctx)
			return tx.WithContext(ctx).Create(&bill{ID: id}).Error
		})
		for _, ctx := range []func() context.Context{t.Context, func() context.Context { return kept }} {
			id := map[bool]string{true: "a", false: "b"}[kept == nil]
			if _, err := e.Apply(ctx(), engine.Request{Machine: "lantern", ID: id, Event: "light"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.WithContext(kept).Take(&bill{ID: "b"}).Error; err != nil {
			t.Fatal(err)
		}
	})
}

// SQLite has one writer. Who waits for it inside of its own transaction, with a context that tells nothing, waits for
// a while and is told what is likely wrong; nobody else waits for ever.
func TestOneWhoWaitsForHisOwnTransactionIsTold(t *testing.T) {
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "lamps.db"), sqlitedb.BusyTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if d, err := db.DB(); err != nil || d.Close() != nil {
			t.Error("not closed", err)
		}
	}()
	e := lanterns(t, db, func(_ context.Context, _ *gorm.DB, id string) error { return db.Create(&bill{ID: id}).Error })
	_, err = e.Apply(t.Context(), engine.Request{Machine: "lantern", ID: "a", Event: "light"})
	if err == nil || !strings.Contains(err.Error(), "another handle") || dberr.Classify(err) != dberr.LockWait {
		t.Errorf("%v, class %s", err, dberr.Classify(err))
	}
	if err := db.Create(&bill{ID: "later"}).Error; err != nil {
		t.Errorf("the writer is not free again: %v", err)
	}
}
