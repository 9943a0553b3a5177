package outbox_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/ticket"
	"example.com/orderd/engine/outbox"
)

// takes is a sink that takes everything at once.
type takes struct{}

func (takes) Name() string { return "takes" }

func (takes) Send(_ context.Context, ms []outbox.Message) []error { return make([]error, len(ms)) }

// BenchmarkRelay is what it costs to read messages and to note that they are sent, per message.
func BenchmarkRelay(b *testing.B) {
	for _, size := range []int{1, 100, 500} {
		b.Run(fmt.Sprint("batch", size), func(b *testing.B) {
			db := enginetest.MySQL(b)
			desk := ticket.New(b, db, engine.Config{Logger: quiet})
			relay, err := outbox.NewRelay(b.Context(), db, outbox.Config{Batch: size, Logger: quiet}, takes{})
			if err != nil {
				b.Fatal(err)
			}
			desk.Open(b, "a")
			var rs []engine.Request
			for i := range 1000 {
				rs = append(rs, engine.Request{Machine: ticket.Machine, ID: "a", Event: "nudge", Key: engine.Key{Source: "principal:bench", Seq: fmt.Sprint(i)}})
			}
			for _, r := range desk.ApplyAll(b.Context(), rs) {
				if r.Outcome != engine.Applied {
					b.Fatal(r.Err())
				}
			}
			sent := 0
			for b.Loop() {
				if sent+size > 1000 {
					b.StopTimer()
					if err := db.Exec("UPDATE engine_messages SET status = 'pending'").Error; err != nil {
						b.Fatal(err)
					}
					sent = 0
					b.StartTimer()
				}
				if _, err := relay.Step(b.Context(), 0); err != nil {
					b.Fatal(err)
				}
				sent += size
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(size), "µs/message")
		})
	}
}
