package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/ticket"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox is a receiver that keeps what it gets, and refuses what it is told to.
type inbox struct {
	name   string
	mu     sync.Mutex
	got    []outbox.Message
	refuse func(m outbox.Message) error
}

func (i *inbox) Name() string { return i.name }

func (i *inbox) Send(_ context.Context, ms []outbox.Message) []error {
	i.mu.Lock()
	defer i.mu.Unlock()
	errs := make([]error, len(ms))
	for n, m := range ms {
		if i.refuse != nil {
			errs[n] = i.refuse(m)
		}
		if errs[n] == nil {
			i.got = append(i.got, m)
		}
	}
	return errs
}

// types are what was received, in order, of one subject.
func (i *inbox) types(subject string) (got []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, m := range i.got {
		if m.Subject == subject {
			got = append(got, strings.TrimPrefix(m.Type, "ticket."))
		}
	}
	return got
}

type rig struct {
	*ticket.Desk
	*outbox.Relay
	*outbox.Queue
	clock *enginetest.Clock
	in    *inbox
}

var quiet = slog.New(slog.DiscardHandler)

func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		r := &rig{clock: enginetest.NewClock(), in: &inbox{name: "inbox"}}
		r.Desk = ticket.New(t, db, engine.Config{Now: r.clock.Now, Logger: quiet})
		r.Relay = r.relay(t, outbox.Config{}, r.in)
		var err error
		if r.Queue, err = outbox.NewQueue(t.Context(), db, r.clock.Now); err != nil {
			t.Fatal(err)
		}
		f(t, r)
		clean(t, db)
	})
}

func (r *rig) relay(t *testing.T, c outbox.Config, sinks ...outbox.Sink) *outbox.Relay {
	t.Helper()
	c.Now, c.Logger = r.clock.Now, quiet
	relay, err := outbox.NewRelay(t.Context(), r.DB, c, sinks...)
	if err != nil {
		t.Fatal(err)
	}
	return relay
}

func clean(t *testing.T, db *gorm.DB) {
	t.Helper()
	report, err := verify.Run(context.Background(), db, verify.Options{Machines: []engine.AnyMachine{ticket.Definition()}})
	if err != nil || report.Total > 0 {
		t.Errorf("verify: %v %+v", err, report.Findings)
	}
}

// drain runs steps until a step says that there is no more.
func drain(t *testing.T, relay *outbox.Relay) {
	t.Helper()
	for range 1000 {
		more, err := relay.Step(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("there is more and more to send")
}

func TestEveryMessageIsSentOnceInItsOrder(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a", "b")
		r.Do(t, "a", "nudge", "close", "reopen")
		drain(t, r.Relay)
		drain(t, r.Relay)
		if got := r.in.types("a"); !slices.Equal(got, []string{"opened", "nudged", "closed", "reopened"}) {
			t.Errorf("a: %v", got)
		}
		if got := r.in.types("b"); !slices.Equal(got, []string{"opened"}) {
			t.Errorf("b: %v", got)
		}
		if n := r.Count(t, "engine_messages", "status = 'sent' AND tries = 1 AND sent_at IS NOT NULL"); n != 5 {
			t.Errorf("%d are sent", n)
		}
	})
}

