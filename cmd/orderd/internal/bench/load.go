package bench

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

// contender is one way to move orders.
type contender interface {
	name() string
	// prepare readies the contender for so many callers and about so many requests, before the clock.
	prepare(ctx context.Context, callers int, requests int) error
	// step makes one request for one of the callers, whose n-th it is.
	step(ctx context.Context, caller, n int) error
}

// pooled is a contender whose connections were chosen.
type pooled interface{ conns() int }

// weighty is a contender whose steps stand for many transitions each.
type weighty interface{ weight() int64 }

// crowded is a contender next to which as many others go on.
type crowded interface {
	crowd(ctx context.Context, caller int) error
}

// remote is a contender that works in a process of its own beside this one.
type remote interface{ pid() int }

// background lets callers go on until it is told to stop.
func background(ctx context.Context, callers int, step func(ctx context.Context, caller int) error) (stop func() error) {
	errs := make([]error, callers)
	enough := make(chan struct{})
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for errs[caller] == nil {
				select {
				case <-enough:
					return
				default:
					errs[caller] = step(ctx, caller)
				}
			}
		})
	}
	return func() error {
		close(enough)
		all.Wait()
		return errors.Join(errs...)
	}
}

// errSupply ends a caller early: the orders that were prepared are used up.
var errSupply = errors.New("no more orders")

// measure lets a contender work for some time.
func measure(ctx context.Context, s *site, c contender, callers int, d time.Duration) (sample, error) {
	if err := c.prepare(ctx, callers, s.expected(c, callers, d)); err != nil {
		return sample{}, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return sample{}, err
	}
	cpu := clientCPU(c)
	stop := func() error { return nil }
	if c, ok := c.(crowded); ok {
		stop = background(ctx, callers, c.crowd)
	}
	got, err := load(ctx, callers, d, c.step)
	if err := errors.Join(err, stop()); err != nil {
		return sample{}, err
	}
	got.client = clientCPU(c) - cpu
	after, err := s.usage(ctx)
	if err != nil {
		return sample{}, err
	}
	got.server = after.minus(before)
	got.name, got.callers = c.name(), callers
	if w, ok := c.(weighty); ok {
		got.n *= w.weight()
	}
	if p, ok := c.(pooled); ok {
		got.pool = p.conns()
	}
	s.remember(c, callers, got.perSecond())
	return got, nil
}

// load runs a closed loop: every caller waits for its answer before it asks again.
func load(ctx context.Context, callers int, d time.Duration,
	step func(ctx context.Context, caller, n int) error) (sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	waits := make([][]time.Duration, callers)
	var all sync.WaitGroup
	began := time.Now()
	end := began.Add(d)
	for caller := range callers {
		all.Go(func() {
			for n := 0; ; n++ {
				asked := time.Now()
				if asked.After(end) || ctx.Err() != nil {
					return
				}
				err := step(ctx, caller, n)
				if errors.Is(err, errSupply) {
					return
				}
				if err != nil {
					cancel(err)
					return
				}
				waits[caller] = append(waits[caller], time.Since(asked))
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return sample{}, err
	}
	s := sample{took: time.Since(began)}
	for _, w := range waits {
		s.waits = append(s.waits, w...)
	}
	s.n = int64(len(s.waits))
	if s.n == 0 {
		return s, errors.New("nothing was answered in time")
	}
	s.waits = sorted(s.waits)
	return s, nil
}

// clientCPU is the CPU time that this process has used, and the process that a contender works in.
func clientCPU(c contender) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	used := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if c, ok := c.(remote); ok {
		if other := cpuOf(c.pid()); other != nil {
			used += *other
		}
	}
	return used
}
