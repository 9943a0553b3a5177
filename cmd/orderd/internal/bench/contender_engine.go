package bench

import (
	"context"
	"fmt"

	"example.com/orderd/engine"
)

// driven is the engine: asked directly by every caller, or through a batcher.
type driven struct {
	label  string
	to     engine.Applier
	filler engine.Applier
	supply supply
}

func (d *driven) name() string { return d.label }

func (d *driven) prepare(ctx context.Context, callers, requests int) error {
	ids, err := place(ctx, d.filler, requests/steps+callers, nil)
	if err != nil {
		return err
	}
	d.supply.fill(callers, ids)
	return nil
}

func (d *driven) step(ctx context.Context, caller, n int) error {
	id, step, err := d.supply.take(caller, n)
	if err != nil {
		return err
	}
	return applied(d.to.Apply(ctx, request(id, events[step])))
}

// applied is an error for every answer but one.
func applied(r engine.Result, err error) error {
	if err == nil && r.Outcome != engine.Applied {
		err = fmt.Errorf("%s %s: %s/%s, want applied", r.ID, r.Event, r.Outcome, r.Detail)
	}
	return err
}

// repeated asks again and again for what has happened already.
type repeated struct {
	to     engine.Applier
	id     string
	filler engine.Applier
}

func (*repeated) name() string { return "duplicates" }

func (d *repeated) prepare(ctx context.Context, _, _ int) error {
	if d.id != "" {
		return nil
	}
	ids, err := place(ctx, d.filler, 1, nil)
	if err != nil {
		return err
	}
	d.id = ids[0]
	return applied(d.to.Apply(ctx, request(d.id, events[0])))
}

func (d *repeated) step(ctx context.Context, _, _ int) error {
	r, err := d.to.Apply(ctx, request(d.id, events[0]))
	if err == nil && r.Outcome != engine.Already {
		err = fmt.Errorf("a duplicate was answered with %s/%s", r.Outcome, r.Detail)
	}
	return err
}

// noted moves orders nowhere, so that one order serves for ever. The callers of one share it, or have
// one each.
type noted struct {
	label  string
	to     []engine.Applier // of several daemons, in turn
	filler engine.Applier
	shared bool
	ids    []string
}

func (d *noted) name() string { return d.label }

func (d *noted) prepare(ctx context.Context, callers, _ int) (err error) {
	n := callers
	if d.shared {
		n = 1
	}
	if len(d.ids) < n {
		d.ids, err = place(ctx, d.filler, n, nil)
	}
	return err
}

func (d *noted) step(ctx context.Context, caller, _ int) error {
	to := d.to[caller%len(d.to)]
	return applied(to.Apply(ctx, request(d.ids[caller%len(d.ids)], noteEvent)))
}
