package timer_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/timer"
)

func arm(name string, after time.Duration) wish { return wish{Name: name, After: after, Event: "ring"} }
func stop(name string) wish                     { return wish{Name: name} }

// A timer that has fired, and whose row retention has removed, is armed again in the same visit: that
// is another timer, which fires.
func TestATimerThatIsArmedAgainAfterRetentionFires(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		timers := b.timers(timer.Config{})
		b.hang("a")
		for n := range 4 {
			b.do("a", wishes{First: []wish{arm("t", time.Hour)}}, "wish")
			b.clock.Advance(2 * time.Hour)
			b.step(timers)
			if got := b.rung("a"); got != n+1 {
				t.Fatalf("armed %d times, it rang %d times", n+1, got)
			}
			b.clock.Advance(48 * time.Hour)
			if n%2 == 0 { // with its row removed, and with it still there
				if removed, err := timers.Trim(t.Context(), 24*time.Hour, 100); removed != 1 || err != nil {
					t.Fatalf("%d removed, %v", removed, err)
				}
			}
		}
	})
}

// Stopped timers are removed, too, and what a timer's own event arms is another timer.
func TestNoTwoArmingsShareAKey(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		timers := b.timers(timer.Config{})
		b.hang("a", "b")
		b.do("a", wishes{First: []wish{{Name: "t", After: time.Hour, Event: "rering"}}}, "wish")
		for n := range 5 {
			b.clock.Advance(time.Hour)
			b.step(timers)
			if got := b.rung("a"); got != n+1 {
				t.Fatalf("it rang %d times in %d hours", got, n+1)
			}
			b.do("b", wishes{First: []wish{arm("t", time.Hour)}}, "wish")
			b.do("b", wishes{First: []wish{stop("t")}}, "wish")
			if removed, err := timers.Trim(t.Context(), -time.Second, 100); removed != 1 || err != nil {
				t.Fatalf("%d removed, %v", removed, err)
			}
		}
		b.do("b", wishes{First: []wish{arm("t", 0)}}, "wish")
		b.step(timers)
		if n := b.rung("b"); n != 1 {
			t.Errorf("it rang %d times", n)
		}
	})
}

// Of all that is said about one name the last word counts: within an action, across actions, across
// transitions that are written together, and across visits.
func TestTheLastWordAboutATimerCounts(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		timers := b.timers(timer.Config{})
		random := rand.New(rand.NewPCG(1, 2))
		names := []string{"s", "t"}
		for round := range 30 {
			id := fmt.Sprint("b", round)
			b.hang(id)
			due := map[string]time.Duration{} // armed in this visit
			var said []string
			some := func() (ws []wish) {
				for range random.IntN(5) {
					w := wish{Name: names[random.IntN(len(names))]}
					if random.IntN(2) == 0 {
						w.Event, w.After = "ring", time.Duration(1+random.IntN(9))*time.Minute
						due[w.Name] = w.After
					} else {
						delete(due, w.Name)
					}
					said = append(said, fmt.Sprint(w))
					ws = append(ws, w)
				}
				return ws
			}
			var requests []engine.Request
			for range 1 + random.IntN(4) { // one subject's: they are folded
				event := engine.Event("wish")
				if random.IntN(4) == 0 {
					event = "swing"
					clear(due)
					said = append(said, "swing")
				}
				requests = append(requests, b.request(id, event, wishes{First: some(), Then: some()}))
			}
			for _, result := range b.ApplyAll(t.Context(), requests) {
				if result.Outcome != engine.Applied {
					t.Fatal(result.Err())
				}
			}
			var live []struct {
				Name  string
				DueAt time.Time
			}
			if err := b.db.Raw(`SELECT name, due_at FROM engine_timers t WHERE subject = ? AND status = 'armed' AND entered =
				(SELECT MAX(version) FROM engine_transitions h WHERE h.subject = t.subject AND from_status <> to_status)`, id).Scan(&live).Error; err != nil {
				t.Fatal(err)
			}
			if len(live) != len(due) {
				t.Fatalf("after %v: armed are %v, want %v", said, live, due)
			}
			for _, one := range live {
				if want := b.clock.Now().Truncate(time.Microsecond).Add(due[one.Name]); !one.DueAt.Equal(want) {
					t.Fatalf("after %v: %s is due at %s, want %s", said, one.Name, one.DueAt, want)
				}
			}
			b.clock.Advance(time.Hour)
			for range names { // a subject's timers fire one after the other
				b.step(timers)
			}
			if got := b.rung(id); got != len(due) {
				t.Fatalf("after %v: it rang %d times, want %d", said, got, len(due))
			}
		}
	})
}

