// Package ticket is a small machine with messages and timers, for tests of what takes them on.
package ticket

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// Ticket is the row.
type Ticket struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	State   engine.State `gorm:"column:status;size:64;<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Jammed  bool
}

// Machine is its name.
const Machine = "ticket"

// Life is how long a ticket stays open.
const Life = time.Hour

type call = engine.Call[Ticket, engine.NoInput]

// Definition is open -nudge-> open, -jam-> open, -close-> closed -reopen-> open, -expire-> expired. An
// open ticket has the timer "late", which a jammed one refuses. Every event but jam emits a message.
func Definition() *engine.Machine[Ticket] {
	say := func(kind string) engine.Action[Ticket] {
		return engine.Set("say_"+kind, func(c call, fx *engine.Effects) error {
			fx.Emit("ticket."+kind, map[string]any{"id": c.Subject.ID, "version": c.Version})
			return nil
		})
	}
	arm := engine.Set("arm", func(c call, fx *engine.Effects) error {
		fx.Arm("late", c.Now.Add(Life), "expire")
		return nil
	})
	flag := func(to bool) engine.Action[Ticket] {
		return engine.Set(fmt.Sprintf("jam_%v", to), func(c call, _ *engine.Effects) error { c.Subject.Jammed = to; return nil })
	}
	free := engine.Check("free", func(c call) error {
		if c.Subject.Jammed {
			return errors.New("it is jammed")
		}
		return nil
	})
	is := func(s ...engine.State) []engine.State { return s }
	m, err := engine.NewMachine(engine.Definition[Ticket]{
		Name: Machine,
		Events: map[engine.Event]engine.Spec{
			"open": {}, "nudge": {Repeatable: true}, "jam": {Repeatable: true}, "free": {Repeatable: true},
			"close": {Repeatable: true}, "reopen": {Repeatable: true}, "expire": {}, "again": {Repeatable: true},
		},
		Edges: []engine.Edge[Ticket]{
			{Event: "open", To: "open", Actions: []engine.Action[Ticket]{say("opened"), arm}},
			{Event: "nudge", From: is("open"), To: "open", Actions: []engine.Action[Ticket]{say("nudged")}},
			{Event: "again", From: is("open"), To: "open", Actions: []engine.Action[Ticket]{arm}},
			{Event: "jam", From: is("open"), To: "open", Actions: []engine.Action[Ticket]{flag(true)}},
			{Event: "free", From: is("open"), To: "open", Actions: []engine.Action[Ticket]{flag(false)}},
			{Event: "close", From: is("open"), To: "closed", Actions: []engine.Action[Ticket]{say("closed")}},
			{Event: "reopen", From: is("closed"), To: "open", Actions: []engine.Action[Ticket]{say("reopened"), arm}},
			{Event: "expire", From: is("open"), To: "expired", Guards: []engine.Guard[Ticket]{free},
				Actions: []engine.Action[Ticket]{say("expired")}},
		},
	})
	if err != nil {
		panic(err) // at start-up of a test
	}
	return m
}

// Desk is an engine that drives tickets.
type Desk struct {
	*engine.Engine
	DB  *gorm.DB
	seq int
}

// New makes one on a database with the engine's tables.
func New(t testing.TB, db *gorm.DB, cfg engine.Config) *Desk {
	t.Helper()
	if err := db.AutoMigrate(&Ticket{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, cfg, Definition())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Errorf("close the engine: %v", err)
		}
	})
	return &Desk{Engine: e, DB: db}
}

// Open opens tickets.
func (d *Desk) Open(t testing.TB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := engine.Create(t.Context(), d, &Ticket{ID: id}, engine.Request{Machine: Machine, Event: "open"}); err != nil {
			t.Fatal(err)
		}
	}
}

// Do lets events happen to a ticket.
func (d *Desk) Do(t testing.TB, id string, events ...engine.Event) {
	t.Helper()
	for _, event := range events {
		d.seq++
		key := engine.Key{Source: "principal:test", Seq: fmt.Sprint(d.seq)}
		r, err := d.Apply(t.Context(), engine.Request{Machine: Machine, ID: id, Event: event, Key: key})
		if err != nil || r.Outcome != engine.Applied {
			t.Fatalf("%s %s: %v %v", id, event, r.Outcome, err)
		}
	}
}

// State is where a ticket stands.
func (d *Desk) State(t testing.TB, id string) engine.State {
	t.Helper()
	row, err := engine.Load[Ticket](t.Context(), d.Engine, Machine, id)
	if err != nil {
		t.Fatal(err)
	}
	return row.State
}

// Count counts rows.
func (d *Desk) Count(t testing.TB, table, where string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := d.DB.Table(table).Where(where, args...).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}
