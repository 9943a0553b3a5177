package batch_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/enginetest"
)

// meter is a row that moves on and on: each reading has a key, a guard, a column and a message.
type meter struct {
	ID        string `gorm:"primaryKey;size:64" engine:"id"`
	Status    string `gorm:"size:16;<-:create" engine:"state"`
	Version   int64  `gorm:"<-:create" engine:"version"`
	Amount    int64
	Owner     string `gorm:"size:64"`
	UpdatedAt time.Time
}

type reading struct {
	Amount int64 `json:"amount"`
}

func meterMachine(tb testing.TB) *engine.Machine[meter] {
	tb.Helper()
	m, err := engine.NewMachine(engine.Definition[meter]{
		Name:   "meter",
		Events: map[engine.Event]engine.Spec{"install": {}, "read": {Input: reading{}, Repeatable: true}},
		Edges: []engine.Edge[meter]{
			{Event: "install", To: "on"},
			{
				Event: "read", From: []engine.State{"on"}, To: "on",
				Guards: []engine.Guard[meter]{engine.Check("grows", func(c engine.Call[meter, reading]) error {
					if c.Input.Amount < 0 {
						return errors.New("a meter never runs back")
					}
					return nil
				})},
				Actions: []engine.Action[meter]{engine.Set("add", func(c engine.Call[meter, reading], fx *engine.Effects) error {
					c.Subject.Amount += c.Input.Amount
					fx.Emit("meter.read", map[string]any{"id": c.Subject.ID, "amount": c.Input.Amount})
					return nil
				})},
			},
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// BenchmarkApply is what one of many callers waits for and costs, each with a subject of its own.
func BenchmarkApply(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *gorm.DB{"sqlite": enginetest.SQLite, "mysql": enginetest.MySQL} {
		for _, callers := range []int{1, 64, 256, 1024} {
			b.Run(fmt.Sprintf("%s/%d", name, callers), func(b *testing.B) {
				db := open(b)
				if err := db.AutoMigrate(&meter{}); err != nil {
					b.Fatal(err)
				}
				e, err := engine.New(db, engine.Config{}, meterMachine(b))
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = e.Close(b.Context()) }()
				q, err := batch.New(e, batch.Config{})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = q.Close(b.Context()) }()
				for i := range callers {
					if _, err := engine.Create(b.Context(), q, &meter{ID: fmt.Sprint("m", i)}, engine.Request{Machine: "meter"}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportAllocs()
				b.ResetTimer()
				var done atomic.Int64
				var all sync.WaitGroup
				for i := range callers {
					all.Go(func() {
						for n := done.Add(1); n <= int64(b.N); n = done.Add(1) {
							_, err := q.Apply(b.Context(), engine.Request{
								Machine: "meter", ID: fmt.Sprint("m", i), Event: "read", Input: reading{Amount: 1}, Actor: "bench",
								Key: engine.Key{Source: "principal:bench", Seq: fmt.Sprintf("%016d", n)},
							})
							if err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
			})
		}
	}
}
