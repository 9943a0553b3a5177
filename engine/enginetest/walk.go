package enginetest

import (
	"context"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// walkPathsMax bounds the paths that Walk takes beside those needed to take every edge.
const walkPathsMax = 60

// Walk drives the kit's machine along its paths on db: ways from every creation that take no edge
// twice, and in any case every edge. After each step it asks again with the same key, which must
// change nothing, and in the end it checks the database. An edge that cannot be taken fails the
// test, unless the kit says NotHere. So does a column that an action writes and that is not stored as it was
// written, and one that a skipped hook BeforeSave or BeforeUpdate would have changed.
func Walk[S any](t *testing.T, db *gorm.DB, kit Kit[S]) {
	t.Helper()
	kit.prepare(t, db)
	e, a, err := kit.engine(db)
	if err != nil {
		t.Fatalf("make the engine: %v", err)
	}
	defer closeEngine(t, e)
	check := newStoredCheck[S](t, db)
	d := kit.Machine.Describe()
	seen := map[int]bool{} // taken, or behind an edge that the kit does not want
	for n, p := range paths(d, walkPathsMax) {
		w := walker[S]{t: t, kit: kit, e: e, a: a, n: n, check: check}
		w.walk(p)
		if t.Failed() {
			return
		}
		for _, i := range p.edges {
			seen[i] = true
		}
	}
	for i, edge := range d.Edges {
		if !seen[i] {
			t.Errorf("no path takes %s from %q to %s", edge.Event, edge.From, edge.To)
		}
	}
	checkDatabase(t, db, kit)
}

func closeEngine(t *testing.T, e *engine.Engine) {
	if err := e.Close(context.Background()); err != nil {
		t.Errorf("close the engine: %v", err)
	}
}

// walker is one subject on its way.
type walker[S any] struct {
	t   *testing.T
	kit Kit[S]
	e   *engine.Engine
	a   engine.Applier
	n   int
	row *S
	id  string

	check *storedCheck[S]
}

// walk takes a path as far as the kit allows.
func (w *walker[S]) walk(p path) {
	for i := range p.edges {
		if !w.step(p, i) {
			return
		}
	}
}

// step takes the i-th edge of a path, twice with the same key.
func (w *walker[S]) step(p path, i int) bool {
	w.t.Helper()
	edge := p.edge(i)
	if i == 0 {
		w.row = w.kit.New(w.n)
	}
	input := w.kit.input(*w.row, edge)
	if input == NotHere {
		return false
	}
	var before *S
	if i > 0 {
		before = w.row
	}
	var first engine.Result
	key := engine.Key{Source: "walk", Seq: fmt.Sprintf("%d/%d", w.n, i)}
	for _, want := range []engine.Outcome{engine.Applied, engine.Already} {
		result, err := w.apply(i == 0, engine.Request{
			Machine: p.d.Name, ID: w.id, Event: edge.Event, Input: input, Key: key, Actor: "walk",
		})
		if err != nil || result.Outcome != want || result.State != edge.To || result.Version != int64(i+1) {
			w.t.Errorf("path %s: step %d, %s: got %s/%s in state %s at version %d (%v), want %s in %s at %d",
				p, i+1, edge.Event, result.Outcome, result.Detail, result.State, result.Version, err, want, edge.To, i+1)
			return false
		}
		w.id = result.ID
		if want == engine.Applied {
			first = result
		}
	}
	if !w.reload(p.d.Name) {
		return false
	}
	w.check.compare(w.t, fmt.Sprintf("path %s: step %d, %s", p, i+1, edge.Event), before, first, w.row)
	return true
}

func (w *walker[S]) apply(create bool, r engine.Request) (engine.Result, error) {
	if create {
		r.ID = "" // the row says which it is, or its INSERT does
		return engine.Create(context.Background(), w.a, w.kit.New(w.n), r)
	}
	return w.a.Apply(context.Background(), r)
}

// reload reads the row, which the next input may depend on.
func (w *walker[S]) reload(machine string) bool {
	row, err := engine.Load[S](context.Background(), w.e, machine, w.id)
	if err != nil {
		w.t.Errorf("read %s %s: %v", machine, w.id, err)
		return false
	}
	w.row = row
	return true
}
