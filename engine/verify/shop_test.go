package verify_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/verify"
)

// box is the row of a machine with messages, timers, a self-loop and two ends.
type box struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"<-:create;size:64" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Label   string
}

// crate is the same with a number for a key, other names of columns, and a creation without input.
type crate struct {
	Number int64  `gorm:"column:no;primaryKey;autoIncrement:false" engine:"id"`
	Where  string `gorm:"column:place;<-:create;size:64" engine:"state"`
	Count  int64  `gorm:"column:moves;<-:create" engine:"version"`
}

func (crate) TableName() string { return "crates_of_wood" }

type label struct {
	Label string `json:"label"`
}

func boxMachine(t testing.TB) *engine.Machine[box] {
	t.Helper()
	type c = engine.Call[box, engine.NoInput]
	emit := func(n int) engine.Action[box] {
		return engine.Set("emit", func(c c, fx *engine.Effects) error {
			for i := range n {
				fx.Emit("box.moved", map[string]any{"to": c.To, "n": i})
			}
			return nil
		})
	}
	arm := engine.Set("arm", func(c c, fx *engine.Effects) error {
		fx.Arm("forget", c.Now.Add(time.Hour), "lose")
		return nil
	})
	m, err := engine.NewMachine(engine.Definition[box]{
		Name: "box",
		Events: map[engine.Event]engine.Spec{
			"pack": {Input: label{}}, "relabel": {Input: label{}, Repeatable: true}, "send": {}, "arrive": {}, "lose": {},
		},
		Edges: []engine.Edge[box]{
			{Event: "pack", To: "packed", Actions: []engine.Action[box]{emit(1), arm}},
			{Event: "relabel", From: []engine.State{"packed"}, To: "packed",
				Actions: []engine.Action[box]{engine.Set("stick", func(c engine.Call[box, label], _ *engine.Effects) error {
					if c.Input.Label == "" {
						return engine.Refuse("no label")
					}
					c.Subject.Label = c.Input.Label
					return nil
				})}},
			{Event: "send", From: []engine.State{"packed"}, To: "sent", Actions: []engine.Action[box]{emit(2), arm}},
			{Event: "arrive", From: []engine.State{"sent"}, To: "arrived"},
			{Event: "lose", From: []engine.State{"packed", "sent"}, To: "lost"},
		},
	})
	require.NoError(t, err)
	return m
}

func crateMachine(t testing.TB) *engine.Machine[crate] {
	t.Helper()
	m, err := engine.NewMachine(engine.Definition[crate]{
		Name:   "crate",
		Events: map[engine.Event]engine.Spec{"build": {}, "burn": {}},
		Edges: []engine.Edge[crate]{
			{Event: "build", To: "standing"},
			{Event: "burn", From: []engine.State{"standing"}, To: "burnt"},
		},
	})
	require.NoError(t, err)
	return m
}

func machines(t testing.TB) []engine.AnyMachine {
	return []engine.AnyMachine{boxMachine(t), crateMachine(t)}
}

// prepare creates the tables and an engine on them.
func prepare(t testing.TB, db *gorm.DB) *engine.Engine {
	t.Helper()
	require.NoError(t, db.AutoMigrate(&box{}, &crate{}))
	e, err := engine.New(db, engine.Config{}, machines(t)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e
}

// fill makes a healthy database of everything that the engine writes: boxes on their way and at their
// end, adopted ones and one yet to be adopted, crates, repeats and refusals.
func fill(t testing.TB, db *gorm.DB) {
	t.Helper()
	e := prepare(t, db)
	for i := range 5 {
		walkBox(t, e, fmt.Sprintf("b%d", i))
	}
	require.NoError(t, db.Exec(`INSERT INTO boxes (id, status, version, label) VALUES ('old1', 'packed', 0, ''), ('old2', 'sent', 0, ''), ('old3', 'lost', 0, '')`).Error)
	apply(t, e, "old1", "send", nil, "old1-send", engine.Applied)
	_, err := e.Adopt(context.Background(), "box", 1)
	require.NoError(t, err)
	for _, n := range []int64{9, 10, -3} { // not in the order of text
		_, err := engine.Create(context.Background(), e, &crate{Number: n}, engine.Request{
			Machine: "crate", ID: strconv.FormatInt(n, 10), Key: engine.Key{Source: "test", Seq: fmt.Sprintf("build-%d", n)},
		})
		require.NoError(t, err)
	}
	r := engine.Request{Machine: "crate", ID: "10", Event: "burn", Key: engine.Key{Source: "test", Seq: "burn-10"}}
	_, err = e.Apply(context.Background(), r)
	require.NoError(t, err)
	require.NoError(t, e.Close(context.Background())) // writes the counts of repeats
}

// walkBox leads a box to its end: pack, relabel twice, send, arrive, at versions 1 to 5. On the way
// requests are repeated and refused.
func walkBox(t testing.TB, e *engine.Engine, id string) {
	t.Helper()
	_, err := engine.Create(context.Background(), e, &box{ID: id}, engine.Request{
		Machine: "box", ID: id, Input: label{"new"}, Key: engine.Key{Source: "test", Seq: id + "-pack"},
	})
	require.NoError(t, err)
	apply(t, e, id, "arrive", nil, id+"-arrive", engine.Early)
	apply(t, e, id, "relabel", label{}, id+"-relabel0", engine.Illegal)
	apply(t, e, id, "relabel", label{"one"}, id+"-relabel1", engine.Applied)
	apply(t, e, id, "relabel", label{"one"}, id+"-relabel1", engine.Already)
	apply(t, e, id, "relabel", label{"two"}, id+"-relabel1", engine.Conflict)
	apply(t, e, id, "relabel", label{"two"}, id+"-relabel2", engine.Applied)
	apply(t, e, id, "send", nil, "", engine.Applied)
	apply(t, e, id, "send", nil, "", engine.Already)
	apply(t, e, id, "arrive", nil, id+"-arrive", engine.Applied)
	apply(t, e, id, "lose", nil, id+"-lose", engine.Stale)
	apply(t, e, id, "fly", nil, id+"-fly", engine.Illegal)
}

func apply(t testing.TB, e *engine.Engine, id string, event engine.Event, input any, seq string, want engine.Outcome) {
	t.Helper()
	r := engine.Request{Machine: "box", ID: id, Event: event, Input: input}
	if seq != "" {
		r.Key = engine.Key{Source: "test", Seq: seq}
	}
	result, err := e.Apply(context.Background(), r)
	require.Equal(t, want, result.Outcome, "%s %s: %v", id, event, err)
}

func run(t testing.TB, db *gorm.DB, opts verify.Options) verify.Report {
	t.Helper()
	if opts.Machines == nil {
		opts.Machines = machines(t)
	}
	report, err := verify.Run(context.Background(), db, opts)
	require.NoError(t, err)
	return report
}
