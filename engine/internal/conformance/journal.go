package conformance

import (
	"strings"
	"testing"
	"time"

	"example.com/orderd/engine"
)

// journalTests is what the attempt journal promises.
var journalTests = map[string]func(*testing.T, *bench){
	"a refusal is durable before its answer, repeats are counted": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := keyed("a", "deliver", "1")
		r.Reason = "in a hurry"
		b.apply(t, r, want{outcome: engine.Early})
		if n := b.count(t, "engine_attempts", "subject = 'a' AND outcome = 'early' AND actor = 'tester' AND times = 1"); n != 1 {
			t.Fatalf("%d attempts after the first answer", n)
		}
		for range 4 {
			b.apply(t, r, want{outcome: engine.Early})
		}
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		b.apply(t, request("a", "load"), want{engine.Already, engine.SameState, "loaded", 2, 2})
		b.apply(t, request("a", "load"), want{engine.Already, engine.SameState, "loaded", 2, 2})
		if err := b.eng.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := b.eng.Attempts(t.Context(), "parcel", "a", engine.AttemptQuery{})
		if err != nil || len(all) != 2 {
			t.Fatalf("attempts %+v, %v", all, err)
		}
		if a := all[0]; a.Times != 5 || a.Outcome != engine.Early || a.Key.Seq != "1" || a.Reason != "in a hurry" ||
			a.State != "posted" || a.Version != 1 {
			t.Errorf("first attempt %+v", a)
		}
		if a := all[1]; a.Times != 2 || a.Outcome != engine.Already || !a.Key.IsZero() || a.ProofVersion != 2 {
			t.Errorf("second attempt %+v", a)
		}
	},
	"an unknown event of any length is journalled": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("a", engine.Event(strings.Repeat("x", 1000))), want{engine.Illegal, engine.UnknownEvent, "posted", 1, -1})
		if n := b.count(t, "engine_attempts", "subject = 'a' AND detail = 'unknown_event'"); n != 1 {
			t.Errorf("%d attempts", n)
		}
	},
	"the same question in another situation is another attempt": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("a", "deliver"), want{outcome: engine.Early})
		b.apply(t, request("a", "lose"), want{outcome: engine.Applied})
		b.apply(t, request("a", "deliver"), want{engine.Stale, engine.Passed, "lost", 2, 2})
		if n := b.count(t, "engine_attempts", "subject = 'a'"); n != 2 {
			t.Errorf("%d attempts", n)
		}
	},
	"an unknown subject and a dry run leave no attempt": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("nobody", "load"), want{outcome: engine.NotFound})
		r := request("a", "deliver")
		r.DryRun = true
		b.apply(t, r, want{outcome: engine.Early})
		if n := b.count(t, "engine_attempts", "1 = 1"); n != 0 {
			t.Errorf("%d attempts", n)
		}
	},
	"a journal that cannot be written does not change the answer": func(t *testing.T, b *bench) {
		b.at(t, "a")
		rename := func(from, to string) {
			if err := b.db.Exec("ALTER TABLE " + from + " RENAME TO " + to).Error; err != nil {
				t.Fatal(err)
			}
		}
		rename("engine_attempts", "hidden_attempts")
		b.apply(t, request("a", "deliver"), want{engine.Early, "", "posted", 1, -1})
		rename("hidden_attempts", "engine_attempts")
	},
	"attempts are kept for their retention": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("a", "deliver"), want{outcome: engine.Early})
		b.clock.Advance(89 * 24 * time.Hour)
		if n, err := b.eng.TrimAttempts(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("trimmed %d, %v", n, err)
		}
		b.clock.Advance(2 * 24 * time.Hour)
		if n, err := b.eng.TrimAttempts(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("trimmed %d, %v", n, err)
		}
	},
}
