package timer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/ticket"
	"example.com/orderd/engine/timer"
	"example.com/orderd/engine/verify"
)

// rig is timers beside a desk of tickets, on a clock of their own.
type rig struct {
	*ticket.Desk
	*timer.Timers
	clock *enginetest.Clock
	late  []time.Duration
}

func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		r := &rig{clock: enginetest.NewClock()}
		r.Desk = ticket.New(t, db, engine.Config{Now: r.clock.Now, Logger: quiet})
		r.Timers = r.another(t, r.Desk)
		f(t, r)
		clean(t, db)
	})
}

var quiet = slog.New(slog.DiscardHandler)

func (r *rig) another(t *testing.T, to engine.Applier) *timer.Timers {
	t.Helper()
	var mu sync.Mutex
	timers, err := timer.New(t.Context(), r.DB, to, timer.Config{Now: r.clock.Now, Logger: quiet, Fired: func(event string, late time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		r.late = append(r.late, late)
	}})
	if err != nil {
		t.Fatal(err)
	}
	return timers
}

func clean(t *testing.T, db *gorm.DB) {
	t.Helper()
	report, err := verify.Run(context.Background(), db, verify.Options{Machines: []engine.AnyMachine{ticket.Definition()}})
	if err != nil || report.Total > 0 {
		t.Errorf("verify: %v %+v", err, report.Findings)
	}
}

// step runs steps until there is nothing more to do now.
func (r *rig) step(t *testing.T, timers *timer.Timers) {
	t.Helper()
	for range 100 {
		more, err := timers.Step(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("there is more and more to do")
}

func TestATimerFiresOnceWhenItIsDue(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a")
		r.clock.Advance(ticket.Life - time.Microsecond)
		r.step(t, r.Timers)
		if s := r.State(t, "a"); s != "open" {
			t.Fatalf("it fired early: %s", s)
		}
		r.clock.Advance(3 * time.Microsecond)
		for range 3 {
			r.step(t, r.Timers)
		}
		if s := r.State(t, "a"); s != "expired" {
			t.Fatalf("it did not fire: %s", s)
		}
		if n := r.Count(t, "engine_timers", "status = 'fired'"); n != 1 || len(r.late) != 1 || r.late[0] != 2*time.Microsecond {
			t.Errorf("%d fired, late by %v", n, r.late)
		}
		h, err := r.History(t.Context(), ticket.Machine, "a", engine.HistoryQuery{})
		if err != nil || len(h) != 2 || h[1].Key.Source != "system:timer" || h[1].Actor != "system:timer" {
			t.Errorf("history %+v, %v", h, err)
		}
	})
}

// A timer belongs to one visit: a later visit of the same state does not meet it, a self-loop neither
// ends nor prolongs it, and arming it anew in the visit moves it.
func TestATimerBelongsToAVisit(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "left", "back", "looped", "again")
		r.clock.Advance(ticket.Life / 2)
		r.Do(t, "left", "close")
		r.Do(t, "back", "close", "reopen")
		r.Do(t, "looped", "nudge", "nudge")
		r.Do(t, "again", "again")
		r.clock.Advance(ticket.Life/2 + time.Second)
		r.step(t, r.Timers)
		for id, want := range map[string]engine.State{"left": "closed", "back": "open", "looped": "expired", "again": "open"} {
			if s := r.State(t, id); s != want {
				t.Errorf("%s is %s, want %s", id, s, want)
			}
		}
		if n := r.Count(t, "engine_timers", "status = 'stopped'"); n != 2 {
			t.Errorf("%d timers of ended visits are stopped, want 2", n)
		}
		r.clock.Advance(ticket.Life)
		r.step(t, r.Timers)
		for _, id := range []string{"back", "again"} {
			if s := r.State(t, id); s != "expired" {
				t.Errorf("%s is %s", id, s)
			}
		}
	})
}

// moving lets somebody move the subjects between the look at their visits and the request.
type moving struct {
	engine.Applier
	move func()
}

func (m *moving) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	if m.move != nil {
		m.move()
		m.move = nil
	}
	return m.Applier.ApplyAll(ctx, rs)
}

func TestASubjectThatMovesMeanwhileIsLookedAtAgain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "back", "looped")
		r.clock.Advance(ticket.Life + time.Second)
		timers := r.another(t, &moving{r.Desk, func() {
			r.Do(t, "back", "close", "reopen")
			r.Do(t, "looped", "nudge")
		}})
		r.step(t, timers)
		if a, b := r.State(t, "back"), r.State(t, "looped"); a != "open" || b != "open" {
			t.Fatalf("fired at a version that nobody looked at: %s, %s", a, b)
		}
		r.step(t, timers)
		if a, b := r.State(t, "back"), r.State(t, "looped"); a != "open" || b != "expired" {
			t.Fatalf("%s, %s", a, b)
		}
	})
}

