package cluster

import (
	"testing"

	"example.com/orderd/engine"
)

// Who was told of a success finds it on every node: nobody is refused because a node lags behind.
func TestASuccessIsKnownOnEveryNodeAtOnce(t *testing.T) {
	f := newFleet(t)
	crowded(400, 6, func(i int) {
		id := f.make(i)
		for n := 1; n <= 3; n++ {
			if r := f.insist(i+n, f.request("turn", id)); !r.Outcome.Success() {
				t.Errorf("turn %s right after version %d: %v", id, n, r.Err())
			}
			row, err := engine.Load[crate](t.Context(), f.engines[(i+n+1)%3], "crate", id)
			if err != nil || row.Version != int64(n+1) {
				t.Errorf("%s is read as %+v, %v: want version %d", id, row, err, n+1)
			}
		}
		if r := f.insist(i+2, f.request("ship", id)); r.Outcome != engine.Applied && r.Outcome != engine.Already {
			t.Errorf("ship %s: %v", id, r.Err())
		}
		if r := f.insist(i+3, f.request("cancel", id)); r.Outcome != engine.Stale || r.State != "shipped" {
			t.Errorf("cancel %s after its shipment: %v", id, r.Err())
		}
	})
	f.check()
}
