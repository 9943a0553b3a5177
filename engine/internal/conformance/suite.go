package conformance

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// Setup is what the suite runs on.
type Setup struct {
	// Open returns a fresh database with the engine's tables.
	Open func(t *testing.T) *gorm.DB

	// Front puts something in front of an engine, such as a batcher; nil for the engine itself. What
	// it starts ends with the test.
	Front func(t *testing.T, e *engine.Engine) engine.Applier

	// Further gives other handles of the database that Open has opened last. Each has an engine of its
	// own, and all engines answer in turn. Only Outcomes asks for it; nil is for none.
	Further func(t *testing.T) []*gorm.DB
}

// Run runs the suite as subtests of t.
func Run(t *testing.T, s Setup) {
	for _, group := range []map[string]func(*testing.T, *bench){
		outcomeTests, keyTests, orderTests, sameTests, batchTests, faultTests, settleTests, txTests, effectTests,
		journalTests, readTests, adoptTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) { test(t, s.bench(t)) })
		}
	}
	t.Run("every path is walked", func(t *testing.T) {
		enginetest.Walk(t, s.Open(t), s.kit(t))
	})
	t.Run("a storm moves each step once", func(t *testing.T) { Storm(t, s, enginetest.Storms{}) })
}

// Outcomes is the part of the suite that asks and looks at the answers: what it promises does not hang
// on who is asked.
func Outcomes(t *testing.T, s Setup) {
	for _, group := range []map[string]func(*testing.T, *bench){outcomeTests, keyTests} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				b := s.bench(t)
				b.app = s.inTurn(t, b)
				test(t, b)
			})
		}
	}
}

// inTurn asks the engine of the bench and one on each further handle in turn.
func (s Setup) inTurn(t *testing.T, b *bench) engine.Applier {
	t.Helper()
	if s.Further == nil {
		return b.app
	}
	all := []engine.Applier{b.app}
	for _, db := range s.Further(t) {
		e, err := engine.New(db, engine.Config{Now: b.clock.Now}, parcelMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(context.Background()); err != nil {
				t.Errorf("close a further engine: %v", err)
			}
		})
		all = append(all, b.answers.Through(s.front(t, e)))
	}
	return enginetest.InTurn(all...)
}

// Storm is the last part of the suite alone.
func Storm(t *testing.T, s Setup, storms enginetest.Storms) {
	t.Helper()
	enginetest.Storm(t, s.Open(t), s.kit(t), storms)
}

func (s Setup) kit(t *testing.T) enginetest.Kit[parcel] {
	kit := parcelKit(t)
	kit.Engine = func(db *gorm.DB) (*engine.Engine, engine.Applier, error) {
		e, err := engine.New(db, engine.Config{}, kit.Machine)
		if err != nil {
			return nil, nil, err
		}
		return e, s.front(t, e), nil
	}
	return kit
}

func (s Setup) front(t *testing.T, e *engine.Engine) engine.Applier {
	if s.Front == nil {
		return e
	}
	return s.Front(t, e)
}

// bench is one test's engine. When the test ends, every answer that app gave is compared with history.
type bench struct {
	db      *gorm.DB // without faults
	shaken  *gorm.DB // with faults
	faults  *enginetest.Faulty
	clock   *enginetest.Clock
	eng     *engine.Engine
	app     engine.Applier
	answers enginetest.Answers
	setup   Setup
}

func (s Setup) bench(t *testing.T) *bench {
	t.Helper()
	b := &bench{clock: enginetest.NewClock(), db: s.Open(t), setup: s}
	if err := prepareParcels(b.db); err != nil {
		t.Fatal(err)
	}
	shaken, faults := enginetest.NewFaulty(b.db, nil)
	b.shaken, b.faults = shaken, faults
	e, err := engine.New(shaken, engine.Config{Now: b.clock.Now}, parcelMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		faults.Decide(nil)
		if err := e.Close(context.Background()); err != nil {
			t.Errorf("close the engine: %v", err)
		}
		b.answers.Check(t, b.db)
	})
	b.eng, b.app = e, b.answers.Through(s.front(t, e))
	return b
}