// A state may be visited again: what a self-loop arms then belongs to the visit that goes on.
func TestATimerOfALaterVisitFires(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		b.hang("a")
		b.do("a", wishes{}, "swing", "swing", "wish", "swing", "swing", "wish")
		b.do("a", wishes{First: []wish{arm("t", time.Minute)}}, "wish")
		b.do("a", wishes{}, "wish")
		b.clock.Advance(time.Minute)
		b.step(b.timers(timer.Config{}))
		if n := b.rung("a"); n != 1 {
			t.Errorf("it rang %d times", n)
		}
	})
}

// A stopped timer stays stopped, even while a step that has seen it due is on its way.
func TestAStoppedTimerDoesNotFire(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		b.hang("a")
		b.do("a", wishes{First: []wish{arm("t", 0)}}, "wish")
		timers, err := timer.New(t.Context(), b.db, &moving{b, func() {
			b.do("a", wishes{First: []wish{stop("t")}}, "wish")
		}}, timer.Config{Now: b.clock.Now, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			b.step(timers)
		}
		if n, armed := b.rung("a"), b.count("status = 'armed'"); n != 0 || armed != 0 {
			t.Errorf("it rang %d times, %d are armed", n, armed)
		}
	})
}

// The visit of a row that was there before the engine begins with its adoption.
func TestATimerOfAnAdoptedRowFires(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		timers := b.timers(timer.Config{})
		if err := b.db.Exec("INSERT INTO bells (id, status, version, rung) VALUES ('old', 'hung', 0, 0)").Error; err != nil {
			t.Fatal(err)
		}
		b.do("old", wishes{First: []wish{arm("t", time.Minute)}}, "wish")
		b.clock.Advance(time.Minute)
		b.step(timers)
		if n := b.rung("old"); n != 1 {
			t.Errorf("it rang %d times", n)
		}
	})
}

// What may stand in a key and what may be the id of a row differ.
func TestTimersOfAnySubjectFire(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		timers := b.timers(timer.Config{})
		ids := []string{"Glocke Nr. 1", "ü/鐘/3", strings.Repeat("x", 128), "a", "a/2"}
		b.hang(ids...)
		for _, id := range ids {
			b.do(id, wishes{First: []wish{arm(strings.Repeat("t", 64), 0)}}, "wish")
		}
		for b.step(timers) {
			continue
		}
		for _, id := range ids {
			if n := b.rung(id); n != 1 {
				t.Errorf("%s rang %d times", id, n)
			}
		}
	})
}

// The clock is set back between the moment at which a timer is found due and that of its event, or
// afterwards: nothing is wrong then.
func TestAClockThatIsSetBackLeavesNoFinding(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		b.hang("a", "b")
		for _, id := range []string{"a", "b"} {
			b.do(id, wishes{First: []wish{arm("t", time.Minute)}}, "wish")
		}
		b.clock.Advance(time.Minute)
		timers, err := timer.New(t.Context(), b.db, &moving{b, func() { b.clock.Advance(-2 * time.Hour) }}, timer.Config{Now: b.clock.Now, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		b.step(timers)
		for _, id := range []string{"a", "b"} {
			if n := b.rung(id); n != 1 {
				t.Errorf("%s rang %d times", id, n)
			}
		}
		if n := b.count("status = 'fired'"); n != 2 {
			t.Errorf("%d are fired", n)
		}
	})
}

// A timer for no time, or for one that databases do not compare with, is the machine's mistake.
func TestATimerNeedsATime(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		b.hang("a")
		for year, text := range map[int]string{1: "it is zero", 1969: "the years 1970 to 9998", 9999: "the years 1970 to 9998"} {
			_, err := b.Apply(t.Context(), b.request("a", "wish", wishes{Then: []wish{{Name: "t", Event: "ring", Year: year}}}))
			if err == nil || !strings.Contains(err.Error(), "timer t: armed for ") || !strings.Contains(err.Error(), text) {
				t.Errorf("the year %d: %v", year, err)
			}
		}
		if n := b.count("1 = 1"); n != 0 {
			t.Errorf("%d timers are kept", n)
		}
		b.do("a", wishes{First: []wish{arm("t", -24*time.Hour)}}, "wish")
		b.step(b.timers(timer.Config{}))
		if n := b.rung("a"); n != 1 {
			t.Errorf("a time that has passed: it rang %d times", n)
		}
	})
}
