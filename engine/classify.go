package engine

// classify says why an event without an edge from here is already done, too late, too early or
// wrong, from the subject's history and the machine's reachability.
func (w *world) classify(it *item, s *subject) verdict {
	past, known := w.historyOf(s)
	if !known {
		return verdict{kind: verdictMore}
	}
	o, d, proof := judge(it.m, it.req.Event, s.state, past)
	return w.answer(it, s, o, d, proof)
}

// judge answers for an event that has no edge from state. past is the subject's history by version.
//
// An event that is neither repeatable nor factual can happen once only (construction has made sure),
// so finding it in history is proof that it is done. A repeatable or factual one under a new key is
// a new request, never a repeat: it can only be too late or too early.
func judge(m *machine, ev Event, state State, past []Transition) (Outcome, Detail, *Transition) {
	spec := m.events[ev]
	if !spec.needsIdentity() {
		if done := lastOf(past, ev); done != nil {
			if entered := entry(past, state); entered != nil && entered.Version == done.Version {
				return Already, SameState, done
			}
			return Already, Superseded, done
		}
		if entered := entry(past, state); leads(m, ev, state) {
			if spec.CountsOther {
				return Already, SameState, entered
			}
			return Stale, ReachedOtherwise, entered
		}
	} else if left := leftFrom(m, ev, past); left != nil {
		return Stale, Passed, left
	}
	if m.graph.reaches(state, ev) {
		return Early, "", nil
	}
	if closed, passed := closing(m, ev, state, past); passed {
		return Stale, Passed, closed
	}
	return Illegal, NoPath, nil
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
