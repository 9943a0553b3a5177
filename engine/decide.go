package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ref names one subject.
type ref struct{ machine, id string }

// compare is the order in which everybody locks rows.
func (r ref) compare(other ref) int {
	if c := strings.Compare(r.machine, other.machine); c != 0 {
		return c
	}
	return strings.Compare(r.id, other.id)
}

// subject is one subject as a round sees it: as read, then as left by the moves planned so far.
type subject struct {
	ref     ref
	m       *machine
	row     any // nil while there is no such subject
	state   State
	version int64
	moves   []*move // planned in this round, in order
	closed  bool    // the last move runs SQL: nothing may follow it in this round
	held    bool    // a request for it waits for another round, and so does whatever comes after that one
}

// move is one planned transition.
type move struct {
	item    *item
	edge    *edge
	fact    Transition
	fx      Effects
	call    *call
	adopted *Transition // the adoption that goes before it, if the row had none
	subject *subject

	hashes, adoptedHashes rowHashes
}

// world is what one round knows. Rows come from one read; keys from a younger one; the past from a
// younger still.
type world struct {
	engine   *Engine
	lock     locking
	now      time.Time
	nonce    int64       // of this round's transitions: tells their commit from a twin's
	rows     map[ref]any // as read; never changed
	keys     map[Key]*Transition
	pasts    map[ref][]Transition // landmarks, by version
	steps    map[step]*Transition // single transitions; nil where there is none
	subjects map[ref]*subject
	born     map[string]*move // rows that got their keys by being made, by what they were called before

	planned map[Key]*move
	held    map[Key]bool // of requests that wait for another round
	order   []*subject   // with moves, in order of first planning
	told    []func()     // tell observers of what its SQL actions did by ApplyTx, once it is certain

	asked    map[Key]bool // keys that have been looked for
	wantKey  []*item
	wantPast map[ref]bool
	wantStep map[step]bool
	wantRow  map[ref]bool
	fresh    map[ref]bool // rows read again on demand, after the keys
}

// verdict is what a round decides for one item. Exactly one of its kinds holds.
type verdict struct {
	kind   verdictKind
	result Result
	after  *subject // the result stands only if this subject's planned moves commit
}

type verdictKind uint8

const (
	verdictFinal verdictKind = iota // result answers the request
	verdictMove                     // a move was planned; result is its answer once committed
	verdictWait                     // another round, after this one has committed
	verdictMore                     // the world lacks something it was now asked to read
)

// reset forgets what was planned, so that the items can be decided again in a richer world.
func (w *world) reset() {
	w.subjects = map[ref]*subject{}
	w.planned = map[Key]*move{}
	w.held = nil
	w.order = nil
	w.wantKey, w.wantPast, w.wantStep, w.wantRow = nil, map[ref]bool{}, map[step]bool{}, map[ref]bool{}
}

func (w *world) subject(r ref, m *machine) *subject {
	if s := w.subjects[r]; s != nil {
		return s
	}
	s := &subject{ref: r, m: m, row: w.rows[r]}
	if s.row != nil {
		s.state, s.version = m.row.stateOf(s.row), m.row.versionOf(s.row)
	}
	w.subjects[r] = s
	return s
}

// decide judges one item. Only what moves its subject may be decided before its key has been read.
// Requests for one subject, or with one key, are decided in the order in which they came: where one
// waits, the later ones wait behind it.
func (w *world) decide(ctx context.Context, it *item) verdict {
	v := w.judge(ctx, it)
	if v.kind == verdictWait {
		if w.held == nil {
			w.held = map[Key]bool{}
		}
		w.held[it.key] = true
		w.subject(it.ref(), it.m).held = true
	}
	refuses := v.kind == verdictFinal || v.kind == verdictMore
	if !refuses || w.asked[it.key] || it.keyless {
		return v
	}
	w.wantKey = append(w.wantKey, it) // together with what else is wanted
	return verdict{kind: verdictMore}
}

// judge goes through what the outcome table asks for, in its order: key, existence, pins, edges and
// guards, history.
func (w *world) judge(ctx context.Context, it *item) verdict {
	s := w.subject(it.ref(), it.m)
	if v, seen := w.byKey(it, s); seen {
		return v
	}
	if s.closed || s.held || w.held[it.key] {
		return verdict{kind: verdictWait}
	}
	if s.row == nil && it.req.row == nil {
		return w.answer(it, s, NotFound, "", nil)
	}
	if s.row != nil && !it.m.hasState(s.state) {
		return it.fault(it.m.row.states.strange(s.row))
	}
	if v, broken := w.pins(it, s); broken {
		return v
	}
	edges := it.m.edges[s.state][it.req.Event]
	switch {
	case s.row == nil:
		edges = it.m.create[it.req.Event]
	case it.req.row != nil:
		edges = nil // what exists is not moved by a request to make it
	}
	if len(edges) == 0 {
		return w.classify(it, s)
	}
	return w.plan(ctx, it, s, edges)
}