// post creates a parcel.
func (b *bench) post(t *testing.T, id string, weight int64) {
	t.Helper()
	r, err := engine.Create(t.Context(), b.app, &parcel{ID: id}, engine.Request{Machine: "parcel", Input: newParcel{Weight: weight}})
	if err != nil || r.Outcome != engine.Applied {
		t.Fatalf("post %s: %v %v", id, r.Outcome, err)
	}
}

// at creates a parcel and moves it along.
func (b *bench) at(t *testing.T, id string, events ...engine.Event) {
	t.Helper()
	b.post(t, id, 500)
	for i, ev := range events {
		r := request(id, ev)
		if ev == "scan" || ev == "complain" {
			r.Input = scan{Place: "depot"}
		}
		r.IfVersion = int64(i + 1)
		if _, err := b.app.Apply(t.Context(), r); err != nil {
			t.Fatalf("move %s by %s: %v", id, ev, err)
		}
	}
}

func request(id string, ev engine.Event) engine.Request {
	return engine.Request{Machine: "parcel", ID: id, Event: ev, Actor: "tester"}
}

func keyed(id string, ev engine.Event, seq string) engine.Request {
	r := request(id, ev)
	r.Key = engine.Key{Source: "principal:tester", Seq: seq}
	return r
}

func scanned(r engine.Request, place string) engine.Request {
	r.Input = scan{Place: place}
	return r
}

// want is an expected answer. Zero fields are not looked at, but Detail always is.
type want struct {
	outcome engine.Outcome
	detail  engine.Detail
	state   engine.State
	version int64
	proof   int64 // version of the proving transition; -1 for none
}

var sentinels = map[engine.Outcome]error{
	engine.Stale: engine.ErrStale, engine.Early: engine.ErrEarly, engine.Illegal: engine.ErrIllegal,
	engine.Conflict: engine.ErrConflict, engine.NotFound: engine.ErrNotFound,
	engine.Unavailable: engine.ErrUnavailable, engine.Unknown: engine.ErrUnknown,
}

// expect checks an answer and that its error matches exactly the sentinel of its outcome.
func expect(t *testing.T, r engine.Result, err error, w want) {
	t.Helper()
	proof := int64(-1)
	if r.Proof != nil {
		proof = r.Proof.Version
	}
	if r.Outcome != w.outcome || r.Detail != w.detail ||
		w.state != "" && r.State != w.state || w.version != 0 && r.Version != w.version || w.proof != 0 && proof != w.proof {
		t.Errorf("got %s/%s in %q at %d, proof %d (%v); want %+v", r.Outcome, r.Detail, r.State, r.Version, proof, err, w)
	}
	for o, sentinel := range sentinels {
		if errors.Is(err, sentinel) != (o == r.Outcome) {
			t.Errorf("error %v of outcome %s: matches the sentinel of %s: %v", err, r.Outcome, o, errors.Is(err, sentinel))
		}
	}
	var full *engine.Error
	if !r.Outcome.Success() && r.Outcome != "" && (!errors.As(err, &full) || full.Result.Outcome != r.Outcome) {
		t.Errorf("error %v does not carry its result", err)
	}
	if r.Outcome.Success() && err != nil {
		t.Errorf("success with error %v", err)
	}
}

// apply asks and checks.
func (b *bench) apply(t *testing.T, r engine.Request, w want) engine.Result {
	t.Helper()
	result, err := b.app.Apply(t.Context(), r)
	expect(t, result, err, w)
	return result
}

// load reads a parcel's row.
func (b *bench) load(t *testing.T, id string) parcel {
	t.Helper()
	var p parcel
	if err := b.db.First(&p, "id = ?", id).Error; err != nil {
		t.Fatalf("read %s: %v", id, err)
	}
	return p
}

// count counts rows.
func (b *bench) count(t *testing.T, table, where string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := b.db.Table(table).Where(where, args...).Count(&n).Error; err != nil {
		t.Fatalf("count %s: %v", table, err)
	}
	return n
}

func (b *bench) history(t *testing.T, id string) []engine.Transition {
	t.Helper()
	h, err := b.eng.History(t.Context(), "parcel", id, engine.HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
