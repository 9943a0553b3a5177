package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// crate is a subject each of whose transitions also writes a message and a timer, so that half of one
// would show.
type crate struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"size:16;<-:create" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
	Turns   int64
}

func crateMachine(t testing.TB) *engine.Machine[crate] {
	t.Helper()
	type call = engine.Call[crate, engine.NoInput]
	open := []engine.State{"open"}
	tell := engine.Set("tell", func(c call, fx *engine.Effects) error {
		fx.Emit("crate."+string(c.To), map[string]any{"id": c.Subject.ID, "version": c.Version})
		return nil
	})
	wind := engine.Set("wind", func(c call, fx *engine.Effects) error {
		fx.Arm("expiry", c.Now.Add(time.Hour), "expire")
		return nil
	})
	stop := engine.Set("stop", func(_ call, fx *engine.Effects) error { fx.Stop("expiry"); return nil })
	count := engine.Set("count", func(c call, _ *engine.Effects) error { c.Subject.Turns++; return nil })
	type actions = []engine.Action[crate]
	m, err := engine.NewMachine(engine.Definition[crate]{
		Name:   "crate",
		Events: map[engine.Event]engine.Spec{"make": {}, "turn": {Repeatable: true}, "ship": {}, "cancel": {}, "expire": {}},
		Edges: []engine.Edge[crate]{
			{Event: "make", To: "open", Actions: actions{tell, wind}},
			{Event: "turn", From: open, To: "open", Actions: actions{tell, wind, count}},
			{Event: "ship", From: open, To: "shipped", Actions: actions{tell, stop}},
			{Event: "cancel", From: open, To: "cancelled", Actions: actions{tell, stop}},
			{Event: "expire", From: open, To: "expired", Actions: actions{tell}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fleet is an engine on each node, and all that they have answered.
type fleet struct {
	*enginetest.Cluster
	t       *testing.T
	machine *engine.Machine[crate]
	dbs     []*gorm.DB
	engines []*engine.Engine
	answers enginetest.Answers
	serial  atomic.Int64
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	c := enginetest.Galera(t)
	f := &fleet{Cluster: c, t: t, machine: crateMachine(t), dbs: c.Open(t)}
	if err := f.dbs[0].AutoMigrate(&crate{}); err != nil {
		t.Fatal(err)
	}
	f.Settle(t)
	for _, db := range f.dbs {
		f.engines = append(f.engines, f.engine(db))
	}
	return f
}

// engine returns an engine that ends with the test.
func (f *fleet) engine(db *gorm.DB) *engine.Engine {
	f.t.Helper()
	e, err := engine.New(db, engine.Config{}, f.machine)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			f.t.Errorf("close an engine: %v", err)
		}
	})
	return e
}

// key returns a key that nothing has used.
func (f *fleet) key() engine.Key {
	return engine.Key{Source: "principal:tester", Seq: fmt.Sprint(f.serial.Add(1))}
}

// ask sends a request once. Every answer must be one of the table's.
func (f *fleet) ask(node int, r engine.Request) engine.Result {
	return f.askAt(f.engines[node], r)
}

func (f *fleet) askAt(e *engine.Engine, r engine.Request) engine.Result {
	f.t.Helper()
	noted := f.answers.Through(e)
	var result engine.Result
	var err error
	if r.Event == "make" {
		result, err = engine.Create(context.Background(), noted, &crate{ID: r.ID}, r)
	} else {
		result, err = noted.Apply(context.Background(), r)
	}
	if known, ok := errors.AsType[*engine.Error](err); err != nil && (!ok || known.Result.Outcome.Success()) {
		f.t.Errorf("%s %s: an answer that is no outcome: %v", r.Event, r.ID, err)
	}
	return result
}

// insist sends a request until its answer is final, each time to the next node.
func (f *fleet) insist(node int, r engine.Request) engine.Result {
	f.t.Helper()
	var result engine.Result
	for deadline := time.Now().Add(time.Minute); ; node++ {
		result = f.ask(node%len(f.engines), r)
		switch result.Outcome {
		case engine.Unavailable, engine.Unknown, engine.Conflict:
			if time.Now().Before(deadline) {
				continue
			}
			f.t.Errorf("%s %s has no final answer: %v", r.Event, r.ID, result.Err())
		}
		return result
	}
}

// make creates a crate through a node.
func (f *fleet) make(node int) string {
	f.t.Helper()
	id := fmt.Sprintf("c%d", f.serial.Add(1))
	if r := f.insist(node, f.request("make", id)); r.Outcome != engine.Applied && r.Outcome != engine.Already {
		f.t.Errorf("make %s: %v", id, r.Err())
	}
	return id
}

// request is for an event on a crate, with a key of its own.
func (f *fleet) request(ev engine.Event, id string) engine.Request {
	return engine.Request{Machine: "crate", ID: id, Event: ev, Key: f.key(), Actor: "tester"}
}
