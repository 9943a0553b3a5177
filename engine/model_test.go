package engine_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// plan is a random machine as data, and reference is what the engine must do with it, written as
// plainly as possible and without looking at the engine's own code.
type plan struct {
	states int
	moves  map[int]map[int]int // event → from → to
	again  map[int]bool        // events declared repeatable
	counts map[int]bool        // events declared CountsOther
}

func drawPlan(t *rapid.T) plan {
	p := plan{states: rapid.IntRange(2, 5).Draw(t, "states"), moves: map[int]map[int]int{}, again: map[int]bool{}, counts: map[int]bool{}}
	for ev := range rapid.IntRange(1, 5).Draw(t, "events") {
		p.moves[ev] = map[int]int{}
		for range rapid.IntRange(1, 3).Draw(t, "edges") {
			p.moves[ev][rapid.IntRange(0, p.states-1).Draw(t, "from")] = rapid.IntRange(0, p.states-1).Draw(t, "to")
		}
	}
	for ev := range len(p.moves) {
		p.again[ev] = p.canRepeat(ev) || rapid.Bool().Draw(t, "repeatable")
		p.counts[ev] = rapid.Bool().Draw(t, "counts other")
	}
	return p
}

func (p plan) reach(from int) map[int]bool {
	seen := map[int]bool{from: true}
	for range p.states {
		for s := range seen {
			for ev := range p.moves {
				if to, ok := p.moves[ev][s]; ok {
					seen[to] = true
				}
			}
		}
	}
	return seen
}

func (p plan) reaches(s, ev int) bool {
	for r := range p.reach(s) {
		if _, ok := p.moves[ev][r]; ok {
			return true
		}
	}
	return false
}

func (p plan) canRepeat(ev int) bool {
	for _, to := range p.moves[ev] {
		if p.reaches(to, ev) {
			return true
		}
	}
	return false
}

func (p plan) machine(t *rapid.T) *engine.Machine[door] {
	d := engine.Definition[door]{Name: "door", Events: map[engine.Event]engine.Spec{"build": {}}}
	d.Edges = append(d.Edges, engine.Edge[door]{Event: "build", To: "s0"})
	for ev := range len(p.moves) {
		d.Events[engine.Event(fmt.Sprint("e", ev))] = engine.Spec{Repeatable: p.again[ev], CountsOther: p.counts[ev]}
		for from := range p.states {
			to, ok := p.moves[ev][from]
			if !ok {
				continue
			}
			d.Edges = append(d.Edges, engine.Edge[door]{
				Event: engine.Event(fmt.Sprint("e", ev)), From: []engine.State{engine.State(fmt.Sprint("s", from))}, To: engine.State(fmt.Sprint("s", to)),
			})
		}
	}
	m, err := engine.NewMachine(d)
	if err != nil {
		t.Fatalf("%+v: %v", p, err)
	}
	return m
}

// reference is one subject of a plan.
type reference struct {
	p     plan
	state int
	past  []refMove // past[i] made version i+1; past[0] is the creation
	keys  map[string]int
}

type refMove struct{ ev, from, to int }

// ask is the outcome table, read line by line.
func (r *reference) ask(ev int, key string, pin int) string {
	if v, seen := r.keys[key]; seen && key != "" {
		if r.past[v-1].ev != ev {
			return "conflict/key_reused"
		}
		return "already/replayed"
	}
	if r.p.again[ev] && key == "" && pin == 0 {
		return "illegal/identity_required"
	}
	if pin != 0 && pin != len(r.past) {
		return "stale/version"
	}
	if to, ok := r.p.moves[ev][r.state]; ok {
		r.past = append(r.past, refMove{ev, r.state, to})
		r.state = to
		if key != "" {
			r.keys[key] = len(r.past)
		}
		return "applied/"
	}
	return r.why(ev)
}

