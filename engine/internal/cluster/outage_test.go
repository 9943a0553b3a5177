package cluster

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderd/engine"
)

// load is callers who ask all nodes until they are stopped.
type load struct {
	f    *fleet
	done atomic.Int64  // requests with a final answer
	news chan struct{} // there are more of them
	stop chan struct{}
	end  func() // stops the callers and waits for them
}

// patience bounds each answer: that of the engine and of its connection to a node that says nothing.
const patience = 45 * time.Second

func (f *fleet) load(callers int) *load {
	l := &load{f: f, news: make(chan struct{}, 1), stop: make(chan struct{})}
	var all sync.WaitGroup
	l.end = sync.OnceFunc(func() {
		close(l.stop)
		all.Wait()
	})
	f.t.Cleanup(l.end) // also where the test fails
	for c := range callers {
		random := rand.New(rand.NewPCG(1, uint64(c)))
		all.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
					l.order(random)
				}
			}
		})
	}
	return l
}

// order is the life of one crate, whose requests go to nodes at random.
func (l *load) order(random *rand.Rand) {
	id := l.f.make(random.IntN(3))
	events := []engine.Event{"turn", "turn", "ship", "cancel"}
	for _, ev := range events[:1+random.IntN(len(events))] {
		began := time.Now()
		r := l.f.insist(random.IntN(3), l.f.request(ev, id))
		if took := time.Since(began); took > patience {
			l.f.t.Errorf("%s %s: answered after %s", ev, id, took)
		}
		if !r.Outcome.Success() && !(ev == "cancel" && r.Outcome == engine.Stale) {
			l.f.t.Errorf("%s %s: %v", ev, id, r.Err())
		}
		l.done.Add(1)
		select {
		case l.news <- struct{}{}:
		default: // not heard of yet
		}
	}
}

// more waits until so many further requests have had their final answer.
func (l *load) more(n int64) {
	l.f.t.Helper()
	until, late := l.done.Load()+n, time.After(2*time.Minute)
	for l.done.Load() < until {
		select {
		case <-l.news:
		case <-late:
			l.f.t.Fatalf("%d of %d requests were answered in two minutes", n-until+l.done.Load(), n)
		}
	}
}

// A node that is cut off does nothing and says so, the others go on, and when it is back nothing is lost.
func TestAnIsolatedNodeAnswersThatNothingWasDone(t *testing.T) {
	f := newFleet(t)
	const cut = 2
	l := f.load(8)
	l.more(200)
	f.Isolate(t, cut)
	l.more(200)
	id := f.make(0)
	for range 3 {
		if r := f.ask(cut, f.request("turn", id)); r.Outcome != engine.Unavailable || r.RetryAfter <= 0 {
			t.Errorf("a node without the others answers %s/%s, ask again after %s: %v", r.Outcome, r.Detail, r.RetryAfter, r.Err())
		}
	}
	l.more(200)
	f.Rejoin(t, cut)
	f.AwaitWhole(t)
	l.more(200)
	l.end()
	if r := f.insist(cut, f.request("turn", id)); r.Outcome != engine.Applied || r.Version != 2 {
		t.Errorf("the first turn of %s is answered %s at version %d", id, r.Outcome, r.Version)
	}
	f.check()
}

// A node that is killed takes nothing along that was acknowledged, and catches up when it is back.
func TestAKilledNodeTakesNothingAlong(t *testing.T) {
	f := newFleet(t)
	l := f.load(8)
	for _, node := range []int{1, 0} { // 0 last: the one that founded the cluster
		l.more(200)
		f.Kill(t, node)
		l.more(400)
		f.AwaitWhole(t)
	}
	l.more(200)
	l.end()
	for n := range f.engines { // each node works again
		id := f.make(n)
		if r := f.ask(n, f.request("ship", id)); r.Outcome != engine.Applied {
			t.Errorf("node %d: %v", n, fmt.Errorf("ship %s: %w", id, r.Err()))
		}
	}
	f.check()
}
