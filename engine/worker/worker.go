// Package worker runs background jobs: each one bounded step, again and again, in one process at a
// time. It knows nothing of what the jobs work on, and depends on the standard library alone.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Step does a bounded piece of a job. more says that there is more to do at once. fence grows each
// time another process takes the job over: what a step writes should be refused when it is not the
// newest. A step that outlives its lease has its context cancelled.
type Step func(ctx context.Context, fence int64) (more bool, err error)

// Job is something to be done again and again. A job must allow being done twice at the same time:
// a lease keeps that rare, it cannot keep it from happening.
type Job struct {
	Name  string          // of the job and of its lease
	Step  Step            //
	Every time.Duration   // the pause after a step that found nothing more to do
	Wake  <-chan struct{} // ends a pause early; may be nil
	Limit time.Duration   // of one step; default 1 minute
}

// Lease is the right to do a job.
type Lease interface {
	// Fence grows with every lease of one name.
	Fence() int64
	// Context ends when the lease is lost.
	Context() context.Context
	// Release ends the lease.
	Release(ctx context.Context) error
}

// Leases grants the right to do a job to one process at a time. It returns nil without an error where
// another process has it.
type Leases func(ctx context.Context, name string) (Lease, error)

// Config tunes a Worker.
type Config struct {
	Leases Leases        // nil: every process does every job
	Retry  time.Duration // how often a lease that another has is asked for; default 1 s
	Log    *slog.Logger  // default slog.Default
	Failed func(job string)
}

// Bounds of what is not configured.
const (
	limitDefault = time.Minute
	retryDefault = time.Second
	pauseMax     = 30 * time.Second // after failures in a row
	releaseMax   = 5 * time.Second
)

// Worker runs jobs, each in a goroutine of its own.
type Worker struct {
	cfg  Config
	stop context.CancelFunc
	all  sync.WaitGroup
}

// Start runs the jobs until Close, or until ctx ends.
func Start(ctx context.Context, cfg Config, jobs ...Job) *Worker {
	cfg.Retry = cmp.Or(cfg.Retry, retryDefault)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Failed == nil {
		cfg.Failed = func(string) {}
	}
	if cfg.Leases == nil {
		cfg.Leases = func(ctx context.Context, _ string) (Lease, error) { return always{ctx}, nil }
	}
	ctx, stop := context.WithCancel(ctx)
	w := &Worker{cfg: cfg, stop: stop}
	for _, j := range jobs {
		j.Limit = cmp.Or(j.Limit, limitDefault)
		w.all.Go(func() { w.run(ctx, j) })
	}
	return w
}

// Close ends all jobs: it cancels their steps and waits for them.
func (w *Worker) Close() {
	w.stop()
	w.all.Wait()
}

// run holds a job's lease as often as it can get it.
func (w *Worker) run(ctx context.Context, j Job) {
	for failures := 0; ctx.Err() == nil; {
		lease, err := w.cfg.Leases(ctx, j.Name)
		switch {
		case err != nil:
			failures++
			w.failed(ctx, j, err)
			sleep(ctx, pause(w.cfg.Retry, failures), nil)
		case lease == nil:
			failures = 0
			sleep(ctx, w.cfg.Retry, nil)
		default:
			failures = 0
			w.hold(ctx, lease, j)
		}
	}
}

// hold does a job until its lease or ctx ends.
func (w *Worker) hold(ctx context.Context, lease Lease, j Job) {
	held, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })()
	for failures := 0; held.Err() == nil; {
		more, err := w.step(held, lease.Fence(), j)
		switch {
		case err != nil && held.Err() != nil: // it was told to end
		case err != nil:
			failures++
			w.failed(ctx, j, err)
			sleep(held, pause(j.Every, failures), nil)
		case more:
			failures = 0
		default:
			failures = 0
			sleep(held, j.Every, j.Wake)
		}
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), releaseMax)
	defer done()
	if err := lease.Release(ctx); err != nil {
		w.cfg.Log.WarnContext(ctx, "a lease was not released, others wait until it ends", "job", j.Name, "error", err)
	}
}

// step runs one step. A panic is an error: one job must not end the others.
func (w *Worker) step(ctx context.Context, fence int64, j Job) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, j.Limit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			more, err = false, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return j.Step(ctx, fence)
}

func (w *Worker) failed(ctx context.Context, j Job, err error) {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	w.cfg.Failed(j.Name)
	w.cfg.Log.ErrorContext(ctx, "a background job failed, it is tried again", "job", j.Name, "error", err)
}

// pause doubles with each failure in a row, up to a bound, and differs from process to process.
func pause(least time.Duration, failures int) time.Duration {
	d := max(least, 50*time.Millisecond)
	for range min(failures-1, 16) {
		d = min(2*d, pauseMax)
	}
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}

// always is the lease of a worker without others.
type always struct{ ctx context.Context }

func (always) Fence() int64                  { return 0 }
func (a always) Context() context.Context    { return a.ctx }
func (always) Release(context.Context) error { return nil }

// Bell wakes a job from other goroutines. Rings while the job works are one ring afterwards.
type Bell chan struct{}

// NewBell makes a bell.
func NewBell() Bell { return make(Bell, 1) }

// Ring never waits.
func (b Bell) Ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}
