package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrClosed matches what is answered after Close, beside ErrUnavailable where it is an outcome. Nothing was done. A
// Batcher says the same of itself.
var ErrClosed = errors.New("closed")

var (
	errClosed   = fmt.Errorf("the engine is %w", ErrClosed)
	errNoEngine = &RequestError{Field: "Engine",
		Problem: "is nil, or was not made by engine.New: use what New returns, and look at its error first"}
)

// made refuses an engine that New has not made.
func (e *Engine) made() error {
	if e == nil || e.machines == nil {
		return errNoEngine
	}
	return nil
}

// life counts the calls under way, so that Close can wait for them. A call that another is part of is not counted:
// it must not be refused while the outer one is waited for.
type life struct {
	mu     sync.Mutex
	closed bool
	under  int
	idle   chan struct{} // closed when closed and nothing is under way
}

// enter begins a call, which leave ends unless there is an error.
func (e *Engine) enter() error {
	if err := e.made(); err != nil {
		return err
	}
	l := &e.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	l.under++
	return nil
}

func (e *Engine) leave() {
	l := &e.life
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under--
	if l.closed && l.under == 0 {
		close(l.idle)
	}
}

// end lets no more calls begin and returns what is closed when the last has ended.
func (l *life) end() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed, l.idle = true, make(chan struct{})
		if l.under == 0 {
			close(l.idle)
		}
	}
	return l.idle
}

// refused answers a request that could not begin.
func refused(r Request, err error) Result {
	if !errors.Is(err, ErrClosed) {
		return Failed(r, fmt.Errorf("%s%w", asked(r.Machine, r.ID, r.Event), err))
	}
	result := Failed(r, nil)
	result.Outcome, result.RetryAfter, result.Cause = Unavailable, retryAfter(Unavailable, ""), err
	return result
}

func refusedAll(rs []Request, err error) []Result {
	results := make([]Result, len(rs))
	for i, r := range rs {
		results[i] = refused(r, err)
	}
	return results
}

// Close lets no more requests in, waits for those under way, and writes what the attempt journal still counts. From
// then on Apply, ApplyAll, Create and ApplyTx answer unavailable, with an error that matches ErrClosed, as does that of
// Adopt, AdoptAll, TrimAttempts and Ready; what only reads, such as Load and History, goes on while the database is
// open. When ctx ends first its error is returned, and Close may be called again: what is under way ends with its own
// callers' contexts. Closing again is no error. It must not be called by what it waits for, such as Config.Observe.
func (e *Engine) Close(ctx context.Context) error {
	if err := e.made(); err != nil {
		return err
	}
	idle := e.life.end()
	select {
	case <-idle:
	default:
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("engine: requests are still under way: %w", ctx.Err())
		}
	}
	return e.journal.close(ctx)
}