// byKey answers a request whose key has been seen, in history or earlier in this round.
func (w *world) byKey(it *item, s *subject) (verdict, bool) {
	first := w.keys[it.key]
	var pending *subject
	if mv := w.planned[it.key]; mv != nil {
		first, pending = &mv.fact, mv.subject
	}
	if first == nil {
		return verdict{}, false
	}
	if first.Machine != it.m.name || !it.asks(first) {
		detail := KeyReused
		if it.key.isFact() {
			detail = FactMismatch
		}
		if it.req.row != nil && first.Machine == it.m.name { // the row it wanted to make does not exist
			owner, more := w.owner(it, first, pending)
			if more {
				return verdict{kind: verdictMore}, true
			}
			s = owner
		}
		v := w.answer(it, s, Conflict, detail, first)
		if pending != nil {
			v.after = pending
		}
		return v, true
	}
	owner, more := w.owner(it, first, pending)
	if more {
		return verdict{kind: verdictMore}, true
	}
	v := w.answer(it, owner, Already, Replayed, first)
	v.result.ID = first.Subject
	return v, true
}

// owner is the subject of a transition that has an item's key; more says that its row must be read,
// because what is known of it is older than the transition.
func (w *world) owner(it *item, first *Transition, pending *subject) (owner *subject, more bool) {
	at := ref{first.Machine, first.Subject}
	owner = w.subject(at, it.m)
	if pending == nil && !w.fresh[at] && (owner.row == nil || owner.version < first.Version) {
		w.wantRow[at] = true
		return nil, true
	}
	return owner, false
}

// pins refuses a request whose pinned version or state no longer holds, unless the very next
// transition is this caller's own same request. Two different keys say that it is not.
func (w *world) pins(it *item, s *subject) (verdict, bool) {
	r := it.req
	if s.row == nil || (r.IfVersion == 0 || r.IfVersion == s.version) && (r.IfState == "" || r.IfState == s.state) {
		return verdict{}, false
	}
	if r.IfVersion == 0 || r.IfVersion >= s.version {
		return w.answer(it, s, Stale, VersionMoved, nil), true
	}
	next, known := w.stepOf(s, r.IfVersion+1)
	if !known {
		return verdict{kind: verdictMore}, true
	}
	if next != nil && next.repeats(r.Key, it.print, r.Actor) {
		return w.answer(it, s, Already, Replayed, next), true
	}
	return w.answer(it, s, Stale, VersionMoved, next), true
}

// plan takes the first edge whose guards pass and computes the transition in memory.
func (w *world) plan(ctx context.Context, it *item, s *subject, edges []*edge) verdict {
	before, creating := s.row, s.row == nil
	if creating {
		before = it.req.row
	}
	c := &call{
		subject: before, input: it.input, request: it.req,
		from: s.state, version: s.version + 1, now: w.now,
	}
	if !creating && s.version == 0 {
		c.version = 2 // adoption takes 1
	}
	taken, refused, err := choose(ctx, edges, c, it.m.row.copyRow)
	if err != nil {
		return it.fault(err)
	}
	if taken == nil {
		v := w.answer(it, s, Illegal, GuardRefused, nil)
		v.result.Refused = refused
		return v
	}
	if it.req.Token != "" && !taken.spends {
		return it.fault(&RequestError{Field: "Token", Problem: "is given, but this event spends none"})
	}
	if !taken.foldable() && len(s.moves) > 0 {
		return verdict{kind: verdictWait}
	}
	mv := &move{item: it, edge: taken, call: c, subject: s}
	if v, refused := w.compute(mv, before); refused {
		return v
	}
	if it.req.DryRun {
		s.state, s.version = taken.to, c.version // what would be; a dry run is alone in its world
		return w.answer(it, s, Applied, "", nil)
	}
	if !creating && s.version == 0 {
		mv.adopted = w.adoption(s)
	}
	if err := mv.hash(s, before); err != nil {
		return it.fault(err)
	}
	if len(s.moves) == 0 {
		w.order = append(w.order, s)
	}
	s.row, s.state, s.version = c.subject, taken.to, c.version
	s.moves = append(s.moves, mv)
	s.closed = !taken.foldable()
	w.planned[it.key] = mv
	result := it.applied(mv.fact)
	result.row = c.subject
	return verdict{kind: verdictMove, result: result, after: s}
}