func (r *reference) why(ev int) string {
	happened, visited, reachedBefore := -1, false, false
	entered := 0
	for i, m := range r.past {
		if m.ev == ev {
			happened = i
		}
		if _, from := r.p.moves[ev][m.from]; from && i > 0 {
			visited = true
		}
		if i > 0 && r.p.reaches(m.from, ev) {
			reachedBefore = true
		}
		if i == 0 || m.from != m.to {
			entered = i
		}
	}
	if r.p.again[ev] {
		if visited || happened >= 0 {
			return "stale/passed"
		}
	} else {
		if happened >= 0 && happened == entered {
			return "already/same_state"
		}
		if happened >= 0 {
			return "already/superseded"
		}
		for _, to := range r.p.moves[ev] {
			if to == r.state {
				if r.p.counts[ev] {
					return "already/same_state"
				}
				return "stale/reached_otherwise"
			}
		}
	}
	switch {
	case r.p.reaches(r.state, ev):
		return "early/"
	case reachedBefore:
		return "stale/passed"
	}
	return "illegal/no_path"
}

// Whatever the machine and whatever is asked of it, alone or in batches, the engine answers like the
// reference, and history is the reference's past.
func TestTheEngineAgreesWithAReferenceModel(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&door{}); err != nil {
			t.Fatal(err)
		}
		subjects := 0
		rapid.Check(t, func(t *rapid.T) {
			p := drawPlan(t)
			e, err := engine.New(db, engine.Config{Now: enginetest.NewClock().Now}, p.machine(t))
			if err != nil {
				t.Fatal(err)
			}
			defer shut(t, e)
			subjects++
			id := fmt.Sprint("d", subjects)
			if _, err := engine.Create(t.Context(), e, &door{ID: id}, engine.Request{Machine: "door"}); err != nil {
				t.Fatal(err)
			}
			r := &reference{p: p, past: []refMove{{ev: -1, from: -1, to: 0}}, keys: map[string]int{}}
			for range rapid.IntRange(1, 6).Draw(t, "batches") {
				askBatch(t, e, r, id)
			}
			past, err := e.History(t.Context(), "door", id, engine.HistoryQuery{})
			if err != nil || len(past) != len(r.past) {
				t.Fatalf("history has %d rows, want %d (%v)", len(past), len(r.past), err)
			}
			for i, h := range past[1:] {
				if m := r.past[i+1]; h.Event != engine.Event(fmt.Sprint("e", m.ev)) || h.To != engine.State(fmt.Sprint("s", m.to)) {
					t.Fatalf("version %d: %s to %s, want %+v", h.Version, h.Event, h.To, m)
				}
			}
		})
	})
}

func askBatch(t *rapid.T, e *engine.Engine, r *reference, id string) {
	var rs []engine.Request
	var wants []string
	for range rapid.IntRange(1, 5).Draw(t, "requests") {
		ev := rapid.IntRange(0, len(r.p.moves)-1).Draw(t, "event")
		q := engine.Request{Machine: "door", ID: id, Event: engine.Event(fmt.Sprint("e", ev)), Actor: fmt.Sprint("a", len(r.past), len(rs))}
		key := ""
		if rapid.Bool().Draw(t, "keyed") {
			key = fmt.Sprint("k", rapid.IntRange(0, 4).Draw(t, "key"))
			q.Key = engine.Key{Source: "model:" + id, Seq: key}
		}
		pin := 0
		if rapid.IntRange(0, 3).Draw(t, "pin") == 0 {
			pin = rapid.IntRange(1, len(r.past)+1).Draw(t, "version")
			q.IfVersion = int64(pin)
		}
		rs, wants = append(rs, q), append(wants, r.ask(ev, key, pin))
	}
	for i, got := range e.ApplyAll(t.Context(), rs) {
		if s := fmt.Sprintf("%s/%s", got.Outcome, got.Detail); s != wants[i] {
			t.Fatalf("request %d of %d (%+v): got %s in %s at %d, want %s (%v)\nplan %+v\npast %+v", i+1, len(rs), rs[i], s, got.State, got.Version, wants[i], got.Err(), r.p, r.past)
		}
	}
}
