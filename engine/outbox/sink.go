package outbox

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// Sink is where messages go.
type Sink interface {
	// Name tells sinks apart: lower-case letters, digits and underscores. It is kept with messages
	// that some sinks have and others do not, so it must stay the same.
	Name() string

	// Send hands messages over, those of one subject in their order, and returns one error each: nil
	// where the receiver has the message for good. It may get a message more than once, under the same
	// id. It returns when ctx ends.
	Send(ctx context.Context, ms []Message) []error
}

// Each hands messages to f, at most so many at a time, in no order, and returns what it answered. It is
// for sinks whose receiver takes one message at a time, and minds neither order nor repeats. A panic is
// an error of its message alone.
func Each(ms []Message, atOnce int, f func(Message) error) []error {
	errs := make([]error, len(ms))
	var all sync.WaitGroup
	slots := make(chan struct{}, max(1, atOnce))
	for i, m := range ms {
		slots <- struct{}{}
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				}
				<-slots
			}()
			errs[i] = f(m)
		})
	}
	all.Wait()
	return errs
}

// send hands messages to one sink. A panic, and a sink that does not answer for every message, are
// errors of all of them.
func send(ctx context.Context, s Sink, ms []Message) (errs []error) {
	defer func() {
		if p := recover(); p != nil {
			errs = all(ms, fmt.Errorf("%s: panic: %v\n%s", s.Name(), p, debug.Stack()))
		}
	}()
	if errs = s.Send(ctx, ms); len(errs) != len(ms) {
		return all(ms, fmt.Errorf("%s answered for %d messages of %d", s.Name(), len(errs), len(ms)))
	}
	return errs
}
