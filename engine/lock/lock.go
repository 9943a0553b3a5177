// Package lock grants names, each to one owner at a time and for a while. A lock saves work: fewer lost
// races, one process per job. It proves nothing, because its holder may be paused for longer than the
// lease and wake up believing in it. What must hold is therefore checked where it is written: by the
// conditional update of a transition, or by the fence, a number that grows with every lease of a name,
// so that a write with an older one can be refused (Kleppmann, "How to do distributed locking").
package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/orderd/engine/retry"
)

// What may go wrong with a lock. Everything else is trouble of the store behind it.
var (
	ErrHeld = errors.New("lock: somebody else holds it")
	ErrLost = errors.New("lock: the lease was lost")
)

// Locker grants leases. It is safe for concurrent use. Names have 1 to 128 bytes.
type Locker interface {
	// Try takes the lock, or returns an error that matches ErrHeld. It ends with ctx; the lease does not.
	Try(ctx context.Context, name string) (*Lease, error)
}

// nameMax bounds a name, in bytes.
const nameMax = 128

// CheckName refuses what is no name of a lock.
func CheckName(name string) error {
	if name == "" || len(name) > nameMax {
		return fmt.Errorf("lock: a name of %d bytes, want 1 to %d", len(name), nameMax)
	}
	return nil
}

// Lock waits for a lock until ctx ends: it tries again and again, after pauses that grow to a bound.
func Lock(ctx context.Context, l Locker, name string) (*Lease, error) {
	var held error
	for try := 1; ; try++ {
		lease, err := l.Try(ctx, name)
		switch {
		case errors.Is(err, ErrHeld):
			held = err
		case err != nil && held != nil && ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %w", ctx.Err(), held)
		default:
			return lease, err
		}
		if err := retry.Sleep(ctx, retry.Doubled(pauseMin, pauseMax, try)); err != nil {
			return nil, fmt.Errorf("%w: %w", err, held)
		}
	}
}

// Pauses between two tries of Lock.
const (
	pauseMin = 5 * time.Millisecond
	pauseMax = 250 * time.Millisecond
)

// Grant is what a store keeps of a lease that it has given.
type Grant interface {
	// Renew prolongs the lease. An error that matches ErrLost is final.
	Renew(ctx context.Context) error
	Release(ctx context.Context) error
}

// Lease is a granted lock. It renews itself until it is released or lost.
type Lease struct {
	name  string
	fence int64
	ttl   time.Duration
	grant Grant
	ctx   context.Context
	lose  context.CancelCauseFunc
	once  sync.Once
	all   sync.WaitGroup

	stopping context.Context // of renewing; ends with ctx, or by Release
	stop     context.CancelFunc
	gone     bool // the store said so; written by keep, read after it
}

// NewLease is for those who write a Locker: it keeps a lease that was granted, not before asked, for
// ttl. parent gives its context values.
func NewLease(parent context.Context, name string, fence int64, ttl time.Duration, asked time.Time, g Grant) *Lease {
	l := &Lease{name: name, fence: fence, ttl: ttl, grant: g}
	l.ctx, l.lose = context.WithCancelCause(context.WithoutCancel(parent))
	l.stopping, l.stop = context.WithCancel(l.ctx)
	l.all.Go(func() { l.keep(asked) })
	return l
}

// Name is that of the lock.
func (l *Lease) Name() string { return l.name }

// Fence grows with every lease of the name.
func (l *Lease) Fence() int64 { return l.fence }

// Context ends when the lease is lost or released. Its cause is then ErrLost, or context.Canceled.
func (l *Lease) Context() context.Context { return l.ctx }

// Release ends the lease. A second call does nothing. An error says that others have to wait until
// the lease ends by itself.
func (l *Lease) Release(ctx context.Context) (err error) {
	l.once.Do(func() {
		l.stop()
		l.all.Wait()
		lost := context.Cause(l.ctx)
		l.lose(nil)
		if l.gone {
			return
		}
		// Also after it was given up for the time: the store may not have noticed.
		if err = l.grant.Release(ctx); lost != nil && errors.Is(err, ErrLost) {
			err = nil
		}
	})
	return err
}

// keep renews the lease three times in its time, and gives it up before the time is over: from then
// on somebody else may have it.
func (l *Lease) keep(renewed time.Time) {
	tick := time.NewTicker(l.ttl / 3)
	defer tick.Stop()
	for l.stopping.Err() == nil {
		end := renewed.Add(l.ttl - l.ttl/6)
		left := time.Until(end)
		if left <= 0 {
			l.lose(fmt.Errorf("%w: %s could not be renewed in time", ErrLost, l.name))
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-l.stopping.Done():
		case <-timer.C:
		case <-tick.C:
			if err := l.renew(end, &renewed); errors.Is(err, ErrLost) {
				l.gone = true
				l.lose(fmt.Errorf("%s: %w", l.name, err))
			}
		}
		timer.Stop()
	}
}

// renew tries once, not beyond the end of the lease.
func (l *Lease) renew(end time.Time, renewed *time.Time) error {
	asked := time.Now()
	if third := asked.Add(l.ttl / 3); third.Before(end) {
		end = third
	}
	ctx, cancel := context.WithDeadline(l.stopping, end)
	defer cancel()
	err := l.grant.Renew(ctx)
	if err == nil {
		*renewed = asked
	}
	return err
}
