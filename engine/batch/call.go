package batch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"example.com/orderd/engine"
)

// call is one request and the caller who waits for its answer.
type call struct {
	request engine.Request
	stage   atomic.Uint32
	result  engine.Result // written once, before done is closed
	done    chan struct{}
}

// Stages of a call. A caller may leave a waiting call and take it along; a call that a batch has
// taken is carried out whether or not its caller stays.
const (
	waiting uint32 = iota
	taken
	left
)

func newCall(r engine.Request) *call { return &call{request: r, done: make(chan struct{})} }

// take claims the call for a batch; false if its caller has left.
func (c *call) take() bool { return c.stage.CompareAndSwap(waiting, taken) }

// leave claims the call for its caller; false if a batch was faster.
func (c *call) leave() bool { return c.stage.CompareAndSwap(waiting, left) }

func (c *call) answer(r engine.Result) {
	c.result = r
	close(c.done)
}

// wait is the caller's part. patience bounds only how long a call waits in the queue.
func (c *call) wait(ctx context.Context, patience *time.Timer) engine.Result {
	expired := patience.C
	for {
		select {
		case <-c.done:
			return c.result
		case <-ctx.Done():
			if c.leave() {
				return engine.Failed(c.request, ctx.Err())
			}
			select {
			case <-c.done: // it was being answered at that very moment
				return c.result
			default:
				return outcome(c.request, engine.Unknown, 2*time.Second)
			}
		case <-expired:
			if c.leave() {
				patience.Reset(0) // the others of this ApplyAll have waited as long
				return unavailable(c.request, errWaited)
			}
			expired = nil // a batch has it, and that has a deadline of its own
			patience.Reset(0)
		}
	}
}

// Why a batcher is unavailable.
var (
	errFull   = errors.New("too many requests are waiting")
	errClosed = fmt.Errorf("the batcher is %w", engine.ErrClosed)
	errWaited = errors.New("waited too long for a batch")
	errSlow   = errors.New("the batch took too long")
)

func unavailable(r engine.Request, cause error) engine.Result {
	result := outcome(r, engine.Unavailable, time.Second)
	result.Cause = cause
	return result
}

func outcome(r engine.Request, o engine.Outcome, after time.Duration) engine.Result {
	return engine.Result{Outcome: o, Machine: r.Machine, ID: r.ID, Event: r.Event, DryRun: r.DryRun, RetryAfter: after}
}
