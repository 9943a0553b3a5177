package cluster

import (
	"sync"
	"testing"

	"example.com/orderd/engine"
)

// together runs one function for each node at the same time.
func (f *fleet) together(do func(node int) engine.Result) []engine.Result {
	results := make([]engine.Result, len(f.engines))
	start := make(chan struct{})
	var all sync.WaitGroup
	for n := range f.engines {
		all.Go(func() {
			<-start
			results[n] = do(n)
		})
	}
	close(start)
	all.Wait()
	return results
}

func count(results []engine.Result, outcome engine.Outcome) (n int) {
	for _, r := range results {
		if r.Outcome == outcome {
			n++
		}
	}
	return n
}

func errs(results []engine.Result) (all []error) {
	for _, r := range results {
		all = append(all, r.Err())
	}
	return all
}

// crowded runs a function for many subjects, several at a time.
func crowded(subjects, callers int, do func(i int)) {
	var all sync.WaitGroup
	next := make(chan int)
	for range callers {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range subjects {
		next <- i
	}
	close(next)
	all.Wait()
}

// One request that reaches all nodes at once happens once, and each is told of the same transition.
func TestTwinsOnThreeNodesAreOneRequest(t *testing.T) {
	f := newFleet(t)
	crowded(400, 8, func(i int) {
		id := f.make(i)
		for range 3 {
			r := f.request("turn", id)
			results := f.together(func(node int) engine.Result { return f.insist(node, r) })
			// Who had to ask again may have been the one that applied it, and be told that it is already so.
			if applied, already := count(results, engine.Applied), count(results, engine.Already); applied > 1 || applied+already != len(results) {
				t.Errorf("%s: %d of %d were told applied, %d already: %v", id, applied, len(results), already, errs(results))
			}
		}
	})
	f.check()
}

// Of two events that exclude each other one is applied, however the nodes race.
func TestOfAPairContestedByNodesOneIsApplied(t *testing.T) {
	f := newFleet(t)
	crowded(1500, 8, func(i int) {
		id := f.make(i)
		requests := []engine.Request{f.request("ship", id), f.request("cancel", id), f.request("turn", id)}
		results := f.together(func(node int) engine.Result { return f.insist(node+i, requests[node]) })
		won := 0
		for n, r := range results[:2] {
			switch {
			case r.Outcome.Success():
				won++
			case r.Outcome != engine.Stale:
				t.Errorf("%s %s: %v", requests[n].Event, id, r.Err())
			}
		}
		if won != 1 {
			t.Errorf("%s: %d of ship and cancel succeeded: %v, %v", id, won, results[0].Outcome, results[1].Outcome)
		}
	})
	f.check()
}
