package engine

import "slices"

// graph answers questions of reachability on a description. It is built once and read only.
type graph struct {
	states []State // all, in the order of the description

	next map[State][]State        // one step, sorted, without creation
	from map[Event][]State        // from-states of an event, without creation
	to   map[Event][]State        // its targets, creation included
	all  map[State]map[State]bool // states reachable in any number of steps, the state itself included

	starts  []State           // where subjects begin: targets of creation, or else what no edge of another state leads to
	adopted map[State][]Event // what rows have gone through that were found in a state
}

func newGraph(d Description) *graph {
	g := &graph{
		next: map[State][]State{}, from: map[Event][]State{}, to: map[Event][]State{},
		all: map[State]map[State]bool{}, adopted: map[State][]Event{},
	}
	entered := map[State]bool{}
	for _, e := range d.Edges {
		g.to[e.Event] = appendNew(g.to[e.Event], e.To)
		if e.From != "" {
			g.from[e.Event] = appendNew(g.from[e.Event], e.From)
			g.next[e.From] = appendNew(g.next[e.From], e.To)
			entered[e.To] = entered[e.To] || e.From != e.To
		} else {
			g.starts = appendNew(g.starts, e.To)
		}
	}
	created := len(g.starts) > 0
	for _, s := range d.States {
		g.states = append(g.states, s.Name)
		g.all[s.Name] = g.walk(s.Name)
		g.adopted[s.Name] = s.Adopted
		if !created && !entered[s.Name] {
			g.starts = append(g.starts, s.Name)
		}
	}
	return g
}

// mustHaveReached reports whether a row in s has been in a state from which e could be reached, however it came
// there: every start that leads to s reaches e.
func (g *graph) mustHaveReached(s State, e Event) bool {
	led := false
	for _, start := range g.starts {
		if g.all[start][s] {
			if led = g.reaches(start, e); !led {
				return false
			}
		}
	}
	return led
}

func appendNew(states []State, s State) []State {
	if slices.Contains(states, s) {
		return states
	}
	return append(states, s)
}

func (g *graph) walk(start State) map[State]bool {
	seen := map[State]bool{start: true}
	for todo := []State{start}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		for _, n := range g.next[s] {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return seen
}

// reaches reports whether e is possible in s or in a state reachable from s.
func (g *graph) reaches(s State, e Event) bool {
	for _, f := range g.from[e] {
		if g.all[s][f] {
			return true
		}
	}
	return false
}

// possibleFrom are the states, reachable from s, in which e is possible, in the order of the machine's
// states. It is never nil, so that nobody takes "never" for "not said".
func (g *graph) possibleFrom(s State, e Event) []State {
	possible := []State{}
	for _, f := range g.states {
		if g.all[s][f] && slices.Contains(g.from[e], f) {
			possible = append(possible, f)
		}
	}
	return possible
}

// again reports whether e can validly happen a second time to one subject, and from which state.
func (g *graph) again(e Event) (State, bool) {
	for _, t := range g.to[e] {
		for _, f := range g.from[e] {
			if g.all[t][f] {
				return f, true
			}
		}
	}
	return "", false
}

// path is a shortest way from one state to another, both ends included; nil if there is none.
func (g *graph) path(from, to State) []State {
	before := map[State]State{from: from}
	for todo := []State{from}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		if s == to {
			way := []State{s}
			for s != from {
				s = before[s]
				way = append(way, s)
			}
			slices.Reverse(way)
			return way
		}
		for _, n := range g.next[s] {
			if _, seen := before[n]; !seen {
				before[n] = s
				todo = append(todo, n)
			}
		}
	}
	return nil
}
