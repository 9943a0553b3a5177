package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// crate is the row of the benchmarks, as wide as an order.
type crate struct {
	ID        string `gorm:"primaryKey" engine:"id"`
	Status    string `gorm:"<-:create" engine:"state"`
	Version   int64  `gorm:"<-:create" engine:"version"`
	Amount    int64
	Currency  string
	Customer  string
	UpdatedAt time.Time
}

type weighing struct {
	Amount int64 `json:"amount"`
}

// crates are n rows and a request for each, in the world of one round.
func crates(b *testing.B, n int) (*Engine, *world, []*item) {
	b.Helper()
	m, err := NewMachine(Definition[crate]{
		Name: "crate", Exclusive: true,
		Events: map[Event]Spec{"pack": {}, "weigh": {Input: weighing{}, Repeatable: true}},
		Edges: []Edge[crate]{
			{Event: "pack", To: "packed"},
			{
				Event: "weigh", From: []State{"packed"}, To: "packed",
				Guards: []Guard[crate]{Check("weighs something", func(c Call[crate, weighing]) error {
					if c.Input.Amount <= 0 {
						return errors.New("nothing")
					}
					return nil
				})},
				Actions: []Action[crate]{Set("add", func(c Call[crate, weighing], fx *Effects) error {
					c.Subject.Amount += c.Input.Amount
					fx.Emit("crate.weighed", c.Input)
					return nil
				})},
			},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	e := &Engine{cfg: Config{}.withDefaults(), machines: map[string]*machine{"crate": m.erased()}}
	w := &world{
		now: e.cfg.Now(), rows: map[ref]any{}, keys: map[Key]*Transition{}, pasts: map[ref][]Transition{}, steps: map[step]*Transition{},
		fresh: map[ref]bool{}, asked: map[Key]bool{},
	}
	w.reset()
	var items []*item
	for i := range n {
		id := fmt.Sprintf("crate_%022d", i)
		w.rows[ref{"crate", id}] = &crate{ID: id, Status: "packed", Version: 1, Amount: int64(i), Currency: "EUR"}
		it := e.prepare(Request{
			Machine: "crate", ID: id, Event: "weigh", Input: weighing{Amount: 1}, Actor: "bench",
			Key: Key{Source: "principal:bench", Seq: fmt.Sprint(i)},
		})
		if it.done {
			b.Fatal(it.result.Err())
		}
		items = append(items, it)
	}
	return e, w, items
}

// BenchmarkPrepare is what a request costs before the database is asked: its checks, its input and its
// fingerprint.
func BenchmarkPrepare(b *testing.B) {
	e, _, items := crates(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		e.prepare(items[0].req)
	}
}

// BenchmarkFingerprint is the hash alone.
func BenchmarkFingerprint(b *testing.B) {
	_, _, items := crates(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		fingerprint("crate", items[0].req.ID, "weigh", items[0].canonical)
	}
}

// BenchmarkRowHash is the hash of one row, of which a transition takes two.
func BenchmarkRowHash(b *testing.B) {
	_, w, items := crates(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := items[0].m.row.hashed.of(w.rows[items[0].ref()]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecide is one decision of the machine: edge, guard, actions and the transition in memory.
func BenchmarkDecide(b *testing.B) {
	_, w, items := crates(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		w.reset()
		if v := w.decide(b.Context(), items[0]); v.kind != verdictMove {
			b.Fatalf("not a move: %+v", v)
		}
	}
}

// BenchmarkScript is the SQL of a batch of 128 transitions, put together.
func BenchmarkScript(b *testing.B) {
	_, w, items := crates(b, 128)
	for _, it := range items {
		if v := w.decide(b.Context(), it); v.kind != verdictMove {
			b.Fatalf("not a move: %+v", v)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		w.sort()
		script, err := moveScript(w)
		if err != nil {
			b.Fatal(err)
		}
		script.Append(recordScript(w, nil))
		if _, err := script.Render(sqldb.MySQL); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/128, "ns/transition")
}
