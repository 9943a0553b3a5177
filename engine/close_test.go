package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/timer"
)

// pausedAction is an action that tells when it has begun and goes on when it is let.
type pausedAction struct{ inside, open chan struct{} }

func closable(t *testing.T, db *gorm.DB, d *pausedAction) *engine.Engine {
	t.Helper()
	definition := textDefinition()
	definition.Edges[0].Actions = []engine.Action[textRow]{engine.Exec("door", func(ctx context.Context, tx *gorm.DB, _ engine.Call[textRow, engine.NoInput]) error {
		if d == nil {
			return nil
		}
		close(d.inside)
		<-d.open
		return second(engine.Create(ctx, engine.InTx(tx), &textRow{ID: "inner"}, engine.Request{Machine: "plain"}))
	})}
	plain := textDefinition()
	plain.Name = "plain"
	machine, err := engine.NewMachine(definition)
	other, err2 := engine.NewMachine(plain)
	if err := errors.Join(err, err2, db.AutoMigrate(&textRow{})); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, machine, other)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAClosedEngineSaysSo(t *testing.T) {
	ctx := t.Context()
	db := enginetest.SQLite(t)
	e := closable(t, db, nil)
	if err := second(engine.Create(ctx, e, &textRow{ID: "1"}, engine.Request{Machine: "parcel"})); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Close(ctx); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := e.Close(ended); err != nil {
		t.Fatalf("Close of a closed engine with a context that has ended: %v", err)
	}
	pay := engine.Request{Machine: "parcel", ID: "1", Event: "pay"}
	outcome := []string{"parcel 1: pay: unavailable: the engine is closed"}
	closed := []string{"the engine is closed"}
	tell(t, []mistake{
		{name: "Apply", do: func() error { return second(e.Apply(ctx, pay)) }, says: outcome, is: engine.ErrClosed},
		{name: "Apply matches its outcome", do: func() error { return second(e.Apply(ctx, pay)) }, says: outcome, is: engine.ErrUnavailable},
		{name: "ApplyAll", do: func() error { return e.ApplyAll(ctx, []engine.Request{pay, pay})[1].Err() }, says: outcome, is: engine.ErrClosed},
		{name: "Create", do: func() error {
			return second(engine.Create(ctx, e, &textRow{ID: "2"}, engine.Request{Machine: "parcel"}))
		}, says: closed, is: engine.ErrClosed},
		{name: "ApplyTx", do: func() error {
			return db.Transaction(func(tx *gorm.DB) error { return second(e.ApplyTx(ctx, tx, pay)) })
		}, says: outcome, is: engine.ErrClosed},
		{name: "ApplyTx outside of a transaction", do: func() error { return second(e.ApplyTx(ctx, nil, pay)) }, says: outcome, is: engine.ErrClosed},
		{name: "Adopt", do: func() error { return second(e.Adopt(ctx, "parcel", 1)) }, says: closed, is: engine.ErrClosed},
		{name: "AdoptAll", do: func() error { return second(e.AdoptAll(ctx, "parcel", nil)) }, says: closed, is: engine.ErrClosed},
		{name: "TrimAttempts", do: func() error { return second(e.TrimAttempts(ctx, 1)) }, says: closed, is: engine.ErrClosed},
		{name: "Ready", do: func() error { return e.Ready(ctx) }, says: closed, is: engine.ErrClosed},
	})
	if result, _ := e.Apply(ctx, pay); result.RetryAfter <= 0 || result.ID != "1" || result.Event != "pay" {
		t.Errorf("the answer is %+v, want one that names the request and when to ask again", result)
	}
	if row, err := engine.Load[textRow](ctx, e, "parcel", "1"); err != nil || row.Version != 1 {
		t.Errorf("Load: %+v, %v, want the row as it was", row, err)
	}
	if past, err := e.History(ctx, "parcel", "1", engine.HistoryQuery{}); err != nil || len(past) != 1 {
		t.Errorf("History: %v, %v, want the creation", past, err)
	}
}

