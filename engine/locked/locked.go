// Package locked puts a lock in front of an engine: one request at a time for each subject, across
// processes. It saves lost races where many callers want one subject and the work of an edge is dear.
// It proves nothing and nothing rests on it: the engine writes by conditional update all the same, so
// that two who were both told "granted" do no harm. Requests for many subjects share transactions
// better with a batch.Batcher, which needs no lock.
package locked

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/lock"
)

// Config tunes an Applier. The zero value works.
type Config struct {
	// Wait bounds how long a request waits for its subject's lock, besides its own ctx; default 2 s.
	Wait time.Duration

	// Failed hears of leases that could not be given back: others wait until they end by themselves.
	Failed func(subject string, err error)
}

// Applier locks the subjects of requests around another Applier. It is safe for concurrent use if its
// parts are.
type Applier struct {
	to     engine.Applier
	locker lock.Locker
	cfg    Config
}

var _ engine.Applier = (*Applier)(nil)

// releaseMax bounds giving one lease back.
const releaseMax = 2 * time.Second

// retryAfter is what callers are told whose lock was not to be had.
const retryAfter = time.Second

// New puts locker in front of to.
func New(to engine.Applier, locker lock.Locker, cfg Config) *Applier {
	if cfg.Wait <= 0 {
		cfg.Wait = 2 * time.Second
	}
	if cfg.Failed == nil {
		cfg.Failed = func(string, error) {}
	}
	return &Applier{to: to, locker: locker, cfg: cfg}
}

// Apply answers one request while it holds its subject's lock. Where that is not to be had in time, or
// who grants it is away, nothing is done and the outcome is unavailable, with the cause in the Result.
// Creations and dry runs are not locked. What a lease that is lost half-way means is decided by the
// engine, as ever.
func (a *Applier) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	result := a.ApplyAll(ctx, []engine.Request{r})[0]
	return result, result.Err()
}

// ApplyAll is Apply for many requests: it takes the locks of all subjects, sorted, so that two such
// calls cannot wait for each other, then applies them together. Requests whose lock was not to be had
// are answered unavailable and the others go on.
func (a *Applier) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	if a.to == nil || a.locker == nil {
		return failed(rs, errors.New("locked: the Applier or the Locker is nil: give New both"))
	}
	if engine.OutsideActions(ctx) != nil {
		return a.to.ApplyAll(ctx, rs) // is refused; a lock would be in vain
	}
	held := &held{Applier: a, leases: map[string]*lock.Lease{}, refused: map[string]error{}}
	defer held.release(ctx)
	held.lock(ctx, rs)

	results := make([]engine.Result, len(rs))
	var granted []engine.Request
	var places []int
	for i, r := range rs {
		switch err := held.refused[subject(r)]; {
		case err == nil:
			granted, places = append(granted, r), append(places, i)
		case ctx.Err() != nil:
			results[i] = engine.Failed(r, fmt.Errorf("%w: %w", context.Cause(ctx), err))
		default:
			results[i] = engine.Result{
				Outcome: engine.Unavailable, Machine: r.Machine, ID: r.ID, Event: r.Event, RetryAfter: retryAfter, Cause: err,
			}
		}
	}
	if len(granted) > 0 {
		for i, result := range a.to.ApplyAll(ctx, granted) {
			results[places[i]] = result
		}
	}
	return results
}

func failed(rs []engine.Request, err error) []engine.Result {
	results := make([]engine.Result, len(rs))
	for i, r := range rs {
		results[i] = engine.Failed(r, err)
	}
	return results
}

// held is the locks of one call.
type held struct {
	*Applier
	leases  map[string]*lock.Lease
	refused map[string]error // why there is no lease
}

func (h *held) lock(ctx context.Context, rs []engine.Request) {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Wait)
	defer cancel()
	var names []string
	for _, r := range rs {
		if name := subject(r); name != "" {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cmp.Compare)
	for _, name := range slices.Compact(names) {
		lease, err := lock.Lock(ctx, h.locker, name)
		if err != nil {
			h.refused[name] = fmt.Errorf("its lock: %w", err)
			continue
		}
		h.leases[name] = lease
	}
}

// release also gives back what was locked for a caller who has gone.
func (h *held) release(ctx context.Context) {
	for name, lease := range h.leases {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMax)
		if err := lease.Release(ctx); err != nil && !errors.Is(err, lock.ErrLost) {
			h.cfg.Failed(name, err)
		}
		cancel()
	}
}

// nameMax is the longest name of a subject, "subject:MACHINE/ID", that is used as it is; a lock's has at most 128 bytes.
const nameMax = 96

// subject is the name of a request's lock, or "" where there is nothing to lock.
func subject(r engine.Request) string {
	switch {
	case r.ID == "" || r.Creates() || r.DryRun:
		return ""
	case len(r.Machine)+len(r.ID) > nameMax:
		sum := sha256.Sum256([]byte(r.Machine + "\x00" + r.ID))
		return "subject:" + hex.EncodeToString(sum[:])
	}
	return "subject:" + r.Machine + "/" + r.ID
}