func TestARefusedTimerIsTriedAgainLater(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a", "b")
		r.Do(t, "a", "jam")
		r.clock.Advance(ticket.Life)
		for range 5 {
			r.step(t, r.Timers)
		}
		if a, b := r.State(t, "a"), r.State(t, "b"); a != "open" || b != "expired" {
			t.Fatalf("%s, %s", a, b)
		}
		if n := r.Count(t, "engine_timers", "status = 'armed' AND tries = 1 AND problem LIKE '%jammed%'"); n != 1 {
			t.Errorf("%d timers were refused once", n)
		}
		r.Do(t, "a", "free")
		r.clock.Advance(2 * time.Minute)
		r.step(t, r.Timers)
		if s := r.State(t, "a"); s != "expired" {
			t.Errorf("it is %s", s)
		}
	})
}

// An engine that is closed is nobody's fault: its timers wait for the next one, and the step says why.
func TestTimersOfAClosedEngineWait(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a")
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(ticket.Life + time.Second)
		if _, err := r.Step(t.Context(), 0); !errors.Is(err, engine.ErrClosed) || !errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("a step: %v, want ErrClosed", err)
		}
		if n := r.Count(t, "engine_timers", "status = 'armed' AND tries = 0"); n != 1 {
			t.Errorf("%d timers wait unblamed, want 1", n)
		}
		next, err := engine.New(r.DB, engine.Config{Now: r.clock.Now, Logger: quiet}, ticket.Definition())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = next.Close(context.Background()) }()
		r.clock.Advance(time.Hour)
		r.step(t, r.another(t, next))
		if s := r.State(t, "a"); s != "expired" {
			t.Errorf("with the next engine it is %s, want expired", s)
		}
	})
}

// A crash after the transition and before the note: the next process finds out what happened.
func TestAFireThatWasNotNotedIsNotedLater(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "fired", "same")
		r.clock.Advance(ticket.Life)
		if err := r.DB.Exec("INSERT INTO engine_leases (name, owner, fence, until_at) VALUES ('timer', 'another', 7, 0)").Error; err != nil {
			t.Fatal(err)
		}
		if _, err := r.Step(t.Context(), 6); err != nil { // fires, but another has taken over
			t.Fatal(err)
		}
		if s, n := r.State(t, "fired"), r.Count(t, "engine_timers", "status = 'armed'"); s != "expired" || n != 2 {
			t.Fatalf("%s, %d armed", s, n)
		}
		if _, err := r.Step(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		if n := r.Count(t, "engine_timers", "status = 'fired'"); n != 2 {
			t.Errorf("%d are fired", n)
		}
		if len(r.late) != 2 {
			t.Errorf("%d fires were told of", len(r.late))
		}
	})
}

// Several processes fire at once: each timer causes one transition, and soon.
func TestManyTimersAtOnce(t *testing.T) {
	const n = 600
	each(t, func(t *testing.T, r *rig) {
		b, err := batch.New(r.Desk, batch.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = b.Close(context.Background()) }()
		var all sync.WaitGroup
		for worker := range 50 {
			all.Go(func() {
				for i := range n / 50 {
					row := &ticket.Ticket{ID: fmt.Sprintf("t%d-%d", worker, i)}
					if _, err := engine.Create(t.Context(), b, row, engine.Request{Machine: ticket.Machine, Event: "open"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		r.clock.Advance(ticket.Life)
		for range 3 {
			timers := r.another(t, b)
			all.Go(func() { r.step(t, timers) })
		}
		all.Wait()
		r.step(t, r.Timers) // what one saw while another was firing it
		if e, f := r.Count(t, "tickets", "status = 'expired'"), r.Count(t, "engine_timers", "status = 'fired'"); e != n || f != n {
			t.Errorf("%d expired, %d fired", e, f)
		}
		if len(r.late) != n {
			t.Errorf("%d fires were told of", len(r.late))
		}
	})
}

func TestOldTimersAreRemoved(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a", "b", "c")
		r.Do(t, "b", "close")
		r.Do(t, "c", "jam")
		r.clock.Advance(ticket.Life)
		r.step(t, r.Timers)
		r.clock.Advance(24 * time.Hour)
		if n, err := r.Trim(t.Context(), 25*time.Hour, 100); n != 0 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
		if n, err := r.Trim(t.Context(), 23*time.Hour, 100); n != 2 || err != nil {
			t.Errorf("%d removed, %v", n, err)
		}
		if n := r.Count(t, "engine_timers", "1 = 1"); n != 1 {
			t.Errorf("%d are left, want the armed one", n)
		}
	})
}
