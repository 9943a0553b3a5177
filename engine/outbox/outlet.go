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

	"example.com/orderd/engine/retry"
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

// hand hands messages to the sink, and returns one error for each.
func (o *outlet) hand(ctx context.Context, c Config, ms []Message) []error {
	if until := o.rests(c.Now()); !until.IsZero() {
		return all(ms, &wait{until, whyRest})
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
		o.until = retry.Later(o.until, now.Add(rests.Pauses[0]))
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

// obstacle is what is in the way of a message.
type obstacle struct {
	errs   []error   // of the sinks that have not taken it
	blames bool      // one of them was asked
	until  time.Time // the first of the others may be asked
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
	ways := make([]obstacle, len(batch))
	var sinks sync.WaitGroup
	for n, o := range r.sinks {
		c := &calls[n]
		for i := range batch {
			m := &batch[i]
			if until, behind := m.behind[o.Name()]; behind {
				ways[i].add(m, o.Name(), &wait{until, whyBehind})
			} else if !slices.Contains(m.taken, o.Name()) {
				c.ms, c.at = append(c.ms, *m), append(c.at, i)
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
				m.taken, m.unasked = append(m.taken, o.Name()), without(m.unasked, o.Name())
				continue
			}
			told.Failed++
			way.add(m, o.Name(), err)
		}
		r.cfg.Handed(told)
	}
	return ways
}

// add notes that a sink has not taken a message.
func (o *obstacle) add(m *Message, sink string, err error) {
	o.errs = append(o.errs, fmt.Errorf("%s: %w", sink, err))
	var w *wait
	if !errors.As(err, &w) {
		o.blames, m.unasked = true, without(m.unasked, sink)
		return
	}
	if m.first(sink) {
		m.unasked = append(without(m.unasked, sink), sink)
	}
	if o.until.IsZero() || w.until.Before(o.until) {
		o.until = w.until
	}
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// names is those of sinks, as they are kept with a message.
func (r *Relay) names(of []string) string {
	var names []string
	for _, o := range r.sinks {
		if slices.Contains(of, o.Name()) {
			names = append(names, o.Name())
		}
	}
	return strings.Join(names, " ")
}
