package timer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/timer"
)

// due arms a timer for each of some bells, all of them due now, in the order of the bells.
func (b *belfry) due(event engine.Event, ids ...string) {
	b.t.Helper()
	b.hang(ids...)
	for _, id := range ids {
		b.do(id, wishes{First: []wish{{Name: "t", Event: event}}}, "wish")
		b.clock.Advance(time.Millisecond)
	}
}

func ids(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%02d", prefix, i))
	}
	return all
}

// Whatever is wrong with the timers before it, and however many there are: a good timer has its turn, the
// bad ones are noted, wait longer each time, and are parked.
func TestATimerThatFailsDoesNotHeadTheQueue(t *testing.T) {
	for event, problem := range map[engine.Event]string{
		"crack": "it is cracked",    // its guard panics
		"creak": "an odd sound",     // its action fails, with a text that no database takes
		"block": "was not answered", // its SQL fails
		"melt":  "key_reused",       // somebody else has used its key
	} {
		t.Run(string(event), func(t *testing.T) {
			eachBelfry(t, func(t *testing.T, b *belfry) {
				b.block = func(context.Context) error { return errors.New("was not answered") }
				timers := b.timers(timer.Config{Batch: 10, Tries: 4, Rand: func() float64 { return 0 }})
				bad := ids("bad", 25)
				b.due(event, bad...)
				b.due("ring", "good")
				if event == "melt" {
					for _, id := range bad {
						r := b.request(id, "ring", wishes{})
						r.Key = engine.TimerKey(bellMachine, id, 1, "t", 2)
						if _, err := b.Apply(t.Context(), r); err != nil {
							t.Fatal(err)
						}
					}
				}
				for range 3 {
					b.step(timers)
				}
				if n := b.rung("good"); n != 1 {
					t.Fatalf("the good one rang %d times", n)
				}
				for tries, pause := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second} {
					b.clock.Advance(pause)
					for range 3 {
						b.step(timers)
					}
					if n := b.count("subject LIKE 'bad%' AND tries = ? AND problem LIKE ?", tries+1, "%"+problem+"%"); n != 25 {
						t.Fatalf("%d were tried %d times", n, tries+1)
					}
				}
				if n := b.count("status = 'parked'"); n != 25 {
					t.Errorf("%d are parked", n)
				}
				b.clock.Advance(1000 * time.Hour)
				if b.step(timers); b.count("tries = 4") != 25 {
					t.Errorf("they are tried again")
				}
				if removed, err := timers.Trim(t.Context(), time.Hour, 1000); removed != 1 || err != nil {
					t.Errorf("%d removed, %v", removed, err)
				}
			})
		})
	}
}

// ending is a context that a test ends in one way or the other.
type ending struct {
	context.Context
	done chan struct{}
	err  error // set before done is closed
}

func (e *ending) Done() <-chan struct{} { return e.done }

func (e *ending) Err() error {
	select {
	case <-e.done:
		return e.err
	default:
		return nil
	}
}

// stalling answers for the events ring; while it is asked for another, its caller's time ends.
type stalling struct{ *belfry }

func (s stalling) ApplyAll(ctx context.Context, rs []engine.Request) (results []engine.Result) {
	for _, r := range rs {
		if r.Event == "ring" {
			results = append(results, s.belfry.ApplyAll(context.WithoutCancel(ctx), []engine.Request{r})...)
			continue
		}
		if ctx.Err() == nil {
			close(ctx.(*ending).done)
		}
		results = append(results, engine.Failed(r, fmt.Errorf("ring the bell: %w", ctx.Err())))
	}
	return results
}