func TestAnEngineOfNobodySaysSo(t *testing.T) {
	ctx := t.Context()
	var none *engine.Engine
	for name, e := range map[string]*engine.Engine{"nil": none, "zero": {}} {
		says := []string{"Engine is nil, or was not made by engine.New"}
		tell(t, []mistake{
			{name: name + "/Apply", do: func() error { return second(e.Apply(ctx, engine.Request{Machine: "m", ID: "1", Event: "pay"})) }, says: append(says, "m 1: pay: "), is: engine.ErrBadRequest},
			{name: name + "/Create", do: func() error { return second(engine.Create(ctx, e, &textRow{}, engine.Request{})) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/ApplyTx", do: func() error { return second(e.ApplyTx(ctx, nil, engine.Request{})) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/Load", do: func() error { return second(engine.Load[textRow](ctx, e, "m", "1")) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/Allowed", do: func() error { return second(e.Allowed(ctx, "m", "1")) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/Adopt", do: func() error { return second(e.Adopt(ctx, "m", 1)) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/History", do: func() error { return second(e.History(ctx, "m", "1", engine.HistoryQuery{})) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/At", do: func() error { return second(e.At(ctx, "m", "1", time.Now())) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/ByKey", do: func() error { return second(e.ByKey(ctx, engine.Key{Source: "a", Seq: "1"})) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/Attempts", do: func() error { return second(e.Attempts(ctx, "m", "1", engine.AttemptQuery{})) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/TrimAttempts", do: func() error { return second(e.TrimAttempts(ctx, 1)) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/Ready", do: func() error { return e.Ready(ctx) }, says: says, is: engine.ErrBadRequest},
			{name: name + "/Close", do: func() error { return e.Close(ctx) }, says: says, is: engine.ErrBadRequest},
		})
		if all := e.Machines(); len(all) != 0 {
			t.Errorf("%s: it has machines: %v", name, all)
		}
		e.Committed(engine.Result{})
	}
}

// What is under way when Close comes is waited for, down to what its actions ask for; what comes then is refused.
func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		ctx := t.Context()
		d := &pausedAction{make(chan struct{}), make(chan struct{})}
		e := closable(t, db, d)
		created, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			created <- second(engine.Create(ctx, e, &textRow{ID: "outer"}, engine.Request{Machine: "parcel"}))
		}()
		<-d.inside
		brief, cancel := context.WithCancel(ctx)
		cancel()
		if err := e.Close(brief); !errors.Is(err, context.Canceled) {
			t.Errorf("Close with a context that has ended: %v, want its error", err)
		}
		if err := second(e.Apply(ctx, engine.Request{Machine: "parcel", ID: "1", Event: "pay"})); !errors.Is(err, engine.ErrClosed) {
			t.Errorf("a request after Close: %v, want ErrClosed", err)
		}
		go func() { closed <- e.Close(ctx) }()
		select {
		case err := <-closed:
			t.Errorf("Close returned %v while a request was under way", err)
		default:
		}
		close(d.open)
		if err := errors.Join(<-created, <-closed); err != nil {
			t.Errorf("under way when Close came: %v", err)
		}
		for machine, id := range map[string]string{"parcel": "outer", "plain": "inner"} {
			if row, err := engine.Load[textRow](ctx, e, machine, id); err != nil || row.Version != 1 {
				t.Errorf("%s is %+v (%v), want it created", id, row, err)
			}
		}
	})
}

// Each of many callers is answered, by a transition or by ErrClosed, and Close returns behind the last transition.
func TestCloseAmongManyCallers(t *testing.T) {
	db := enginetest.SQLite(t)
	e := closable(t, db, nil)
	var callers sync.WaitGroup
	var answers enginetest.Answers
	a := answers.Through(e)
	begun := make(chan struct{}, 8)
	for range 8 {
		callers.Go(func() {
			for first := true; ; first = false {
				r, err := a.Apply(t.Context(), engine.Request{Machine: "parcel", ID: "nobody", Event: "pay"})
				if first {
					begun <- struct{}{}
				}
				if errors.Is(err, engine.ErrClosed) {
					return
				}
				if !errors.Is(err, engine.ErrNotFound) {
					t.Errorf("answered %s: %v", r.Outcome, err)
					return
				}
			}
		})
	}
	for range 8 {
		<-begun
	}
	var closers sync.WaitGroup
	for range 4 {
		closers.Go(func() {
			if err := e.Close(context.Background()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	closers.Wait()
	callers.Wait()
	answers.Check(t, db)
}

// A database that the program has closed too early is told by whatever is asked of it, and nothing waits for it.
func TestAClosedDatabaseIsTold(t *testing.T) {
	ctx := t.Context()
	db := enginetest.SQLite(t)
	e := closable(t, db, nil)
	relay, err := outbox.NewRelay(ctx, db, outbox.Config{})
	timers, err2 := timer.New(ctx, db, e, timer.Config{})
	tokens, err3 := once.NewTokens(ctx, db, 0, once.Config{})
	jobs, err4 := once.NewJobs(ctx, db, once.Config{})
	if err := errors.Join(err, err2, err3, err4, must(db.DB()).Close()); err != nil {
		t.Fatal(err)
	}
	says := []string{"database is closed"}
	machine, err := engine.NewMachine(textDefinition())
	if err != nil {
		t.Fatal(err)
	}
	tell(t, []mistake{
		{name: "Apply", do: func() error { return second(e.Apply(ctx, engine.Request{Machine: "parcel", ID: "1", Event: "pay"})) }, says: says},
		{name: "Create", do: func() error {
			return second(engine.Create(ctx, e, &textRow{ID: "2"}, engine.Request{Machine: "parcel"}))
		}, says: says},
		{name: "Adopt", do: func() error { return second(e.Adopt(ctx, "parcel", 1)) }, says: says},
		{name: "Load", do: func() error { return second(engine.Load[textRow](ctx, e, "parcel", "1")) }, says: says},
		{name: "History", do: func() error { return second(e.History(ctx, "parcel", "1", engine.HistoryQuery{})) }, says: says},
		{name: "Ready", do: func() error { return e.Ready(ctx) }, says: says},
		{name: "New", do: func() error { return second(engine.New(db, engine.Config{}, machine)) }, says: says},
		{name: "Migrate", do: func() error { return engine.Migrate(ctx, db) }, says: says},
		{name: "Relay.Step", do: func() error { return second(relay.Step(ctx, 0)) }, says: says},
		{name: "Timers.Step", do: func() error { return second(timers.Step(ctx, 0)) }, says: says},
		{name: "Tokens.Issue", do: func() error { return second(tokens.Issue(ctx, once.Binding{Holder: "a", Scope: "b"})) }, says: says},
		{name: "Jobs.Run", do: func() error {
			return second(jobs.Run(ctx, once.Job{Name: "a", Every: time.Hour}, func(context.Context) error { return nil }))
		}, says: says},
	})
	if err := e.Close(ctx); err != nil {
		t.Errorf("Close behind its database, with nothing to write: %v", err)
	}
}