// compute runs the Set actions on a copy of the row and fills in the transition.
func (w *world) compute(mv *move, before any) (verdict, bool) {
	it, rows, c := mv.item, mv.item.m.row, mv.call
	row, err := rows.copyRow(before)
	if err != nil {
		return it.fault(err), true
	}
	c.subject, c.to = row, mv.edge.to
	id, state, version := rows.idOf(row), rows.stateOf(row), rows.versionOf(row)
	for _, a := range mv.edge.sets {
		var no error
		if err := panicAsError(a.name, func() error { no = a.set(c, &mv.fx); return nil }); err != nil {
			return it.fault(err), true
		}
		if no == nil {
			no = mv.fx.err
		}
		if no != nil {
			return w.actionFailed(mv, a.name, no), true
		}
		if err := rows.lost(before, row, c.from == ""); err != nil {
			return it.fault(&ActionError{Action: a.name, Err: err}), true
		}
		if c.from != "" && mv.subject.isNew(c) && rows.lost(before, row, true) != nil {
			return verdict{kind: verdictWait}, true // the INSERT would not write it, an update of its own does
		}
	}
	if rows.idOf(row) != id || rows.stateOf(row) != state || rows.versionOf(row) != version {
		return it.fault(errors.New("an action changed the key, the state or the version of the row")), true
	}
	for _, t := range mv.fx.timers {
		if it.m.events[t.event] == nil {
			return it.fault(fmt.Errorf("timer %s: the machine has no event %q", t.name, t.event)), true
		}
	}
	if err := rows.move(row, c.to, c.version, c.now); err != nil {
		return it.fault(err), true
	}
	if mv.subject.isNew(c) {
		if err := rows.fill(row, c.now); err != nil {
			return it.fault(err), true
		}
	}
	mv.fact = Transition{
		Machine: it.m.name, Subject: mv.subject.ref.id, Version: c.version,
		Event: it.req.Event, From: c.from, To: c.to,
		Key: it.key, Fingerprint: it.print, nonce: w.nonce,
		Actor: it.req.Actor, Reason: it.req.Reason, Input: it.canonical,
		Messages: len(mv.fx.messages), MachineVersion: it.m.desc.Hash, At: c.now,
	}
	return verdict{}, false
}

// actionFailed tells a refusal from a fault.
func (w *world) actionFailed(mv *move, name string, err error) verdict {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return mv.item.fault(&ActionError{Action: name, Err: err})
	}
	v := w.answer(mv.item, mv.subject, Illegal, GuardRefused, nil)
	v.result.Refused = []Refused{{Guard: name, Reason: refusal.Reason}}
	return v
}

// undo answers an item whose SQL failed: its subject is where it was.
func (w *world) undo(mv *move, bad culprit) verdict {
	s := mv.subject
	s.moves, s.state, s.version = nil, mv.call.from, mv.call.version-1
	s.ref = mv.item.ref() // whatever key its row had got
	if mv.adopted != nil {
		s.version = 0
	}
	return w.actionFailed(mv, bad.action, bad.err)
}

// adoption is the first transition of a row that the engine did not create.
func (w *world) adoption(s *subject) *Transition {
	t := adoptionOf(s.m, s.ref.id, s.state, w.now)
	return &t
}

// answer builds a result about a subject as it stands in this round.
func (w *world) answer(it *item, s *subject, o Outcome, d Detail, proof *Transition) verdict {
	r := Result{
		Outcome: o, Detail: d, Machine: it.m.name, ID: s.ref.id, Event: it.req.Event,
		State: s.state, Version: s.version, DryRun: it.req.DryRun,
		RetryAfter: retryAfter(o, d),
	}
	if d == Passed {
		r.PossibleFrom = it.m.graph.possibleFrom(s.state, it.req.Event)
	}
	if proof != nil {
		p := *proof
		r.Proof = shown(p)
	}
	v := verdict{result: r}
	if len(s.moves) > 0 {
		v.after = s
	}
	return v
}

// shown hides the key that the engine drew for a call without one, and what only the engine compares.
func shown(t Transition) *Transition {
	t.filledIn = nil
	if t.Key.Source == sourceCall {
		t.Key = Key{}
	}
	return &t
}

func retryAfter(o Outcome, d Detail) time.Duration {
	switch {
	case o == Early:
		return 5 * time.Second
	case o == Conflict && d == LostRace, o == Unavailable:
		return time.Second
	case o == Unknown:
		return 2 * time.Second
	}
	return 0
}