// The envelope is a CloudEvent 1.0 whose id is the same in every try, and tells where the message is.
func TestTheEnvelope(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a/1.x")
		drain(t, r.Relay)
		m := r.in.got[0]
		var event map[string]any
		if err := json.Unmarshal(m.Event("/tickets"), &event); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]any{
			"specversion": "1.0", "id": m.ID, "source": "/tickets", "type": "ticket.opened", "subject": "a/1.x",
			"datacontenttype": "application/json", "ticketversion": 1.0, "time": m.At.Format("2006-01-02T15:04:05.000000Z"),
		} {
			if event[name] != want {
				t.Errorf("%s is %v, want %v", name, event[name], want)
			}
		}
		if data := event["data"].(map[string]any); data["id"] != "a/1.x" {
			t.Errorf("data %v", data)
		}
		if strings.ContainsAny(m.ID, ". ") || len(event) != 9 {
			t.Errorf("id %q, %d attributes", m.ID, len(event))
		}
		found, err := r.Get(t.Context(), m.ID)
		if err != nil || found.ID != m.ID || found.Status != outbox.Sent {
			t.Errorf("%+v, %v", found, err)
		}
		for _, id := range []string{"", "msg_", "msg_AAAA", m.ID + "A", strings.ToUpper(m.ID), "x" + m.ID} {
			if _, err := r.Get(t.Context(), id); !errors.Is(err, outbox.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
}

// A message that fails waits longer each time, holds up nobody, and is parked in the end.
func TestAPoisonedMessageIsParkedAndBlocksNobody(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var told []string
		relay := r.relay(t, outbox.Config{Tries: 4, Rand: func() float64 { return 0 }, Parked: func(m outbox.Message) {
			told = append(told, m.ID)
		}}, r.in)
		r.in.refuse = func(m outbox.Message) error {
			if m.Type == "ticket.nudged" {
				return errors.New("not this one")
			}
			return nil
		}
		r.Open(t, "a", "b")
		r.Do(t, "a", "nudge", "close")
		drain(t, relay)
		if got := r.in.types("a"); !slices.Equal(got, []string{"opened", "closed"}) {
			t.Errorf("a: %v", got)
		}
		for i, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			if n := r.Count(t, "engine_messages", "status = 'retrying' AND tries = ? AND problem LIKE '%not this one%'", i+1); n != 1 {
				t.Fatalf("try %d: %d messages wait", i+1, n)
			}
			r.clock.Advance(pause - time.Microsecond)
			drain(t, relay)
			if n := r.Count(t, "engine_messages", "tries = ?", i+1); n == 0 {
				t.Fatalf("try %d was too early", i+2)
			}
			r.clock.Advance(time.Microsecond)
			drain(t, relay)
		}
		parked, err := r.List(t.Context(), outbox.Filter{Status: outbox.Parked})
		if err != nil || len(parked.Messages) != 1 || parked.Messages[0].Tries != 4 || !strings.Contains(parked.Messages[0].Problem, "not this one") {
			t.Fatalf("%+v, %v", parked, err)
		}
		r.clock.Advance(24 * time.Hour)
		drain(t, relay)
		if !slices.Equal(told, []string{parked.Messages[0].ID}) {
			t.Errorf("told of %v", told)
		}
		r.in.refuse = nil
		id := parked.Messages[0].ID
		if done, err := r.Retry(t.Context(), id); !done || err != nil {
			t.Errorf("%v, %v", done, err)
		}
		drain(t, relay)
		if done, err := r.Retry(t.Context(), id); done || err != nil {
			t.Errorf("a second retry: %v, %v", done, err)
		}
		if got := r.in.types("a"); !slices.Equal(got, []string{"opened", "closed", "nudged"}) {
			t.Errorf("a: %v", got)
		}
	})
}

// Of two sinks one fails: the other does not get the message again.
func TestASinkThatHasAMessageDoesNotGetItAgain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		down := &inbox{name: "down", refuse: func(outbox.Message) error { return errors.New("down") }}
		relay := r.relay(t, outbox.Config{}, r.in, down)
		r.Open(t, "a")
		for range 3 {
			drain(t, relay)
			r.clock.Advance(time.Minute)
		}
		down.refuse = nil
		drain(t, relay)
		if a, b := r.in.types("a"), down.types("a"); len(a) != 1 || len(b) != 1 {
			t.Errorf("%v, %v", a, b)
		}
		if n := r.Count(t, "engine_messages", "status = 'sent' AND tries = 4"); n != 1 {
			t.Errorf("%d are sent", n)
		}
	})
}

// brokenSink panics, or forgets messages.
type brokenSink struct{ answers int }

func (brokenSink) Name() string { return "broken" }

func (b brokenSink) Send(context.Context, []outbox.Message) []error {
	if b.answers < 0 {
		panic("on purpose")
	}
	return make([]error, b.answers)
}

func TestABrokenSinkLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a", "b")
		for _, answers := range []int{-1, 0, 1, 3} {
			drain(t, r.relay(t, outbox.Config{}, brokenSink{answers}))
			if n := r.Count(t, "engine_messages", "status = 'retrying'"); n != 2 {
				t.Fatalf("%d wait", n)
			}
			r.clock.Advance(time.Hour)
		}
		drain(t, r.Relay)
		if len(r.in.got) != 2 {
			t.Errorf("%d were received", len(r.in.got))
		}
	})
}

