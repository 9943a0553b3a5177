package outbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/orderd/internal/retry"
)

// outlet is a sink, and whether it is any use to hand it something. A sink that did not answer in time
// rests: what waits for it must not cost those beside it a timeout with every batch.
type outlet struct {
	Sink

	mu    sync.Mutex
	lost  bool      // a call has not returned, though its time is over
	slow  int       // calls in a row that were not answered in time
	until time.Time // it rests
}

// rests is how long a sink rests, by how many calls in a row it did not answer in time.
var rests = retry.Rule{Pauses: retry.Doubling(time.Second, time.Minute), Tries: math.MaxInt}

// graceMax is how long a sink may take to return once its time is over.
const graceMax = time.Second

// resting is why a message was not handed to a sink.
type resting struct{ until time.Time }

func (*resting) Error() string { return "it has not answered in time, and is given a rest" }

// hand hands messages to the sink, and returns one error for each.
func (o *outlet) hand(ctx context.Context, c Config, ms []Message) []error {
	if until := o.rests(c.Now()); !until.IsZero() {
		return all(ms, &resting{until})
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	answered := make(chan []error, 1)
	returned := false // under mu
	go func() {
		errs := send(ctx, o.Sink, ms)
		o.mu.Lock()
		returned, o.lost = true, false
		o.mu.Unlock()
		answered <- errs
	}()
	var errs []error
	select {
	case errs = <-answered:
	case <-ctx.Done():
		grace := time.NewTimer(graceMax)
		defer grace.Stop()
		select {
		case errs = <-answered:
		case <-grace.C: // it is left alone until it returns
			errs = all(ms, errors.New("it did not return when its time was over"))
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = !returned
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		o.slow = 0
		return errs
	}
	note := rests.Failed(c.Now(), o.slow, ctx.Err())
	o.slow, o.until = note.Tries, note.NextAt
	return errs
}

// rests tells until when the sink rests; zero if it does not.
func (o *outlet) rests(now time.Time) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost {
		o.until = later(o.until, now.Add(rests.Pauses[0]))
	}
	if now.Before(o.until) {
		return o.until
	}
	return time.Time{}
}

func all(ms []Message, err error) []error {
	errs := make([]error, len(ms))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// obstacle is what is in the way of a message.
type obstacle struct {
	errs   []error   // of the sinks that have not taken it
	blames bool      // one of them was asked
	until  time.Time // the others rest
}

// deliver hands a batch to every sink that does not have it yet, to all sinks at the same time, and
// returns what is in the way of each message. It notes in taken who has it.
func (r *Relay) deliver(ctx context.Context, batch []Message) []obstacle {
	type call struct {
		ms   []Message
		at   []int // in the batch
		errs []error
		took time.Duration
	}
	calls := make([]call, len(r.sinks))
	var sinks sync.WaitGroup
	for n, o := range r.sinks {
		c := &calls[n]
		for i, m := range batch {
			if !slices.Contains(m.taken, o.Name()) {
				c.ms, c.at = append(c.ms, m), append(c.at, i)
			}
		}
		if len(c.ms) == 0 {
			continue
		}
		sinks.Go(func() {
			began := time.Now()
			c.errs = o.hand(ctx, r.cfg, c.ms)
			c.took = time.Since(began)
		})
	}
	sinks.Wait()
	ways := make([]obstacle, len(batch))
	for n, o := range r.sinks {
		c := calls[n]
		if len(c.ms) == 0 {
			continue
		}
		told := Handed{Sink: o.Name(), Took: c.took}
		for j, err := range c.errs {
			m, way := &batch[c.at[j]], &ways[c.at[j]]
			if err == nil {
				told.Lags = append(told.Lags, r.cfg.Now().Sub(m.At))
				m.taken = append(m.taken, o.Name())
				continue
			}
			told.Failed++
			way.add(o.Name(), err)
		}
		r.cfg.Handed(told)
	}
	return ways
}

func (o *obstacle) add(sink string, err error) {
	o.errs = append(o.errs, fmt.Errorf("%s: %w", sink, err))
	var rests *resting
	if errors.As(err, &rests) {
		o.until = later(o.until, rests.until)
	} else {
		o.blames = true
	}
}

// takenBy is the sinks that have a message, as they are kept with it.
func (r *Relay) takenBy(m Message) string {
	var names []string
	for _, o := range r.sinks {
		if slices.Contains(m.taken, o.Name()) {
			names = append(names, o.Name())
		}
	}
	return strings.Join(names, " ")
}
