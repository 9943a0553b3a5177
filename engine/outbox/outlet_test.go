package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderd/engine/outbox"
)

// hanging is a sink that does not answer until its time is over, or not even then.
type hanging struct {
	name  string
	calls *atomic.Int32
	let   chan struct{} // nil: it minds its time
}

func (h hanging) Name() string { return h.name }

func (h hanging) Send(ctx context.Context, ms []outbox.Message) []error {
	h.calls.Add(1)
	if h.let == nil {
		<-ctx.Done()
	} else {
		<-h.let
	}
	errs := make([]error, len(ms))
	for i := range errs {
		errs[i] = errors.New("too late")
	}
	return errs
}

// Sinks get a batch side by side: one that hangs takes nobody's time but its own. It is given a rest then,
// which costs the messages that wait for it no try, and those beside it no timeout.
func TestSinksThatHangHoldUpNobody(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var calls atomic.Int32
		let := make(chan struct{})
		sinks := []outbox.Sink{}
		for i := range 4 {
			h := hanging{name: fmt.Sprint("hangs", i), calls: &calls}
			if i == 3 {
				h.let = let
			}
			sinks = append(sinks, h)
		}
		relay := r.relay(t, outbox.Config{Timeout: 250 * time.Millisecond, Rand: func() float64 { return 0 }}, append(sinks, r.in)...)
		r.Open(t, "a")
		drain(t, relay)
		if got := r.in.types("a"); len(got) != 1 || calls.Load() != 4 {
			t.Fatalf("%v, %d calls", got, calls.Load())
		}
		if n := r.Count(t, "engine_messages", "status = 'retrying' AND tries = 1 AND taken = 'inbox' AND problem LIKE '%too late%'"); n != 1 {
			t.Fatalf("%d are noted", n)
		}
		r.Open(t, "b", "c") // while they rest
		drain(t, relay)
		if got := append(r.in.types("b"), r.in.types("c")...); len(got) != 2 || calls.Load() != 4 {
			t.Errorf("%v, %d calls", got, calls.Load())
		}
		if n := r.Count(t, "engine_messages", "status = 'retrying' AND tries = 0 AND taken = 'inbox' AND problem LIKE '%rest%'"); n != 2 {
			t.Errorf("%d wait without a try", n)
		}
		r.clock.Advance(time.Second) // the rest is over; the one that has not returned is left alone
		drain(t, relay)
		if calls.Load() != 7 {
			t.Errorf("%d calls", calls.Load())
		}
		close(let)
		for calls.Load() < 8 {
			r.clock.Advance(time.Minute)
			drain(t, relay)
		}
		if n := r.Count(t, "engine_messages", "taken = 'inbox'"); n != 3 {
			t.Errorf("the others have %d", n)
		}
		if got := r.in.types("a"); len(got) != 1 {
			t.Errorf("a: %v", got)
		}
	})
}

// Whoever watches is told of each sink what it took and what it did not.
func TestWhatASinkTookAndWhatNotIsCounted(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a", "b", "c")
		picky := &inbox{name: "picky", refuse: func(m outbox.Message) error {
			if m.Subject != "b" {
				return errors.New("not for me")
			}
			return nil
		}}
		told := map[string]string{}
		drain(t, r.relay(t, outbox.Config{Handed: func(h outbox.Handed) {
			told[h.Sink] = fmt.Sprintf("%d taken, %d not", len(h.Lags), h.Failed)
		}}, r.in, picky))
		if told["inbox"] != "3 taken, 0 not" || told["picky"] != "1 taken, 2 not" {
			t.Errorf("told %v", told)
		}
	})
}

// A step that is told to end notes who has a message already, and blames nobody for the rest.
func TestAStoppedRelayNotesWhoHasAMessage(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := &inbox{name: "ended", refuse: func(outbox.Message) error { stop(); return ctx.Err() }}
		r.Open(t, "a", "b")
		if _, err := r.relay(t, outbox.Config{}, r.in, ended).Step(ctx, 0); err != nil {
			t.Fatal(err)
		}
		if n := r.Count(t, "engine_messages", "status = 'pending' AND tries = 0 AND taken = 'inbox'"); n != 2 {
			t.Errorf("%d are noted", n)
		}
		ended.refuse = nil
		drain(t, r.relay(t, outbox.Config{}, r.in, ended))
		if len(r.in.got) != 2 || len(ended.got) != 2 {
			t.Errorf("%d and %d were received", len(r.in.got), len(ended.got))
		}
	})
}

// Parked messages of a poisoned batch, or whatever else fails first: new ones are sent beside them.
func TestMessagesThatFailDoNotHeadTheQueue(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		relay := r.relay(t, outbox.Config{Batch: 10, Tries: 3}, r.in)
		r.in.refuse = func(m outbox.Message) error {
			if strings.HasPrefix(m.Subject, "bad") {
				return errors.New("no \x00 \xff " + strings.Repeat("ü", 2000))
			}
			return nil
		}
		for i := range 30 {
			r.Open(t, fmt.Sprint("bad", i))
		}
		r.Open(t, "good")
		for range 4 {
			if _, err := relay.Step(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.in.types("good"); len(got) != 1 {
			t.Errorf("good: %v", got)
		}
		for range 20 {
			r.clock.Advance(time.Minute)
			drain(t, relay)
		}
		if n := r.Count(t, "engine_messages", "status = 'parked' AND tries = 3"); n != 30 {
			t.Errorf("%d are parked", n)
		}
	})
}

// A sink of one message at a time may panic over one: the others are not concerned.
func TestAPanicIsOfItsMessageAlone(t *testing.T) {
	ms := []outbox.Message{{ID: "a"}, {ID: "bad"}, {ID: "c"}}
	errs := outbox.Each(ms, 2, func(m outbox.Message) error {
		if m.ID == "bad" {
			panic("on purpose")
		}
		return nil
	})
	if errs[0] != nil || errs[2] != nil || errs[1] == nil || !strings.Contains(errs[1].Error(), "on purpose") {
		t.Errorf("%v", errs)
	}
}

// What is kept with a message must fit, or nothing could be noted any more.
func TestTooManyNamesOfSinksAreRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var sinks []outbox.Sink
		for i := range 8 {
			sinks = append(sinks, &inbox{name: fmt.Sprint(strings.Repeat("s", 31), i)})
		}
		if _, err := outbox.NewRelay(t.Context(), r.DB, outbox.Config{}, sinks...); err == nil || !strings.Contains(err.Error(), "255") {
			t.Errorf("%v", err)
		}
		if _, err := outbox.NewRelay(t.Context(), r.DB, outbox.Config{}, sinks[:7]...); err != nil {
			t.Error(err)
		}
	})
}

// A replay goes on in parts while relays send what the parts before have put back. What was sent since it
// began is not what it was asked for.
func TestAReplayLeavesAloneWhatWasSentSinceItBegan(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.Open(t, "a")
		drain(t, r.Relay)
		f := outbox.Filter{Machine: "ticket", Subject: "a"}
		if n, err := r.Replay(t.Context(), f, 10); n != 0 || err != nil {
			t.Errorf("%d are replayed at the very moment at which they were sent, %v", n, err)
		}
		r.clock.Advance(time.Microsecond)
		if n, err := r.Replay(t.Context(), f, 10); n != 1 || err != nil {
			t.Errorf("%d are replayed afterwards, %v", n, err)
		}
	})
}
