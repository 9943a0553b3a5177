package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
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
	Proof    *engine.Transition
	Possible bool
}

// choicesOf splits what the engine says into what is possible now and what is not, the nearest first.
func (a *admin) choicesOf(state engine.State, all []engine.Possibility, p auth.Principal, now time.Time) (possible, not []choice) {
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
	if c.Detail == engine.NoPath {
		return len(order)
	}
	return slices.Index(order, c.Outcome)
}

func (a *admin) choiceOf(state engine.State, one engine.Possibility, p auth.Principal, now time.Time) choice {
	c := choice{
		Event: one.Event, Possible: one.Allowed, Outcome: one.Outcome, Detail: one.Detail,
		Refused: one.Refused, Proof: one.Proof,
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
		c.Why = a.whyNot(one, now)
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

// whyNot is the reason in a sentence. The names of outcome and detail stand beside it.
func (a *admin) whyNot(one engine.Possibility, now time.Time) string {
	switch one.Outcome {
	case engine.Early:
		return "Not possible yet. It needs the order to be " + plainList(a.statesWith(one.Event)) + "."
	case engine.Already:
		if one.Detail == engine.Superseded {
			return "It has happened" + proofText(one.Proof, now) + ", and the order has moved on since."
		}
		return "It has happened" + proofText(one.Proof, now) + "."
	case engine.Stale:
		if one.Detail == engine.ReachedOtherwise && one.Proof != nil {
			return "The order is there already, by " + plain(one.Proof.Event) + proofText(one.Proof, now) + "."
		}
		return "Too late: it needs the order to be " + plainList(a.statesWith(one.Event)) + ", and that will not come again."
	}
	switch {
	case len(one.Refused) > 0:
		return "A condition is not met."
	case one.Detail == engine.NoPath:
		return "Never possible for this order."
	}
	return problem.KindOf(problem.Code(one.Outcome), one.Detail).Title + "."
}

func proofText(t *engine.Transition, now time.Time) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf(" %s (version %d)", relative(t.At, now), t.Version)
}

// statesWith are the states that an event has a step from.
func (a *admin) statesWith(event engine.Event) []engine.State {
	var states []engine.State
	for _, e := range a.machine.Edges {
		if e.Event == event && e.From != "" && !slices.Contains(states, e.From) {
			states = append(states, e.From)
		}
	}
	return states
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
