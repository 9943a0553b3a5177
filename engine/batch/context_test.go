package batch_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/enginetest"
)

type traceKey struct{}

func traced(ctx context.Context, trace string) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

func traceOf(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey{}).(string)
	return trace
}

type parcel struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"<-:create;size:16" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
}

// seen is which trace each place of the user's code has met, by subject.
type seen struct {
	mu     sync.Mutex
	traces map[string]string
	ends   map[bool]int // how many of the actions' contexts have a deadline
}

func (s *seen) note(place, id, trace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traces[place+" "+id] = trace
}

func (s *seen) machine(t *testing.T) *engine.Machine[parcel] {
	m, err := engine.NewMachine(engine.Definition[parcel]{
		Name:   "parcel",
		Events: map[engine.Event]engine.Spec{"pack": {}, "send": {}},
		Edges: []engine.Edge[parcel]{
			{Event: "pack", To: "packed"},
			{
				Event: "send", From: []engine.State{"packed"}, To: "sent",
				Guards: []engine.Guard[parcel]{engine.Check("look", func(c engine.Call[parcel, engine.NoInput]) error {
					s.note("guard", c.Subject.ID, traceOf(c.Request.Context()))
					return nil
				})},
				Actions: []engine.Action[parcel]{
					engine.Exec("one", func(ctx context.Context, tx *gorm.DB, c engine.Call[parcel, engine.NoInput]) error {
						s.note("exec", c.Subject.ID, traceOf(ctx))
						s.note("handle", c.Subject.ID, traceOf(tx.Statement.Context))
						_, ends := ctx.Deadline()
						derived, cancel := context.WithCancel(ctx)
						defer cancel()
						s.note("derived", c.Subject.ID, traceOf(derived))
						s.mu.Lock()
						s.ends[ends]++
						s.mu.Unlock()
						return nil
					}),
					engine.ExecAll("all", func(ctx context.Context, _ *gorm.DB, cs []engine.Call[parcel, engine.NoInput]) []error {
						for _, c := range cs {
							s.note("exec all", c.Subject.ID, traceOf(c.Request.Context()))
						}
						return nil
					}),
				},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// held is an applier whose batches wait until they may go on.
type held struct {
	engine.Applier
	began, leave chan int
}

func (h *held) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	h.began <- len(rs)
	<-h.leave
	return h.Applier.ApplyAll(ctx, rs)
}

// Callers who share a transaction keep the values of their own contexts, and only the batch's end counts.
func TestEachCallerOfABatchKeepsItsContextsValues(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&parcel{}); err != nil {
			t.Fatal(err)
		}
		s := &seen{traces: map[string]string{}, ends: map[bool]int{}}
		e, err := engine.New(db, engine.Config{Observe: func(o engine.Observation) {
			s.note("observe "+string(o.Request.Event), o.Result.ID, traceOf(o.Request.Context()))
		}}, s.machine(t))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := e.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		ids := []string{"p0", "p1", "p2"}
		for _, id := range ids {
			if _, err := engine.Create(traced(t.Context(), "made "+id), e, &parcel{ID: id}, engine.Request{Machine: "parcel"}); err != nil {
				t.Fatal(err)
			}
		}
		h := &held{Applier: e, began: make(chan int), leave: make(chan int)}
		b := started(t, h, batch.Config{Lanes: 1})
		var asking sync.WaitGroup
		ask := func(ctx context.Context, id string) {
			asking.Go(func() {
				if r, err := b.Apply(ctx, engine.Request{Machine: "parcel", ID: id, Event: "send"}); err != nil || r.Outcome != engine.Applied {
					t.Errorf("%s: %v %v", id, r.Outcome, err)
				}
			})
		}
		ask(traced(t.Context(), "of p0"), "p0")
		if n := <-h.began; n != 1 {
			t.Fatalf("%d in the first batch", n)
		}
		ask(traced(t.Context(), "of p1"), "p1")
		ask(traced(t.Context(), "of p2"), "p2")
		for b.Waiting() < 2 {
			runtime.Gosched()
		}
		h.leave <- 1
		if n := <-h.began; n != 2 {
			t.Errorf("%d in the second batch, want both", n)
		}
		h.leave <- 2
		asking.Wait()
		for _, id := range ids {
			for _, place := range []string{"guard", "exec", "handle", "derived", "exec all", "observe send"} {
				if got, want := s.traces[place+" "+id], "of "+id; got != want {
					t.Errorf("%s of %s: the trace is %q, want %q", place, id, got, want)
				}
			}
			if got := s.traces["observe pack "+id]; got != "made "+id {
				t.Errorf("creation of %s, without a batcher: %q", id, got)
			}
		}
		if s.ends[true] == 0 || s.ends[false] > 0 {
			t.Errorf("an action's context ends with its batch: with a deadline %d, without %d", s.ends[true], s.ends[false])
		}
	})
}

// Who asks for several callers at once says whose each request is.
func TestRequestsOfOneApplyAllMayHaveContextsOfTheirOwn(t *testing.T) {
	db := enginetest.SQLite(t)
	if err := db.AutoMigrate(&parcel{}); err != nil {
		t.Fatal(err)
	}
	s := &seen{traces: map[string]string{}, ends: map[bool]int{}}
	e, err := engine.New(db, engine.Config{}, s.machine(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close(context.Background()) }()
	b := started(t, e, batch.Config{})
	for via, a := range map[string]engine.Applier{"engine": e, "batcher": b} {
		var rs []engine.Request
		for i := range 3 {
			id := fmt.Sprint(via, i)
			if _, err := engine.Create(t.Context(), e, &parcel{ID: id}, engine.Request{Machine: "parcel"}); err != nil {
				t.Fatal(err)
			}
			r := engine.Request{Machine: "parcel", ID: id, Event: "send"}
			if i > 0 {
				ended, cancel := context.WithCancel(traced(t.Context(), "of "+id))
				cancel() // its end is not taken
				r = r.WithContext(ended)
			}
			rs = append(rs, r)
		}
		for i, r := range a.ApplyAll(traced(t.Context(), "shared"), rs) {
			want := "of " + r.ID
			if i == 0 {
				want = "shared"
			}
			if got := s.traces["exec "+r.ID]; r.Err() != nil || got != want {
				t.Errorf("%s: %v, the trace is %q, want %q", r.ID, r.Err(), got, want)
			}
		}
	}
}
