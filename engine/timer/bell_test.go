package timer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/timer"
	"example.com/orderd/engine/verify"
)

// Bell is a row whose transitions arm and stop timers as they are asked to, in one visit and over several.
type Bell struct {
	ID      string       `gorm:"primaryKey;size:128" engine:"id"`
	State   engine.State `gorm:"column:status;size:64;<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Rung    int
}

// wish is one call of Arm, or of Stop where it has no event.
type wish struct {
	Name  string
	After time.Duration
	Event engine.Event
	Year  int // instead of After
}

type wishes struct {
	First, Then []wish // of two actions
}

const bellMachine = "bell"

// bellDefinition is hung -wish-> hung and -swing-> swung and back, each with wishes. A timer may ring, which
// leaves the state as it is, or do something that fails in one way or another.
func bellDefinition(block func(context.Context) error) *engine.Machine[Bell] {
	type call = engine.Call[Bell, wishes]
	ask := func(fx *engine.Effects, now time.Time, all []wish) {
		for _, w := range all {
			switch {
			case w.Event == "":
				fx.Stop(w.Name)
			case w.Year != 0:
				fx.Arm(w.Name, time.Date(w.Year, 1, 1, 0, 0, 0, 0, time.UTC), w.Event)
			default:
				fx.Arm(w.Name, now.Add(w.After), w.Event)
			}
		}
	}
	first := engine.Set("first", func(c call, fx *engine.Effects) error { ask(fx, c.Now, c.Input.First); return nil })
	then := engine.Set("then", func(c call, fx *engine.Effects) error { ask(fx, c.Now, c.Input.Then); return nil })
	rung := engine.Set("rung", func(c engine.Call[Bell, engine.NoInput], _ *engine.Effects) error { c.Subject.Rung++; return nil })
	again := engine.Set("again", func(c engine.Call[Bell, engine.NoInput], fx *engine.Effects) error {
		fx.Arm("t", c.Now.Add(time.Hour), "rering")
		return nil
	})
	crack := engine.Check("whole", func(engine.Call[Bell, engine.NoInput]) error { panic("it is cracked") })
	odd := engine.Set("odd", func(engine.Call[Bell, engine.NoInput], *engine.Effects) error {
		return errors.New("an odd sound \x00 \xff")
	})
	wait := engine.Exec("wait", func(ctx context.Context, _ *gorm.DB, _ engine.Call[Bell, engine.NoInput]) error { return block(ctx) })
	both := []engine.State{"hung", "swung"}
	loop := func(event engine.Event, guards []engine.Guard[Bell], actions ...engine.Action[Bell]) []engine.Edge[Bell] {
		return []engine.Edge[Bell]{
			{Event: event, From: []engine.State{"hung"}, To: "hung", Guards: guards, Actions: actions},
			{Event: event, From: []engine.State{"swung"}, To: "swung", Guards: guards, Actions: actions},
		}
	}
	d := engine.Definition[Bell]{
		Name: bellMachine,
		Events: map[engine.Event]engine.Spec{
			"hang": {}, "wish": {Input: wishes{}, Repeatable: true}, "swing": {Input: wishes{}, Repeatable: true}, "ring": {Repeatable: true},
			"rering": {Repeatable: true}, "crack": {Repeatable: true}, "creak": {Repeatable: true}, "block": {Repeatable: true}, "melt": {},
		},
		Edges: []engine.Edge[Bell]{
			{Event: "hang", To: "hung"},
			{Event: "swing", From: []engine.State{"hung"}, To: "swung", Actions: []engine.Action[Bell]{first, then}},
			{Event: "swing", From: []engine.State{"swung"}, To: "hung", Actions: []engine.Action[Bell]{first, then}},
			{Event: "melt", From: both, To: "molten"},
		},
	}
	d.Edges = append(d.Edges, loop("wish", nil, first, then)...)
	d.Edges = append(d.Edges, loop("ring", nil, rung)...)
	d.Edges = append(d.Edges, loop("rering", nil, rung, again)...)
	d.Edges = append(d.Edges, loop("crack", []engine.Guard[Bell]{crack})...)
	d.Edges = append(d.Edges, loop("creak", nil, odd)...)
	d.Edges = append(d.Edges, loop("block", nil, wait)...)
	m, err := engine.NewMachine(d)
	if err != nil {
		panic(err) // at start-up of a test
	}
	return m
}

// belfry is bells with their timers, on a clock of their own.
type belfry struct {
	*engine.Engine
	t     *testing.T
	db    *gorm.DB
	clock *enginetest.Clock
	block func(context.Context) error
	seq   int
}

func eachBelfry(t *testing.T, f func(t *testing.T, b *belfry)) {
	t.Helper()
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		b := &belfry{t: t, db: db, clock: enginetest.NewClock()}
		if err := db.AutoMigrate(&Bell{}); err != nil {
			t.Fatal(err)
		}
		definition := bellDefinition(func(ctx context.Context) error { return b.block(ctx) })
		var err error
		if b.Engine, err = engine.New(db, engine.Config{Now: b.clock.Now, Logger: quiet}, definition); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close(context.Background()) })
		f(t, b)
		report, err := verify.Run(context.Background(), db, verify.Options{Machines: []engine.AnyMachine{definition}})
		if err != nil || report.Total > 0 {
			t.Errorf("verify: %v %+v", err, report.Findings)
		}
	})
}

func (b *belfry) timers(c timer.Config) *timer.Timers {
	b.t.Helper()
	c.Now, c.Logger = b.clock.Now, quiet
	timers, err := timer.New(b.t.Context(), b.db, b, c)
	if err != nil {
		b.t.Fatal(err)
	}
	return timers
}

func (b *belfry) hang(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		if _, err := engine.Create(b.t.Context(), b, &Bell{ID: id}, engine.Request{Machine: bellMachine, Event: "hang"}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *belfry) request(id string, event engine.Event, w wishes) engine.Request {
	b.seq++
	r := engine.Request{Machine: bellMachine, ID: id, Event: event, Key: engine.Key{Source: "principal:test", Seq: fmt.Sprint(b.seq)}}
	if event == "wish" || event == "swing" {
		r.Input = w
	}
	return r
}

// do lets events happen to a bell, with the same wishes.
func (b *belfry) do(id string, w wishes, events ...engine.Event) {
	b.t.Helper()
	for _, event := range events {
		if r, err := b.Apply(b.t.Context(), b.request(id, event, w)); err != nil || r.Outcome != engine.Applied {
			b.t.Fatalf("%s %s: %v %v", id, event, r.Outcome, err)
		}
	}
}

func (b *belfry) step(timers *timer.Timers) (more bool) {
	b.t.Helper()
	more, err := timers.Step(b.t.Context(), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return more
}

func (b *belfry) rung(id string) int {
	b.t.Helper()
	row, err := engine.Load[Bell](b.t.Context(), b.Engine, bellMachine, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return row.Rung
}

func (b *belfry) count(where string, args ...any) (n int64) {
	b.t.Helper()
	if err := b.db.Table("engine_timers").Where(where, args...).Count(&n).Error; err != nil {
		b.t.Fatal(err)
	}
	return n
}
