package engine

import (
	"bytes"
	"slices"
)

// classify says why an event without an edge from here is already done, too late, too early or
// wrong, from the subject's past and the machine's reachability. What is already done must be the same
// thing: with other input it is a conflict, and the first stays.
func (w *world) classify(it *item, s *subject) verdict {
	past, known := w.pastOf(s)
	if !known {
		return verdict{kind: verdictMore}
	}
	o, d, proof := whyNoEdge(it.m, it.req.Event, s.state, past)
	made := it.req.row != nil && len(past) > 0 && past[0].Event == it.req.Event && past[0].From == ""
	if made {
		proof = &past[0] // whatever the machine says of the event later, what exists was made by it
	}
	if proof != nil && proof.cut {
		whole, known := w.stepOf(s, proof.Version)
		if !known {
			return verdict{kind: verdictMore}
		}
		if whole != nil {
			proof = whole
		}
	}
	if (o == Already || made) && !it.sameAs(proof) {
		o, d = Conflict, InputDiffers
	}
	return w.answer(it, s, o, d, proof)
}

// sameAs reports whether the request says nothing else than the transition that proves it done. A
// request that says nothing agrees with any.
func (it *item) sameAs(t *Transition) bool {
	switch {
	case it.blank:
		return true
	case t == nil: // nobody knows how the row came there, as it is not adopted yet
		return false
	case it.req.row != nil: // of a new row only the fingerprint is kept
		return it.asks(t)
	case bytes.Equal(it.canonical, t.Input):
		return true
	}
	spec := it.m.events[it.req.Event]
	// It may have been written by a program that knew fewer fields of the input, or had them in
	// another order.
	_, then, err := spec.decode(t.Input)
	return err == nil && len(t.Input) > 0 && bytes.Equal(spec.shape.instants(it.canonical), spec.shape.instants(then))
}

// whyNoEdge answers for an event that has no edge from state. past is the subject's landmarks by version.
//
// An event that is neither repeatable nor factual can happen once only (construction has made sure),
// so finding it in history is proof that it is done. A repeatable or factual one under a new key is
// a new request, never a repeat: it can only be too late or too early.
func whyNoEdge(m *machine, ev Event, state State, past []Transition) (Outcome, Detail, *Transition) {
	spec := m.events[ev]
	found, first, adopted := foundIn(past, state)
	declared := adopted && slices.Contains(m.graph.adopted[found], ev)
	if !spec.needsIdentity() {
		if done := lastOf(past, ev); done != nil {
			if entered := entry(past, state); entered != nil && entered.Version == done.Version {
				return Already, SameState, done
			}
			return Already, Superseded, done
		}
		if declared {
			if state == found && (first == nil || entry(past, state) == first) && leads(m, ev, state) {
				return Already, SameState, first
			}
			return Already, Superseded, first
		}
		if entered := entry(past, state); leads(m, ev, state) {
			if spec.CountsOther {
				return Already, SameState, entered
			}
			return Stale, ReachedOtherwise, entered
		}
	} else if left := leftFrom(m, ev, past); left != nil {
		return Stale, Passed, left
	} else if declared {
		return Stale, Passed, first
	}
	if m.graph.reaches(state, ev) {
		return Early, "", nil
	}
	if closed, passed := closing(m, ev, state, past); passed {
		return Stale, Passed, closed
	}
	if adopted && m.graph.mustHaveReached(found, ev) {
		return Stale, Passed, first
	}
	return Illegal, NoPath, nil
}

// foundIn is the state in which the engine found a subject that it did not create, and its adoption, nil if the row
// is not adopted yet.
func foundIn(past []Transition, state State) (found State, first *Transition, adopted bool) {
	switch {
	case len(past) == 0:
		return state, nil, true
	case past[0].Event == eventAdopt && past[0].From == "":
		return past[0].To, &past[0], true
	}
	return "", nil, false
}

// lastOf is the latest transition of an event.
func lastOf(past []Transition, ev Event) *Transition {
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].Event == ev {
			return &past[i]
		}
	}
	return nil
}

// entry is the transition that entered the state the subject is in now; self-loops do not count.
func entry(past []Transition, state State) *Transition {
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].To == state && past[i].From != state {
			return &past[i]
		}
	}
	return nil
}

func leads(m *machine, ev Event, state State) bool {
	for _, t := range m.graph.to[ev] {
		if t == state {
			return true
		}
	}
	return false
}

// leftFrom is the transition that last left a state in which the event was possible, or the event's
// own last occurrence.
func leftFrom(m *machine, ev Event, past []Transition) *Transition {
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].Event == ev {
			return &past[i]
		}
		for _, f := range m.graph.from[ev] {
			if past[i].From == f && past[i].To != f {
				return &past[i]
			}
		}
	}
	return nil
}

// closing reports whether the event was reachable from a state the subject has been in, and which
// transition ended that.
func closing(m *machine, ev Event, state State, past []Transition) (*Transition, bool) {
	for i := len(past) - 1; i >= 0; i-- {
		t := past[i]
		if t.From != "" && m.graph.reaches(t.From, ev) && !m.graph.reaches(t.To, ev) {
			return &past[i], true
		}
	}
	return nil, m.graph.reaches(state, ev)
}