// A step that is told to end notes what it knows, and blames no timer for what it does not know. One
// whose time is up blames those it was waiting for: they would take all of the next one's time, too.
func TestAStepThatEndsEarlyNotesWhatItKnows(t *testing.T) {
	for end, tries := range map[error]int{context.Canceled: 0, context.DeadlineExceeded: 1} {
		eachBelfry(t, func(t *testing.T, b *belfry) {
			b.due("ring", "good")
			b.due("block", "hangs", "waits")
			timers, err := timer.New(t.Context(), b.db, stalling{b}, timer.Config{Now: b.clock.Now, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := timers.Step(&ending{Context: t.Context(), done: make(chan struct{}), err: end}, 0); (err == nil) != (tries > 0) {
				t.Errorf("%v: %v", end, err)
			}
			if fired, tried := b.count("status = 'fired' AND subject = 'good'"), b.count("status = 'armed' AND tries = ?", tries); fired != 1 || tried != 2 {
				t.Errorf("%v: %d are noted as fired, %d as tried %d times", end, fired, tried, tries)
			}
		})
	}
}

// away is an engine that cannot be asked about some subjects.
type away struct {
	*belfry
	subjects string
}

func (a away) ApplyAll(ctx context.Context, rs []engine.Request) (results []engine.Result) {
	for _, r := range rs {
		if strings.HasPrefix(r.ID, a.subjects) {
			results = append(results, engine.Result{Outcome: engine.Unavailable, Machine: r.Machine, ID: r.ID, Event: r.Event})
		} else {
			results = append(results, a.belfry.ApplyAll(ctx, []engine.Request{r})...)
		}
	}
	return results
}

// A timer that nobody could be asked about is not to blame, and yet does not stand in the way.
func TestATimerThatNobodyCouldBeAskedAboutGoesBackUnblamed(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		b.due("ring", ids("away", 10)...)
		b.due("ring", "good")
		timers, err := timer.New(t.Context(), b.db, away{b, "away"}, timer.Config{Batch: 10, Now: b.clock.Now, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			if _, err := timers.Step(t.Context(), 0); n%2 == 0 && !errors.Is(err, engine.ErrUnavailable) {
				t.Fatalf("step %d: %v", n, err)
			}
			if n%2 == 1 {
				b.clock.Advance(time.Second)
			}
		}
		if n := b.rung("good"); n != 1 {
			t.Errorf("the good one rang %d times", n)
		}
		if n := b.count("status = 'armed' AND tries = 0 AND problem LIKE '%unavailable%'"); n != 10 {
			t.Errorf("%d wait", n)
		}
	})
}

// Parked timers are listed, page by page, and tried again when somebody asks for it.
func TestParkedTimersAreListedAndTriedAgain(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		timers := b.timers(timer.Config{Tries: 1})
		queue, err := timer.NewQueue(t.Context(), b.db, b.clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		fails := true
		b.block = func(context.Context) error {
			if fails {
				return errors.New("not today")
			}
			return nil
		}
		b.due("block", ids("bad/ü", 5)...)
		b.due("ring", "good")
		b.hang("later")
		b.do("later", wishes{First: []wish{arm("t", time.Hour)}}, "wish")
		b.step(timers)
		seen := map[string]timer.Timer{}
		f := timer.Filter{Status: timer.Parked, Limit: 2}
		for range 3 {
			page, err := queue.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range page.Timers {
				seen[one.ID] = one
			}
			f.Cursor = page.NextCursor
		}
		if len(seen) != 5 || f.Cursor != "" {
			t.Fatalf("%v, then %q", seen, f.Cursor)
		}
		if page, err := queue.List(t.Context(), timer.Filter{}); err != nil || len(page.Timers) != 7 || page.Timers[0].Subject != "later" {
			t.Errorf("%+v, %v", page, err)
		}
		fails = false
		for id, one := range seen {
			if one.Tries != 1 || !strings.Contains(one.Problem, "not today") || one.Event != "block" || one.Name != "t" {
				t.Errorf("%+v", one)
			}
			for _, want := range []bool{true, false} {
				if done, err := queue.Retry(t.Context(), id); done != want || err != nil {
					t.Errorf("%v, %v", done, err)
				}
			}
		}
		page, err := queue.List(t.Context(), timer.Filter{Subject: "later"})
		if err != nil || len(page.Timers) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		if done, err := queue.Retry(t.Context(), page.Timers[0].ID); done || err != nil {
			t.Errorf("one that is not due: %v, %v", done, err)
		}
		b.step(timers)
		if fired, armed := b.count("status = 'fired'"), b.count("status = 'armed'"); fired != 6 || armed != 1 {
			t.Errorf("%d fired, %d armed", fired, armed)
		}
		for _, id := range []string{"", "tmr_", "tmr_YQ", page.Timers[0].ID + "A"} {
			if _, err := queue.Retry(t.Context(), id); !errors.Is(err, timer.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		for _, f := range []timer.Filter{{Limit: -1}, {Limit: 201}, {Status: "odd"}, {Cursor: "é"}, {Cursor: "e30"}} {
			if _, err := queue.List(t.Context(), f); !errors.Is(err, engine.ErrBadRequest) {
				t.Errorf("%+v: %v", f, err)
			}
		}
	})
}

// A parked timer ends as others do: its name may be stopped, or armed anew.
func TestAParkedTimerIsStoppedOrReplaced(t *testing.T) {
	eachBelfry(t, func(t *testing.T, b *belfry) {
		timers := b.timers(timer.Config{Tries: 1})
		b.due("crack", "stopped", "replaced")
		b.step(timers)
		b.do("stopped", wishes{First: []wish{stop("t")}}, "wish")
		b.do("replaced", wishes{First: []wish{arm("t", 0)}}, "wish")
		b.step(timers)
		if n, rung := b.count("status = 'stopped' AND subject = 'stopped'"), b.rung("replaced"); n != 1 || rung != 1 {
			t.Errorf("%d are stopped, it rang %d times", n, rung)
		}
	})
}
