package batch

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"example.com/orderd/engine"
)

// lane is one queue and the goroutine that works through it, a batch at a time.
type lane struct {
	number int
	to     engine.Applier
	cfg    Config

	mu     sync.Mutex
	filled *sync.Cond
	queue  []*call
	closed bool
}

func newLane(number int, to engine.Applier, c Config) *lane {
	l := &lane{number: number, to: to, cfg: c}
	l.filled = sync.NewCond(&l.mu)
	return l
}

// enqueue lets calls wait, in their order. Those that find no room are answered at once; none that
// comes after such a one gets in before it.
func (l *lane) enqueue(calls []*call) {
	l.mu.Lock()
	room, cause := l.cfg.Queue-len(l.queue), errFull
	if l.closed {
		room, cause = 0, errClosed
	}
	n := min(len(calls), room)
	l.queue = append(l.queue, calls[:n]...)
	l.mu.Unlock()
	if n > 0 {
		l.filled.Signal()
	}
	for _, c := range calls[n:] {
		c.answer(unavailable(c.request, cause))
	}
}

func (l *lane) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.filled.Signal()
}

// run works until the lane is closed and empty.
func (l *lane) run(ctx context.Context) {
	for {
		calls := l.take()
		if calls == nil {
			return
		}
		l.carry(ctx, calls)
	}
}

// take waits for requests and takes a batch of those whose callers still wait. It returns nil when
// there will be no more.
func (l *lane) take() []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for len(l.queue) == 0 {
			if l.closed {
				return nil
			}
			l.filled.Wait()
		}
		// The callers whom the last batch has answered are ready to run and about to ask again.
		// Letting them go first makes one batch of what would be a small and a large one. It costs
		// a lone caller a fraction of a microsecond.
		l.mu.Unlock()
		runtime.Gosched()
		l.mu.Lock()

		n := min(len(l.queue), l.cfg.Size)
		calls := make([]*call, 0, n)
		for _, c := range l.queue[:n] {
			if c.take() {
				calls = append(calls, c)
			}
		}
		rest := copy(l.queue, l.queue[n:])
		clear(l.queue[rest:])
		l.queue = l.queue[:rest]
		if len(calls) > 0 {
			return calls
		}
	}
}

// carry has one batch answered.
func (l *lane) carry(ctx context.Context, calls []*call) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Deadline)
	defer cancel()
	rs := make([]engine.Request, len(calls))
	for i, c := range calls {
		rs[i] = c.request
	}
	for i, result := range l.apply(ctx, rs) {
		if ctx.Err() != nil && errors.Is(result.Err(), ctx.Err()) {
			result = unavailable(rs[i], errSlow) // it is the batch that ended, not the caller's time
		}
		calls[i].answer(result)
	}
	if l.cfg.Observe != nil {
		l.cfg.Observe(Observation{Lane: l.number, Size: len(calls), Waiting: l.waiting(), Took: time.Since(began)})
	}
}

// apply does not let a panic of what is behind the batcher end the lane, and its callers' waiting
// with it.
func (l *lane) apply(ctx context.Context, rs []engine.Request) (results []engine.Result) {
	defer func() {
		p := recover()
		if p == nil && len(results) == len(rs) {
			return
		}
		err := errors.New("batch: the applier did not answer every request")
		if p != nil {
			err = &engine.PanicError{Where: "the applier behind the batcher", Value: p, Stack: debug.Stack()}
		}
		results = make([]engine.Result, len(rs))
		for i, r := range rs {
			results[i] = engine.Failed(r, err)
		}
	}()
	return l.to.ApplyAll(ctx, rs)
}
