package engine_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// wagon is a row whose guards, columns and SQL a test chooses.
type wagon struct {
	ID      string  `gorm:"primaryKey;size:64" engine:"id"`
	Status  string  `gorm:"size:16;<-:create" engine:"state"`
	Version int64   `gorm:"<-:create" engine:"version"`
	Load    int64   `gorm:"column:load_"`
	Owner   *string `gorm:"size:16;not null;default:nobody"`
	Seal    []byte  `gorm:"size:64"`
}

type wagonCall = engine.Call[wagon, engine.NoInput]

// yard is wagons, an engine that drives them on a database that a test can disturb, and what they do.
type yard struct {
	db     *gorm.DB // undisturbed
	faults *enginetest.Faulty
	eng    *engine.Engine
	seq    atomic.Uint64

	guard func(wagonCall) error
	set   func(wagonCall) error
	exec  func(*gorm.DB, wagonCall) error
}

// newYard makes one. Its engine draws numbers that count up, so it hardly waits between tries.
func newYard(t *testing.T, db *gorm.DB, cfg engine.Config) *yard {
	t.Helper()
	if err := db.AutoMigrate(&wagon{}, &lamp{}); err != nil {
		t.Fatal(err)
	}
	y := &yard{db: db}
	shaken, faults := enginetest.NewFaulty(db, nil)
	y.faults = faults
	cfg.Rand = func() uint64 { return y.seq.Add(2) }
	y.eng = y.engine(t, shaken, cfg)
	return y
}

func (y *yard) engine(t *testing.T, db *gorm.DB, cfg engine.Config) *engine.Engine {
	t.Helper()
	e, err := engine.New(db, cfg, y.machine(t), lampMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		y.faults.Decide(nil)
		shut(t, e)
	})
	return e
}

// machine is: build or assemble → empty -shunt-> empty -fill-> full -haul-> full -tip-> tipped. Assemble and
// haul run SQL, fill has a guard and a computed column.
func (y *yard) machine(t *testing.T) *engine.Machine[wagon] {
	t.Helper()
	check := engine.Check("guard", func(c wagonCall) error { return call(y.guard, c) })
	again := engine.Check("guard again", func(c wagonCall) error { return call(y.guard, c) })
	set := engine.Set("set", func(c wagonCall, _ *engine.Effects) error { return call(y.set, c) })
	exec := engine.Exec("exec", func(_ context.Context, tx *gorm.DB, c wagonCall) error {
		return call(func(c wagonCall) error {
			if y.exec == nil {
				return nil
			}
			return y.exec(tx, c)
		}, c)
	})
	m, err := engine.NewMachine(engine.Definition[wagon]{
		Name: "wagon",
		Events: map[engine.Event]engine.Spec{
			"build": {}, "assemble": {}, "shunt": {Repeatable: true}, "fill": {}, "haul": {Repeatable: true}, "tip": {},
		},
		Edges: []engine.Edge[wagon]{
			{Event: "build", To: "empty"},
			{Event: "assemble", To: "empty", Actions: []engine.Action[wagon]{exec}},
			{Event: "shunt", From: []engine.State{"empty"}, To: "empty"},
			{Event: "fill", From: []engine.State{"empty"}, To: "full",
				Guards: []engine.Guard[wagon]{check, again}, Actions: []engine.Action[wagon]{set}},
			{Event: "haul", From: []engine.State{"empty", "full"}, To: "full", Actions: []engine.Action[wagon]{exec}},
			{Event: "tip", From: []engine.State{"full"}, To: "tipped"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func call(f func(wagonCall) error, c wagonCall) error {
	if f == nil {
		return nil
	}
	return f(c)
}

func (y *yard) build(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		r, err := engine.Create(t.Context(), y.eng, &wagon{ID: id}, engine.Request{Machine: "wagon", Event: "build"})
		if err != nil || r.Outcome != engine.Applied {
			t.Fatalf("build %s: %s, %v", id, r.Outcome, err)
		}
	}
}

func (y *yard) row(t *testing.T, id string) wagon {
	t.Helper()
	w, err := engine.Load[wagon](t.Context(), y.eng, "wagon", id)
	if err != nil {
		t.Fatal(err)
	}
	return *w
}

// wagonDo is a request; seq is of its key, if it has one.
func wagonDo(id string, ev engine.Event, seq string) engine.Request {
	r := engine.Request{Machine: "wagon", ID: id, Event: ev}
	if seq != "" {
		r.Key = engine.Key{Source: "principal:a", Seq: seq}
	}
	return r
}

// answered is an answer as a short text.
func answered(r engine.Result) string {
	proof := int64(0)
	if r.Proof != nil {
		proof = r.Proof.Version
	}
	return fmt.Sprintf("%s/%s %s %d by %d", r.Outcome, r.Detail, r.State, r.Version, proof)
}

func (y *yard) expect(t *testing.T, rs []engine.Request, wants ...string) {
	t.Helper()
	for i, r := range y.eng.ApplyAll(t.Context(), rs) {
		if got := answered(r); got != wants[i] {
			t.Errorf("%s %s: got %s (%v), want %s", rs[i].ID, rs[i].Event, got, r.Err(), wants[i])
		}
	}
}

// goesAtTheWrite takes the database away once something is about to be written. The first write ends clearly:
// nothing was done.
func goesAtTheWrite() func(int, enginetest.CallKind, string) enginetest.Fault {
	var gone atomic.Bool
	return func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
		switch {
		case gone.Load():
			return enginetest.LostBefore
		case kind != enginetest.CallQuery:
			gone.Store(true)
			return enginetest.Deadlock
		}
		return enginetest.NoFault
	}
}

// before does something once, before the first call that a test waits for.
func before(is func(enginetest.CallKind) bool, do func()) func(int, enginetest.CallKind, string) enginetest.Fault {
	var done atomic.Bool
	return func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
		if is(kind) && done.CompareAndSwap(false, true) {
			do()
		}
		return enginetest.NoFault
	}
}

func beginning(k enginetest.CallKind) bool {
	return k == enginetest.CallBegin || k == enginetest.CallPacket
}

func committing(k enginetest.CallKind) bool {
	return k == enginetest.CallCommit || k == enginetest.CallPacket
}
