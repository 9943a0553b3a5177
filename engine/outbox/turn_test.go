package outbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/orderd/engine/outbox"
)

// sleeper is an inbox that does not answer in time while it sleeps.
type sleeper struct {
	inbox
	asleep bool
}

func (s *sleeper) Send(ctx context.Context, ms []outbox.Message) []error {
	if !s.asleep {
		return s.inbox.Send(ctx, ms)
	}
	<-ctx.Done()
	errs := make([]error, len(ms))
	for i := range errs {
		errs[i] = ctx.Err()
	}
	return errs
}

// sleep is the time that sinks have. It passes whenever one sleeps, and is plenty for one that is awake.
const sleep = time.Second / 4

// noJitter lets a message that failed wait for exactly a second.
func noJitter() float64 { return 0 }

// restingSink is a sink that is awake again and yet rests, for up to half a second more, and its relay.
func restingSink(t *testing.T, r *rig, batch int) (*sleeper, *outbox.Relay) {
	t.Helper()
	z := &sleeper{inbox: inbox{name: "z"}, asleep: true}
	relay := r.relay(t, outbox.Config{Batch: batch, Timeout: sleep, Rand: noJitter}, r.in, z)
	r.Open(t, "other")
	drain(t, relay)
	z.asleep = false
	r.clock.Advance(time.Second / 2)
	return z, relay
}

func (i *inbox) want(t *testing.T, subject string, types ...string) {
	t.Helper()
	if got := i.types(subject); !slices.Equal(got, types) {
		t.Errorf("%s has %v of %s, want %v", i.name, got, subject, types)
	}
}

// A message that a resting sink has not seen is still the first of its subject when the rest is over.
func TestARestKeepsASubjectsFirstTriesInOrder(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		z, relay := restingSink(t, r, 0)
		r.Open(t, "a")
		drain(t, relay)
		r.clock.Advance(600 * time.Millisecond) // the rest is over
		r.Do(t, "a", "nudge")
		drain(t, relay)
		r.clock.Advance(5 * time.Second)
		drain(t, relay)
		z.want(t, "a", "opened", "nudged")
	})
}

// More waits for a sink than a batch has room for, and new messages come beside it: they take their turn
// at that sink, and wait for nothing at the others.
func TestWhatWaitedForARestKeepsItsOrderThoughItFillsBatches(t *testing.T) {
	for _, batch := range []int{1, 5} {
		each(t, func(t *testing.T, r *rig) {
			z, relay := restingSink(t, r, batch)
			subjects := []string{"d", "c", "b", "a"}
			r.Open(t, subjects...)
			for _, s := range subjects {
				r.Do(t, s, "nudge")
			}
			drain(t, relay)
			r.clock.Advance(600 * time.Millisecond)
			for _, s := range subjects {
				r.Do(t, s, "close")
			}
			for range 4 { // as many as there is room for in four batches of new messages, and then all
				if _, err := relay.Step(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range subjects {
				r.in.want(t, s, "opened", "nudged", "closed")
			}
			drain(t, relay)
			for _, s := range subjects {
				z.want(t, s, "opened", "nudged", "closed")
			}
		})
	}
}

// One sink refuses a message while another rests. The message waits for its next try, and the one that
// rested gets the younger ones behind it; the one that refused has had its first try and waits for nothing.
func TestAFailureElsewhereLosesNoTurnAtASinkThatRested(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		z, relay := restingSink(t, r, 0)
		r.in.refuse = func(m outbox.Message) error {
			if m.Type == "ticket.opened" {
				return errors.New("not this one")
			}
			return nil
		}
		r.Open(t, "a")
		drain(t, relay)
		r.clock.Advance(600 * time.Millisecond)
		r.Do(t, "a", "nudge")
		drain(t, relay)
		r.in.want(t, "a", "nudged")
		z.want(t, "a")
		r.clock.Advance(400 * time.Millisecond)
		drain(t, relay)
		z.want(t, "a", "opened", "nudged")
		r.in.want(t, "a", "nudged")
		r.Do(t, "a", "close") // the first still waits, but for the other sink alone
		drain(t, relay)
		z.want(t, "a", "opened", "nudged", "closed")
	})
}

// What fails after a rest has had its turn, and holds up nobody like all that fails.
func TestWhatFailsAfterARestHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		z, relay := restingSink(t, r, 0)
		z.refuse = func(m outbox.Message) error {
			if m.Type == "ticket.opened" {
				return errors.New("not this one")
			}
			return nil
		}
		r.Open(t, "a")
		drain(t, relay)
		r.clock.Advance(600 * time.Millisecond)
		drain(t, relay)
		r.Do(t, "a", "nudge")
		drain(t, relay)
		z.want(t, "a", "nudged")
	})
}

// The first of those that wait is handed over though the others have no room beside it.
func TestTheFirstThatWaitsIsNotHeldUpByTheNext(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		z, relay := restingSink(t, r, 1)
		r.Open(t, "a")
		r.Do(t, "a", "nudge")
		drain(t, relay)
		r.clock.Advance(600 * time.Millisecond)
		r.Do(t, "a", "close")
		if _, err := relay.Step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		z.want(t, "a", "opened")
	})
}

// What waits, and for whom, is kept with the messages: a relay that takes over knows of no rest, and people
// may ask for a younger message at once.
func TestTurnsOutliveTheRelayThatGaveTheRest(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		z, relay := restingSink(t, r, 0)
		r.Open(t, "a")
		r.Do(t, "a", "nudge", "close")
		drain(t, relay)
		waiting, err := r.List(t.Context(), outbox.Filter{Status: outbox.Retrying, Subject: "a", Type: "ticket.nudged"})
		if err != nil || len(waiting.Messages) != 1 {
			t.Fatalf("%+v, %v", waiting, err)
		}
		if done, err := r.Retry(t.Context(), waiting.Messages[0].ID); !done || err != nil {
			t.Fatalf("%v, %v", done, err)
		}
		r.Do(t, "a", "reopen")
		next := r.relay(t, outbox.Config{Rand: noJitter}, r.in, z)
		drain(t, next)
		z.want(t, "a")
		r.in.want(t, "a", "opened", "nudged", "closed", "reopened")
		r.clock.Advance(time.Second)
		drain(t, next)
		z.want(t, "a", "opened", "nudged", "closed", "reopened")
		if n := r.Count(t, "engine_messages", "subject = 'a' AND status = 'sent' AND tries = 1 AND taken = '' AND unasked = '' AND problem = ''"); n != 4 {
			t.Errorf("%d are sent with their first try", n)
		}
	})
}

// A sink's rest is over while another's goes on: what waits for both does not wait for the longer one.
func TestALongRestDelaysNoShortOne(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		long := &sleeper{inbox: inbox{name: "long"}, asleep: true}
		z := &sleeper{inbox: inbox{name: "z"}}
		relay := r.relay(t, outbox.Config{Timeout: sleep, Rand: noJitter}, long, z)
		r.Open(t, "other")
		for range 4 { // its rest has grown to some seconds
			drain(t, relay)
			r.clock.Advance(time.Minute)
		}
		z.asleep = true
		r.Open(t, "another")
		drain(t, relay)
		z.asleep, long.asleep = false, false
		r.Open(t, "a")
		drain(t, relay)
		z.want(t, "a")
		r.clock.Advance(time.Second)
		drain(t, relay)
		z.want(t, "a", "opened")
		long.want(t, "a")
		r.clock.Advance(time.Minute)
		drain(t, relay)
		long.want(t, "a", "opened")
	})
}
