package verify

import (
	"slices"

	"example.com/orderd/engine"
)

// timer is a row of a timer.
type timer struct {
	name, event, status string
	due, next, armed    moment
	arming, tries       int64
	problem             string
}

func (r *record) timer() timer {
	return timer{
		name: r.event, event: r.to.String, status: r.from.String, due: r.end, next: r.next, armed: r.at,
		arming: r.messages, tries: r.nonce, problem: r.reason,
	}
}

// noted is a timer as history has armed it in a visit.
type noted struct {
	engine.NotedTimer
	version  int64 // of the transition that armed it last
	at       moment
	stopped  bool // that was the last word
	later    bool // the subject has moved since, within the visit
	happened bool // by its event
}

// visit is the stay of a subject in one state, which its timers belong to.
type visit struct {
	entered int64 // version of its beginning
	rows    []timer
	noted   []*noted
	unnoted bool // a program that did not note timers has had a part in it
}

func (v *visit) timer(name string) *noted {
	i := slices.IndexFunc(v.noted, func(n *noted) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return v.noted[i]
}

// timers follows the timers of a subject through one transition. rows are those of the visit that it
// begins; a self-loop begins none.
func (t *trail) timers(s *step, rows []timer) {
	if s.from != s.to {
		for _, one := range s.timers {
			t.visit.stop(one) // on the way out
		}
		t.visit.unnoted = t.visit.unnoted || s.unhashed
		t.closeVisit(false)
		t.visit = visit{entered: s.version, rows: rows}
	} else if len(rows) > 0 {
		t.found(Timers, s.version, "%d timers, such as %s, belong to a transition that entered no state", len(rows), rows[0].name)
	}
	t.visit.unnoted = t.visit.unnoted || s.unhashed
	for _, n := range t.visit.noted {
		n.later, n.happened = true, n.happened || string(n.Event) == s.event
	}
	for _, one := range s.timers {
		n := t.visit.timer(one.Name)
		switch {
		case one.Event == "":
			t.visit.stop(one)
		case n == nil:
			t.visit.noted = append(t.visit.noted, &noted{NotedTimer: one, version: s.version, at: s.at})
		default:
			*n = noted{NotedTimer: one, version: s.version, at: s.at}
		}
	}
}

// stop notes what a transition has stopped.
func (v *visit) stop(one engine.NotedTimer) {
	if n := v.timer(one.Name); n != nil && one.Event == "" {
		n.stopped = true
	}
}

// closeVisit compares the timers of a visit with what history says of them. Those of a visit that is
// over may have been removed.
func (t *trail) closeVisit(current bool) {
	if t.visit.unnoted {
		return
	}
	for _, row := range t.visit.rows {
		n := t.visit.timer(row.name)
		if n == nil {
			t.found(Timers, t.visit.entered, "no transition of this visit armed the timer %s", row.name)
			continue
		}
		if problem := n.against(row, current); problem != "" {
			t.found(Timers, n.version, "the timer %s %s", row.name, problem)
		}
		t.visit.noted = slices.DeleteFunc(t.visit.noted, func(other *noted) bool { return other == n })
	}
	for _, n := range t.visit.noted {
		if current && !n.stopped && !n.happened {
			t.found(Timers, n.version, "the timer %s, armed here for %s, is gone", n.Name, n.Event)
		}
	}
}

// against says what a row has that its timer cannot have; nothing if it is as it should be. A timer waits
// for its time, unless something has gone wrong or its subject moved when it was about to fire.
func (n *noted) against(row timer, current bool) string {
	if row.event != string(n.Event) || !row.due.Equal(n.DueAt) || !row.armed.is(n.at) || row.arming != n.version {
		return "is not as it was armed here"
	}
	waits := row.status == "armed" || row.status == "parked"
	switch {
	case !waits && row.status != "fired" && row.status != "stopped":
		return "is neither armed nor fired nor stopped nor parked"
	case waits && n.stopped:
		return "is " + row.status + ", though it was stopped"
	case waits && (row.next.Before(row.due.Time) || row.problem == "" && (row.tries > 0 || row.status == "parked")),
		waits && current && row.problem == "" && !n.later && !row.next.is(row.due):
		return "does not wait for its time, though nothing has gone wrong"
	case !waits && current && !n.stopped && !n.happened:
		return "has ended, though its event did not happen and nothing stopped it"
	}
	return ""
}