// A process whose clock is ahead writes; what it wrote neither waits nor changes the order.
func TestClocksThatDifferChangeNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.clock.Advance(time.Hour)
		r.Open(t, "a")
		r.clock.Advance(-time.Hour) // stepped back
		r.Do(t, "a", "nudge", "close")
		for range 4 {
			drain(t, r.relay(t, outbox.Config{Batch: 2}, r.in))
		}
		if got := r.in.types("a"); !slices.Equal(got, []string{"opened", "nudged", "closed"}) {
			t.Errorf("a: %v", got)
		}
	})
}

// A relay that lost its lease while it was sending notes nothing, and its successor sends again: at
// least once, under the same id.
func TestALateRelayNotesNothing(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		if err := r.DB.Exec("INSERT INTO engine_leases (name, owner, fence, until_at) VALUES ('outbox', 'me', 1, 0)").Error; err != nil {
			t.Fatal(err)
		}
		stolen := false
		r.in.refuse = func(outbox.Message) error {
			if !stolen {
				stolen = true
				return r.DB.Exec("UPDATE engine_leases SET fence = 2").Error
			}
			return nil
		}
		r.Open(t, "a")
		if _, err := r.Step(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if n := r.Count(t, "engine_messages", "status = 'pending'"); n != 1 {
			t.Fatalf("%d are pending", n)
		}
		if _, err := r.Step(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if len(r.in.got) != 2 || r.in.got[0].ID != r.in.got[1].ID {
			t.Errorf("%+v", r.in.got)
		}
		if n := r.Count(t, "engine_messages", "status = 'sent'"); n != 1 {
			t.Errorf("%d are sent", n)
		}
	})
}

// Told to stop, a relay notes what was sent and blames nobody for the rest.
func TestAStoppedRelayBlamesNobody(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a", "b")
		ctx, stop := context.WithCancel(t.Context())
		first := true
		r.in.refuse = func(outbox.Message) error {
			if first {
				first = false
				return nil
			}
			stop()
			return ctx.Err()
		}
		if _, err := r.Step(ctx, 0); err != nil {
			t.Fatal(err)
		}
		if s, p := r.Count(t, "engine_messages", "status = 'sent'"), r.Count(t, "engine_messages", "status = 'pending' AND tries = 0"); s != 1 || p != 1 {
			t.Errorf("%d sent, %d pending", s, p)
		}
	})
}

