package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is one place of a definition where duplicates deserve a thought. A finding is advice: the
// mistakes that would let a duplicate act twice are refused by NewMachine already.
type Finding struct {
	Kind   FindingKind `json:"kind"`
	State  State       `json:"state,omitempty"`
	Events []Event     `json:"events,omitempty"`
	Text   string      `json:"text"`
}

// FindingKind is a rule of the lint.
type FindingKind string

// The rules.
const (
	FindingCycle        FindingKind = "cycle"         // an event can come round again
	FindingSelfLoop     FindingKind = "self_loop"     // an event leaves the state as it is
	FindingSharedTarget FindingKind = "shared_target" // several events lead to one state
	FindingUnreachable  FindingKind = "unreachable"   // no path from a creation
	FindingDeadEnd      FindingKind = "dead_end"      // one can enter and not leave, though others of its kind can
)

// Lint looks at a description for what matters to duplicates: where an event can happen again (so
// that its requests need keys), where a state can be reached by several events (so that "already"
// needs a decision), and states that cannot be reached or left. Findings are sorted by kind, then
// state, then event.
func (d Description) Lint() []Finding {
	g := newGraph(d)
	var found []Finding
	found = append(found, lintRepeats(d, g)...)
	found = append(found, lintSharedTargets(d)...)
	found = append(found, lintReach(d, g)...)
	slices.SortStableFunc(found, func(a, b Finding) int {
		if c := strings.Compare(string(a.Kind), string(b.Kind)); c != 0 {
			return c
		}
		return strings.Compare(string(a.State), string(b.State))
	})
	return found
}

func lintRepeats(d Description, g *graph) []Finding {
	var found []Finding
	for _, ev := range d.Events {
		for _, e := range d.Edges {
			if e.Event == ev.Name && e.From == e.To {
				found = append(found, Finding{
					Kind: FindingSelfLoop, State: e.From, Events: []Event{e.Event},
					Text: fmt.Sprintf("%s leaves %s as it is: only a key or a pinned version tells a second request from a repeat",
						e.Event, e.From),
				})
			}
		}
		back, again := g.again(ev.Name)
		if !again || loopsOnly(d, ev.Name) {
			continue
		}
		var way string
		for _, t := range g.to[ev.Name] {
			if p := g.path(t, back); p != nil {
				way = joinStates(p)
				break
			}
		}
		found = append(found, Finding{
			Kind: FindingCycle, State: back, Events: []Event{ev.Name},
			Text: fmt.Sprintf("%s can happen again (%s): a late duplicate would be applied, so its requests need a key or a "+
				"pinned version", ev.Name, way),
		})
	}
	return found
}

// loopsOnly reports whether an event consists of self-loops that cannot follow one another.
func loopsOnly(d Description, ev Event) bool {
	for _, e := range d.Edges {
		if e.Event == ev && e.From != e.To {
			return false
		}
	}
	return true
}

func joinStates(states []State) string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	return strings.Join(words, " → ")
}

func lintSharedTargets(d Description) []Finding {
	counts := map[Event]bool{}
	for _, ev := range d.Events {
		counts[ev.Name] = ev.CountsOther || ev.Repeatable || ev.Factual
	}
	var found []Finding
	for _, s := range d.States {
		var events, undecided []Event
		for _, e := range d.Edges {
			if e.To == s.Name && e.From != "" && e.From != e.To && !slices.Contains(events, e.Event) {
				events = append(events, e.Event)
				if !counts[e.Event] {
					undecided = append(undecided, e.Event)
				}
			}
		}
		if len(events) > 1 && len(undecided) > 0 {
			found = append(found, Finding{
				Kind: FindingSharedTarget, State: s.Name, Events: events,
				Text: fmt.Sprintf("%s is reached by several events; a keyless %s after another one is answered "+
					"stale/reached_otherwise unless it is declared CountsOther", s.Name, undecided[0]),
			})
		}
	}
	return found
}

func lintReach(d Description, g *graph) []Finding {
	reachable, created := map[State]bool{}, false
	for _, s := range d.States {
		if s.Initial {
			created = true
			for r := range g.all[s.Name] {
				reachable[r] = true
			}
		}
	}
	var found []Finding
	for _, s := range d.States {
		if created && !reachable[s.Name] {
			found = append(found, Finding{Kind: FindingUnreachable, State: s.Name,
				Text: fmt.Sprintf("no path from a creation leads to %s: only adopted rows can be there", s.Name)})
		}
		if trap(g, s) {
			found = append(found, Finding{Kind: FindingDeadEnd, State: s.Name,
				Text: fmt.Sprintf("from %s no final state can be reached", s.Name)})
		}
	}
	// A machine all of whose final states are meant is no finding; one without any is.
	return found
}

// trap reports whether a subject in s can move but never come to an end.
func trap(g *graph, s DescribedState) bool {
	if s.Final {
		return false
	}
	for r := range g.all[s.Name] {
		if len(g.next[r]) == 0 {
			return false
		}
	}
	return true
}
