package enginetest

import (
	"context"
	"sync/atomic"

	"example.com/orderd/engine"
)

// Turns asks several Appliers in turn, as a load balancer in front of several processes does. It is safe
// for concurrent use.
type Turns struct {
	all  []engine.Applier
	next atomic.Uint64
}

// InTurn returns Turns of some Appliers.
func InTurn(all ...engine.Applier) *Turns { return &Turns{all: all} }

// Apply asks the Applier whose turn it is.
func (t *Turns) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	return t.turn().Apply(ctx, r)
}

// ApplyAll asks the Applier whose turn it is.
func (t *Turns) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	return t.turn().ApplyAll(ctx, rs)
}

func (t *Turns) turn() engine.Applier {
	return t.all[t.next.Add(1)%uint64(len(t.all))]
}
