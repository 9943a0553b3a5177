package engine

import (
	"context"
	"fmt"
)

// Possibility says whether an event could be applied to a subject now, and why not.
type Possibility struct {
	Event   Event
	Allowed bool  // an edge exists and every guard that needs no input passes
	To      State // where it would lead, if allowed; of several edges the first that could be taken

	// NeedsInput: guards that look at the input were left out; a dry run with the input tells.
	NeedsInput bool

	// NeedsIdentity: a request must carry a key or a pinned version.
	NeedsIdentity bool

	// Why not: the outcome a request would get, with its detail, proof and refusals.
	Outcome Outcome
	Detail  Detail
	Proof   *Transition
	Refused []Refused

	// PossibleFrom says on early from which states ahead it is possible, and on stale/passed from which it
	// would be possible again. Empty means none.
	PossibleFrom []State
}

// Allowed tells for every event of the machine, sorted by name, what a request for it would meet. It
// writes nothing. It matches ErrNotFound for an unknown subject.
func (e *Engine) Allowed(ctx context.Context, machine, id string) ([]Possibility, error) {
	m, err := e.machine(machine)
	if err != nil {
		return nil, err
	}
	probe := &item{m: m, req: Request{Machine: machine, ID: id}, keyless: true}
	w, err := e.read(ctx, e.db, []*item{probe}, lockNothing)
	if err != nil {
		return nil, err
	}
	s := w.subject(probe.ref(), m)
	if s.row == nil {
		return nil, Result{Outcome: NotFound, Machine: machine, ID: id}.Err()
	}
	w.wantPast[s.ref] = true
	if err := e.db.Read(ctx, e.pastReadings(e.db, w)); err != nil {
		return nil, err
	}
	past, err := e.whole(ctx, w, s)
	if err != nil {
		return nil, err
	}
	var all []Possibility
	for _, ev := range m.desc.Events {
		p, err := w.possible(ctx, m, s, ev.Name, past)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// whole is a subject's landmarks with their inputs, however long.
func (e *Engine) whole(ctx context.Context, w *world, s *subject) ([]Transition, error) {
	past, _ := w.pastOf(s)
	for _, t := range past {
		if t.cut {
			w.wantStep[step{s.ref, t.Version}] = true
		}
	}
	if err := e.db.Read(ctx, stepReadings(e.db, w)); err != nil {
		return nil, err
	}
	for i, t := range past {
		if full := w.steps[step{s.ref, t.Version}]; full != nil {
			past[i] = *full
		}
	}
	return past, nil
}

// possible tries the guards of one event that can be tried without its input.
func (w *world) possible(ctx context.Context, m *machine, s *subject, ev Event, past []Transition) (Possibility, error) {
	p := Possibility{Event: ev, NeedsIdentity: m.events[ev].needsIdentity()}
	edges := m.edges[s.state][ev]
	if len(edges) == 0 {
		p.Outcome, p.Detail, p.Proof = whyNoEdge(m, ev, s.state, past)
		if p.Outcome == Early || p.Detail == Passed {
			p.PossibleFrom = m.graph.possibleFrom(s.state, ev)
		}
		if p.Proof != nil {
			p.Proof = shown(*p.Proof)
		}
		return p, nil
	}
	triable := make([]*edge, len(edges))
	for i, full := range edges {
		cut := *full
		cut.guards = nil
		for _, g := range full.guards {
			if g.needsInput {
				p.NeedsInput = true
			} else {
				cut.guards = append(cut.guards, g)
			}
		}
		triable[i] = &cut
	}
	c := &call{subject: s.row, from: s.state, version: s.version + 1, now: w.now,
		request: Request{Machine: m.name, ID: s.ref.id, Event: ev}}
	taken, refused, err := choose(ctx, triable, c, m.row.copyRow)
	switch {
	case err != nil:
		return p, fmt.Errorf("%s %s: %s: %w", m.name, s.ref.id, ev, err)
	case taken == nil:
		p.Outcome, p.Detail, p.Refused = Illegal, GuardRefused, refused
	default:
		p.Allowed, p.To, p.Outcome = true, taken.to, Applied
	}
	return p, nil
}
