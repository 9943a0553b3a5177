package admin

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/words"
	"example.com/orderd/engine"
)

// choice is one event of the machine as the order stands: what it would do, or why it cannot.
type choice struct {
	Event    engine.Event
	To       []engine.State // where it would lead; several where the input decides
	Act      bool           // with a button
	Why      string         // without one: the reason, in a sentence
	Refused  []engine.Refused
	Needs    string // what a request must bring along
	Outcome  engine.Outcome
	Detail   engine.Detail
	Possible bool
	Ahead    bool // there is a state ahead from which it is possible
}

// choicesOf splits what the engine says into what is possible now and what is not, the nearest first.
func (a *admin) choicesOf(state engine.State, all []engine.Possibility, p auth.Principal,
	now time.Time) (possible, not []choice) {
	for _, one := range all {
		c := a.choiceOf(state, one, p, now)
		if c.Possible {
			possible = append(possible, c)
		} else {
			not = append(not, c)
		}
	}
	slices.SortStableFunc(possible, func(x, y choice) int {
		return cmp.Or(rankAct(x)-rankAct(y), a.place(x.Event)-a.place(y.Event))
	})
	slices.SortStableFunc(not, func(x, y choice) int {
		return cmp.Or(rankOf(x)-rankOf(y), a.place(x.Event)-a.place(y.Event))
	})
	return possible, not
}

// place is where the definition first names an event: roughly when it comes in an order's life.
func (a *admin) place(event engine.Event) int {
	return slices.IndexFunc(a.machine.Edges, func(e engine.DescribedEdge) bool { return e.Event == event })
}

func rankAct(c choice) int {
	if c.Act {
		return 0
	}
	return 1
}

// rankOf puts what may still come before what has been.
func rankOf(c choice) int {
	order := []engine.Outcome{engine.Early, engine.Illegal, engine.Already, engine.Stale}
	switch {
	case c.Ahead:
		return 0
	case c.Detail == engine.NoPath:
		return len(order)
	}
	return slices.Index(order, c.Outcome)
}

func (a *admin) choiceOf(state engine.State, one engine.Possibility, p auth.Principal, now time.Time) choice {
	c := choice{
		Event: one.Event, Possible: one.Allowed, Outcome: one.Outcome, Detail: one.Detail,
		Refused: one.Refused, Ahead: len(one.PossibleFrom) > 0,
	}
	if one.Allowed {
		c.To = []engine.State{one.To}
	}
	if one.Allowed && one.NeedsInput {
		c.To = a.targets(state, one.Event)
	}
	switch {
	case one.NeedsInput && one.NeedsIdentity:
		c.Needs = "Needs input and a key"
	case one.NeedsInput:
		c.Needs = "Needs input"
	case one.NeedsIdentity:
		c.Needs = "Needs a key"
	}
	if !one.Allowed {
		c.Why = words.WhyNot(a.machine.Name, one, func(at time.Time) string { return relative(at, now) })
		return c
	}
	roles := auth.Events[one.Event]
	switch {
	case !p.May(roles):
		c.Why = "Possible, but not for your key: it takes the role " + strings.ReplaceAll(rolesText(roles), ", ", " or ") + "."
	case one.NeedsInput:
		c.Why = "Possible, but it has to be told more than a reason: send it by the API or the command line."
	default:
		c.Act = true
	}
	return c
}

// targets are the states that an event leads to from a state.
func (a *admin) targets(from engine.State, event engine.Event) []engine.State {
	var states []engine.State
	for _, e := range a.machine.Edges {
		if e.Event == event && e.From == from && !slices.Contains(states, e.To) {
			states = append(states, e.To)
		}
	}
	return states
}
