package batch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is an engine whose batches wait for leave.
type gate struct {
	mu    sync.Mutex
	sizes []int
	asked []engine.Request
	leave chan struct{} // one value per batch; nil leaves them all through
	began chan int      // the size of each batch, if set
	rude  bool          // ignores its context
}

func (g *gate) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	result := g.ApplyAll(ctx, []engine.Request{r})[0]
	return result, result.Err()
}

func (g *gate) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	g.mu.Lock()
	g.sizes, g.asked = append(g.sizes, len(rs)), append(g.asked, rs...)
	g.mu.Unlock()
	if g.began != nil {
		g.began <- len(rs)
	}
	results := make([]engine.Result, len(rs))
	var gone <-chan struct{}
	if !g.rude {
		gone = ctx.Done()
	}
	if g.leave != nil {
		select {
		case <-g.leave:
		case <-gone:
			for i, r := range rs {
				results[i] = engine.Failed(r, ctx.Err())
			}
			return results
		}
	}
	for i, r := range rs {
		if r.ID == "panic" {
			panic("the engine has a bug")
		}
		results[i] = engine.Result{Outcome: engine.Applied, ID: r.ID, Version: 1}
	}
	return results
}

func on(id string) engine.Request { return engine.Request{Machine: "m", ID: id, Event: "go"} }

func many(n int) (rs []engine.Request) {
	for i := range n {
		rs = append(rs, on(fmt.Sprint(i)))
	}
	return rs
}

func TestALoneCallerWaitsForNobody(t *testing.T) {
	g := &gate{}
	b := started(t, g, batch.Config{})
	for i := range 3 {
		if r, err := b.Apply(t.Context(), on(fmt.Sprint(i))); err != nil || r.Outcome != engine.Applied {
			t.Fatalf("got %v %v", r.Outcome, err)
		}
	}
	if len(g.sizes) != 3 {
		t.Errorf("batches %v", g.sizes)
	}
}

// What arrives while a batch is under way makes the next one.
func TestWhatArrivesMeanwhileIsOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b := started(t, g, batch.Config{Lanes: 1, Size: 10})
		var all sync.WaitGroup
		apply := func(n int) {
			for i := range n {
				all.Go(func() {
					if _, err := b.Apply(t.Context(), on(fmt.Sprint(i))); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		apply(1)
		apply(15)
		if n := b.Waiting(); n != 15 {
			t.Errorf("%d wait", n)
		}
		for range 3 {
			g.leave <- struct{}{}
			synctest.Wait()
		}
		all.Wait()
		if fmt.Sprint(g.sizes) != "[1 10 5]" {
			t.Errorf("batches %v", g.sizes)
		}
	})
}

func TestRequestsOfOneSubjectKeepTheirOrder(t *testing.T) {
	g := &gate{}
	b := started(t, g, batch.Config{Lanes: 8, Size: 7})
	var rs []engine.Request
	for i := range 200 {
		r := on(fmt.Sprint(i % 5))
		r.Reason = fmt.Sprintf("%04d", i)
		rs = append(rs, r)
	}
	for i, r := range b.ApplyAll(t.Context(), rs) {
		if r.ID != rs[i].ID {
			t.Fatalf("answer %d is for %s, not for %s", i, r.ID, rs[i].ID)
		}
	}
	last := map[string]string{}
	for _, r := range g.asked {
		if r.Reason < last[r.ID] {
			t.Errorf("%s: %s came after %s", r.ID, r.Reason, last[r.ID])
		}
		last[r.ID] = r.Reason
	}
}

// One lane's batch does not hold up another's, and a lane can be asked for.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b := started(t, g, batch.Config{Lanes: 2})
		var all sync.WaitGroup
		ask := func(r engine.Request) {
			all.Go(func() { _, _ = b.Apply(t.Context(), r) })
			synctest.Wait()
		}
		for i := range 20 {
			r := on(fmt.Sprint(i))
			r.Lane = "one"
			ask(r)
		}
		if len(g.sizes) != 1 {
			t.Errorf("requests of one lane are in %d batches", len(g.sizes))
		}
		for i := range 20 {
			ask(on(fmt.Sprint(i)))
		}
		if len(g.sizes) != 2 {
			t.Errorf("subjects are in %d batches, want one on each lane", len(g.sizes))
		}
		g.rude = false
		close(g.leave)
		all.Wait()
	})
}

// Creations with one key may be twins that drew different ids, so they wait in one lane; others take turns.
func TestCreationsWithOneKeyTakeOneLane(t *testing.T) {
	taken := func(key func(i int) engine.Key) int {
		var mu sync.Mutex
		lanes := map[int]bool{}
		b, err := batch.New(&gate{}, batch.Config{Lanes: 8, Observe: func(o batch.Observation) {
			mu.Lock()
			defer mu.Unlock()
			lanes[o.Lane] = true
		}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 64 {
			r := engine.Request{Machine: "m", ID: fmt.Sprint(i), Key: key(i)}
			if _, err := engine.Create(t.Context(), b, &struct{}{}, r); err != nil {
				t.Error(err)
			}
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		return len(lanes)
	}
	if n := taken(func(int) engine.Key { return engine.Key{Source: "principal:a", Seq: "1"} }); n != 1 {
		t.Errorf("twins take %d lanes", n)
	}
	if n := taken(func(i int) engine.Key { return engine.Key{Source: "principal:a", Seq: fmt.Sprint(i)} }); n < 2 {
		t.Errorf("different creations take %d lane", n)
	}
	if n := taken(func(int) engine.Key { return engine.Key{} }); n != 8 {
		t.Errorf("creations without a key take %d lanes of 8", n)
	}
}

// A full queue says so at once, and nothing that is refused overtakes.
func TestAFullQueueIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b := started(t, g, batch.Config{Lanes: 1, Queue: 5, Size: 5})
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if _, err := b.Apply(t.Context(), on("x")); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		r, err := b.Apply(t.Context(), on("x"))
		if !errors.Is(err, engine.ErrUnavailable) || r.RetryAfter <= 0 {
			t.Errorf("got %v, retry after %v", err, r.RetryAfter)
		}
		close(g.leave)
		all.Wait()
		if got := b.ApplyAll(t.Context(), many(50)); got[49].Outcome != engine.Applied {
			t.Errorf("more requests than the queue holds, one after the other: %v", got[49].Err())
		}
	})
}

func TestACallerWhoLeavesTheQueueChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b := started(t, g, batch.Config{Lanes: 1})
		var all sync.WaitGroup
		all.Go(func() { _, _ = b.Apply(t.Context(), on("first")) })
		synctest.Wait()

		ctx, cancel := context.WithCancelCause(t.Context())
		all.Go(func() {
			r, err := b.Apply(ctx, on("gone"))
			if !errors.Is(err, context.Canceled) || r.Outcome != "" || errors.Is(err, engine.ErrUnknown) {
				t.Errorf("got %v %v", r.Outcome, err)
			}
		})
		synctest.Wait()
		cancel(nil)
		synctest.Wait()
		close(g.leave)
		all.Wait()
		if r, err := b.Apply(ctx, on("gone")); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who was gone before got %v %v", r, err)
		}
		for _, r := range g.asked {
			if r.ID == "gone" {
				t.Error("the engine was asked")
			}
		}
	})
}

func TestACallerWhoLeavesABatchIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b := started(t, g, batch.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		r, err := b.Apply(ctx, on("x"))
		if !errors.Is(err, engine.ErrUnknown) || r.RetryAfter <= 0 || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		close(g.leave)
	})
}

func TestPatienceEndsInTheQueueOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b := started(t, g, batch.Config{Lanes: 1, Patience: time.Second, Deadline: time.Minute})
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := b.Apply(t.Context(), on("taken")); err != nil {
				t.Errorf("a request under way: %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			for i, r := range b.ApplyAll(t.Context(), many(3)) {
				if r.Outcome != engine.Unavailable {
					t.Errorf("request %d waited too long and got %v", i, r.Err())
				}
			}
			g.leave <- struct{}{}
		})
		all.Wait()
		if len(g.asked) != 1 {
			t.Errorf("the engine was asked for %d requests", len(g.asked))
		}
	})
}

// A batch has a deadline of its own, and its callers are told that nothing was done.
func TestABatchThatTakesTooLongIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b := started(t, g, batch.Config{Deadline: time.Second})
		r, err := b.Apply(t.Context(), on("x"))
		if r.Outcome != engine.Unavailable || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCloseAnswersEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b, err := batch.New(g, batch.Config{Lanes: 1})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if r, err := b.Apply(t.Context(), on("x")); err != nil {
					t.Errorf("was accepted and got %v %v", r.Outcome, err)
				}
			})
		}
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- b.Close(t.Context()) }()
		synctest.Wait()
		for _, dry := range []bool{false, true} {
			late := on("late")
			late.DryRun = dry
			if _, err := b.Apply(t.Context(), late); !errors.Is(err, engine.ErrUnavailable) || !errors.Is(err, engine.ErrClosed) ||
				!strings.Contains(err.Error(), "the batcher is closed") {
				t.Errorf("a closed batcher answered %v", err)
			}
		}
		close(g.leave)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		all.Wait()
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("a second time: %v", err)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{leave: make(chan struct{})}
		b, err := batch.New(g, batch.Config{Lanes: 1})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := b.Apply(t.Context(), on("x")); !errors.Is(err, engine.ErrUnavailable) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		all.Wait()
	})
}

func TestAPanicBehindTheBatcherIsEverybodysErrorAndNobodysEnd(t *testing.T) {
	b := started(t, &gate{}, batch.Config{Lanes: 1})
	_, err := b.Apply(t.Context(), on("panic"))
	var panicked *engine.PanicError
	if !errors.As(err, &panicked) || len(panicked.Stack) == 0 {
		t.Errorf("got %v", err)
	}
	if _, err := b.Apply(t.Context(), on("x")); err != nil {
		t.Errorf("the lane has ended: %v", err)
	}
}

func TestConfigNamesEveryMistake(t *testing.T) {
	_, err := batch.New(&gate{}, batch.Config{Lanes: 65, Size: -1, Queue: -1, Patience: -time.Second, Deadline: 2 * time.Hour})
	for _, field := range []string{"Lanes", "Size", "Queue", "Patience", "Deadline"} {
		if err == nil || !strings.Contains(err.Error(), "batch.Config."+field) {
			t.Errorf("%s is not named in: %v", field, err)
		}
	}
}

func TestObserveTellsOfEachBatch(t *testing.T) {
	var seen []batch.Observation
	b := started(t, &gate{}, batch.Config{Lanes: 1, Observe: func(o batch.Observation) { seen = append(seen, o) }})
	_ = b.ApplyAll(t.Context(), many(3))
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].Size != 3 || seen[0].Waiting != 0 {
		t.Errorf("observed %+v", seen)
	}
}
