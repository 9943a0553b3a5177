// Package batch puts a queue in front of an engine, so that callers who come at the same time share
// transactions. A database's COMMIT costs the same for one transition as for hundreds; the batcher
// collects what arrives while the last batch commits and hands it over as the next one. There is no
// delay: a lone caller waits for nobody.
//
//	b, err := batch.New(eng, batch.Config{})
//	…
//	result, err := b.Apply(ctx, request) // from as many goroutines as there are
//	…
//	err = b.Close(ctx)
//
// A Batcher decides nothing. What happens to each request, in which order those for one subject
// happen, and what becomes of the others when one fails is up to the engine behind it.
package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderd/engine"
)

// Config tunes a Batcher. The zero value works.
type Config struct {
	// Lanes is how many batches may be under way at once; default 2, at most 64. All requests for
	// one subject, or with one Request.Lane, take the same lane, so that two batches of one process
	// rarely want the same row.
	Lanes int

	// Size is how many requests share a transaction at most; default 512, at most 10,000.
	Size int

	// Queue is how many requests may wait in one lane; default 4,096. Those above it are answered
	// with unavailable at once.
	Queue int

	// Patience is how long a request waits in the queue before it is answered with unavailable;
	// default 10 s.
	Patience time.Duration

	// Deadline is how long one batch may take before what it has not done yet is answered with
	// unavailable; default 30 s. The callers' own deadlines do not reach into a shared transaction; the values of
	// their contexts do, see engine.Request.Context.
	Deadline time.Duration

	// Observe, if set, is called after each batch, on its lane: it must be quick.
	Observe func(Observation)
}

// Observation tells of one batch.
type Observation struct {
	Lane    int
	Size    int           // requests in it
	Waiting int           // requests in the lane's queue by now
	Took    time.Duration // from its first statement to its answers
}

// Batcher is an engine.Applier. It is safe for concurrent use.
type Batcher struct {
	to     engine.Applier
	cfg    Config
	lanes  []*lane
	seed   maphash.Seed
	turn   atomic.Uint64 // of requests that could take any lane
	ending context.CancelFunc
	ended  sync.WaitGroup
	closed atomic.Bool
}

var _ engine.Applier = (*Batcher)(nil)

// New starts a batcher in front of an engine. Close ends it; the engine stays the caller's.
func New(to engine.Applier, c Config) (*Batcher, error) {
	if to == nil {
		return nil, errors.New("batch: the Applier is nil: give New the Engine that answers")
	}
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Batcher{to: to, cfg: c, seed: maphash.MakeSeed(), ending: cancel}
	for i := range c.Lanes {
		l := newLane(i, to, c)
		b.lanes = append(b.lanes, l)
		b.ended.Go(func() { l.run(ctx) })
	}
	return b, nil
}

func (c Config) withDefaults() Config {
	c.Lanes = cmp.Or(c.Lanes, 2)
	c.Size = cmp.Or(c.Size, 512)
	c.Queue = cmp.Or(c.Queue, 4096)
	c.Patience = cmp.Or(c.Patience, 10*time.Second)
	c.Deadline = cmp.Or(c.Deadline, 30*time.Second)
	return c
}

func (c Config) validate() error {
	var mistakes []error
	for _, v := range []struct {
		name     string
		n, limit int64
	}{
		{"Lanes", int64(c.Lanes), 64}, {"Size", int64(c.Size), 10_000}, {"Queue", int64(c.Queue), 1_000_000},
		{"Patience", int64(c.Patience), int64(time.Hour)}, {"Deadline", int64(c.Deadline), int64(time.Hour)},
	} {
		if v.n < 1 || v.n > v.limit {
			mistakes = append(mistakes, fmt.Errorf("batch.Config.%s is %d, want 1 to %d", v.name, v.n, v.limit))
		}
	}
	return errors.Join(mistakes...)
}

// Apply answers one request, in a batch with others. When ctx ends while the request waits, it is
// answered with ctx's error and nothing happened. When ctx ends once a batch has taken it, the answer
// is unknown: there is one transition or none, and the same request with its key tells which.
func (b *Batcher) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	result := b.ApplyAll(ctx, []engine.Request{r})[0]
	return result, result.Err()
}

// ApplyAll answers many requests, those for one subject in their order. They do not wait for each
// other and may go into several batches.
func (b *Batcher) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	results := make([]engine.Result, 0, len(rs))
	for len(rs) > 0 { // never more at once than a lane can hold
		n := min(len(rs), b.cfg.Size, b.cfg.Queue)
		results = append(results, b.applySome(ctx, rs[:n])...)
		rs = rs[n:]
	}
	return results
}

func (b *Batcher) applySome(ctx context.Context, rs []engine.Request) []engine.Result {
	calls := make([]*call, len(rs))
	byLane := map[*lane][]*call{}
	misplaced := engine.OutsideActions(ctx)
	for i, r := range rs {
		if r.Context() == context.Background() { // nobody's values yet: the batch has others
			r = r.WithContext(ctx)
		}
		c := newCall(r)
		calls[i] = c
		switch err := ctx.Err(); {
		case misplaced != nil: // it would wait for the batch that it is asked in
			c.answer(engine.Failed(r, misplaced))
		case err != nil:
			c.answer(engine.Failed(r, err))
		case b.closed.Load():
			c.answer(unavailable(r, errClosed))
		case r.DryRun: // shares no transaction, and its reads need not hold others up
			result, _ := b.to.Apply(ctx, r)
			c.answer(result)
		default:
			l := b.laneOf(r)
			byLane[l] = append(byLane[l], c)
		}
	}
	for l, calls := range byLane {
		l.enqueue(calls)
	}
	patience := time.NewTimer(b.cfg.Patience)
	defer patience.Stop()
	results := make([]engine.Result, len(rs))
	for i, c := range calls {
		results[i] = c.wait(ctx, patience)
	}
	return results
}

// laneOf is where a request waits.
func (b *Batcher) laneOf(r engine.Request) *lane {
	n := uint64(len(b.lanes))
	switch {
	case r.Lane != "":
		return b.lanes[maphash.String(b.seed, r.Lane)%n]
	case r.Creates() && !r.Key.IsZero(): // its twin may want to make another row
		return b.lanes[maphash.Comparable(b.seed, r.Key)%n]
	case r.Creates():
		return b.lanes[b.turn.Add(1)%n]
	}
	return b.lanes[maphash.Comparable(b.seed, [2]string{r.Machine, r.ID})%n]
}

// Waiting is how many requests wait in all lanes.
func (b *Batcher) Waiting() int {
	n := 0
	for _, l := range b.lanes {
		n += l.waiting()
	}
	return n
}

// Close takes no more requests, which are answered with unavailable (engine.ErrClosed) from now on, and waits until
// those that wait have been answered. Closing again waits the same way. When ctx ends first, the batches under way
// are cut short, what still waits is answered with unavailable, and ctx's error is returned.
func (b *Batcher) Close(ctx context.Context) error {
	b.closed.Store(true)
	for _, l := range b.lanes {
		l.close()
	}
	done := make(chan struct{})
	go func() {
		b.ended.Wait()
		close(done)
	}()
	defer b.ending()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		b.ending()
		<-done // each batch ends on its own cancelled context
		return ctx.Err()
	}
}