// Transactions commit in another order than they began; every message is sent, those of a subject in
// order, though relays stop and start and receivers fail at random.
func TestNothingIsLostInAStorm(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		const subjects, moves = 12, 20
		dice := rand.New(rand.NewPCG(1, 2))
		tried := map[string]int{}
		lastFirst := map[string]int64{}
		r.in.refuse = func(m outbox.Message) error { // under the inbox's lock
			if tried[m.ID]++; tried[m.ID] == 1 {
				if m.Version < lastFirst[m.Subject] {
					t.Errorf("the first try of %s %d came after that of %d", m.Subject, m.Version, lastFirst[m.Subject])
				}
				lastFirst[m.Subject] = m.Version
			}
			if dice.IntN(3) == 0 {
				return errors.New("not now")
			}
			return nil
		}
		var all sync.WaitGroup
		for s := range subjects {
			id := fmt.Sprint("s", s)
			r.Open(t, id)
			all.Go(func() {
				for i := range moves {
					key := engine.Key{Source: "principal:storm", Seq: fmt.Sprint(id, "/", i)}
					if _, err := r.Apply(t.Context(), engine.Request{Machine: ticket.Machine, ID: id, Event: "nudge", Key: key}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { all.Wait(); close(done) }()
		relay := r.relay(t, outbox.Config{Batch: 7, Tries: 100}, r.in)
		for working := true; working; {
			select {
			case <-done:
				working = false
			default:
			}
			if _, err := relay.Step(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		for range 200 {
			r.clock.Advance(time.Hour)
			drain(t, relay)
		}
		if n := r.Count(t, "engine_messages", "status <> 'sent'"); n != 0 {
			t.Errorf("%d are not sent", n)
		}
		if len(r.in.got) != subjects*(moves+1) {
			t.Errorf("%d were received, want %d", len(r.in.got), subjects*(moves+1))
		}
	})
}

func TestMessagesAreListedPageByPage(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a", "b", "c")
		r.Do(t, "a", "nudge", "nudge", "close")
		if _, err := r.relay(t, outbox.Config{Batch: 2}, r.in).Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		var all []string
		f := outbox.Filter{Limit: 2}
		for range 10 {
			page, err := r.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page.Messages {
				all = append(all, m.ID)
			}
			if f.Cursor = page.NextCursor; f.Cursor == "" {
				break
			}
		}
		slices.Sort(all)
		if len(all) != 6 || len(slices.Compact(all)) != 6 {
			t.Errorf("%v", all)
		}
		for _, c := range []struct {
			f    outbox.Filter
			want int
		}{
			{outbox.Filter{Subject: "a", Machine: ticket.Machine}, 4}, {outbox.Filter{Type: "ticket.opened"}, 3}, {outbox.Filter{Status: outbox.Sent}, 2},
			{outbox.Filter{From: r.clock.Now().Add(time.Second)}, 0}, {outbox.Filter{To: r.clock.Now().Add(time.Second)}, 6}, {outbox.Filter{Subject: "é"}, 0},
		} {
			page, err := r.List(t.Context(), c.f)
			if err != nil || len(page.Messages) != c.want {
				t.Errorf("%+v: %d messages, %v", c.f, len(page.Messages), err)
			}
		}
		for _, f := range []outbox.Filter{
			{Limit: -1}, {Limit: 201}, {Status: "odd"}, {Cursor: "x"}, {Cursor: "eyJhIjoxfQ"}, {Cursor: strings.Repeat("A", 2000)},
			{From: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)}, {To: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)},
		} {
			if _, err := r.List(t.Context(), f); !errors.Is(err, engine.ErrBadRequest) {
				t.Errorf("%+v: %v", f, err)
			}
		}
		backlog, err := r.Backlog(t.Context())
		if err != nil || backlog.Pending != 4 || backlog.Oldest == nil {
			t.Errorf("%+v, %v", backlog, err)
		}
	})
}

func TestReplay(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		began := r.clock.Now()
		r.Open(t, "a", "b")
		r.clock.Advance(time.Minute)
		r.Do(t, "a", "nudge")
		drain(t, r.Relay)
		r.clock.Advance(time.Minute)
		if _, err := r.Replay(t.Context(), outbox.Filter{}, 10); !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("everything at once: %v", err)
		}
		if n, err := r.Replay(t.Context(), outbox.Filter{Machine: ticket.Machine, Subject: "a"}, 10); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		drain(t, r.Relay)
		r.clock.Advance(time.Minute)
		if n, err := r.Replay(t.Context(), outbox.Filter{From: began, To: began.Add(time.Second)}, 10); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		drain(t, r.Relay)
		if a, b := r.in.types("a"), r.in.types("b"); len(a) != 5 || len(b) != 2 {
			t.Errorf("a %v, b %v", a, b)
		}
	})
}

// After a long outage everything that was given up is tried again at once; a sink that has it already
// does not get it again.
func TestParkedMessagesAreReplayed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		down := &inbox{name: "down", refuse: func(outbox.Message) error { return errors.New("down") }}
		relay := r.relay(t, outbox.Config{Tries: 1}, r.in, down)
		r.Open(t, "a", "b", "c")
		drain(t, relay)
		r.clock.Advance(time.Minute)
		down.refuse = nil
		if n, err := r.Replay(t.Context(), outbox.Filter{Status: outbox.Parked}, 2); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		drain(t, relay)
		if n, err := r.Replay(t.Context(), outbox.Filter{Status: outbox.Parked}, 100); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		drain(t, relay)
		if len(r.in.got) != 3 || len(down.got) != 3 {
			t.Errorf("%d and %d were received", len(r.in.got), len(down.got))
		}
		if _, err := r.Replay(t.Context(), outbox.Filter{Status: outbox.Pending}, 1); !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("%v", err)
		}
	})
}

// Old messages go, with a mark that lets verify tell what was removed from what was lost.
func TestOldMessagesAreRemoved(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a")
		drain(t, r.Relay)
		r.in.refuse = func(outbox.Message) error { return errors.New("down") }
		r.Open(t, "b")
		drain(t, r.Relay)
		r.clock.Advance(48 * time.Hour)
		r.Do(t, "a", "nudge")
		if n, err := r.Trim(t.Context(), 24*time.Hour, 100); n != 1 || err != nil {
			t.Fatalf("%d removed, %v", n, err)
		}
		if n, err := r.Trim(t.Context(), 24*time.Hour, 100); n != 0 || err != nil {
			t.Fatalf("%d removed again, %v", n, err)
		}
		clean(t, r.DB)
		r.damaged(t, "engine_messages", "DELETE FROM engine_messages WHERE subject = 'a' AND version = 2")
	})
}

// Retention says how far it has come and how much it has removed. What something else has removed from
// the same time is missed all the same, and its mark cannot be moved to hide anything.
func TestRetentionHidesNoOtherLoss(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for _, id := range []string{"a", "b", "c"} {
			r.Open(t, id)
		}
		drain(t, r.Relay)
		r.clock.Advance(48 * time.Hour)
		r.Open(t, "d")
		if n, err := r.Trim(t.Context(), 24*time.Hour, 1); n != 1 || err != nil {
			t.Fatalf("%d removed, %v", n, err)
		}
		clean(t, r.DB)
		r.damaged(t, "engine_messages", "DELETE FROM engine_messages WHERE subject = 'b'", "DELETE FROM engine_messages WHERE subject = 'c'")
		for _, damage := range []string{
			"UPDATE engine_watermarks SET at = (SELECT MAX(at) FROM engine_transitions)", "UPDATE engine_watermarks SET gone = gone + 1",
			"UPDATE engine_watermarks SET gone = 0", "UPDATE engine_watermarks SET name = 'other'", "DELETE FROM engine_watermarks",
		} {
			r.damaged(t, "engine_watermarks", damage)
		}
		if n, err := r.Trim(t.Context(), 24*time.Hour, 100); n != 2 || err != nil {
			t.Fatalf("%d removed, %v", n, err)
		}
	})
}

// A message that nobody has sent, or that was changed on its way, is found.
func TestDamagedMessagesAreFound(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "sent")
		drain(t, r.Relay)
		r.in.refuse = func(outbox.Message) error { return errors.New("down") }
		r.Open(t, "retrying")
		drain(t, r.Relay)
		r.Open(t, "pending")
		clean(t, r.DB)
		for _, damage := range []string{
			"UPDATE engine_messages SET status = 'sent'",
			"UPDATE engine_messages SET status = 'sent', sent_at = next_at WHERE subject = 'pending'",
			"UPDATE engine_messages SET status = 'retrying' WHERE subject = 'pending'",
			"UPDATE engine_messages SET status = 'pending' WHERE subject = 'sent'",
			"UPDATE engine_messages SET data = '{}' WHERE subject = 'sent'",
			"UPDATE engine_messages SET type = 'other' WHERE subject = 'retrying'",
		} {
			r.damaged(t, "engine_messages", damage)
		}
	})
}

// damaged does some damage to a table, expects verify to find it, and mends it.
func (r *rig) damaged(t *testing.T, table string, damage ...string) {
	t.Helper()
	for _, query := range append([]string{"CREATE TABLE kept AS SELECT * FROM " + table}, damage...) {
		if err := r.DB.Exec(query).Error; err != nil {
			t.Fatal(err)
		}
	}
	report, err := verify.Run(t.Context(), r.DB, verify.Options{Machines: []engine.AnyMachine{ticket.Definition()}})
	if err != nil || report.Total == 0 {
		t.Errorf("%q is not found: %v", damage, err)
	}
	for _, query := range []string{"DELETE FROM " + table, "INSERT INTO " + table + " SELECT * FROM kept", "DROP TABLE kept"} {
		if err := r.DB.Exec(query).Error; err != nil {
			t.Fatal(err)
		}
	}
}
