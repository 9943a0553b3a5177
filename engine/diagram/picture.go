package diagram

import "example.com/orderd/engine"

// picture is a description as it is drawn: states by index, and one arrow for each ordered pair of
// states however many events lead along it.
type picture struct {
	name   string
	states []shape
	arrows []arrow
}

// shape is a state to draw.
type shape struct {
	name    engine.State
	initial bool
	final   bool
}

// outside is the end of an arrow that comes from no state: the creating arrows start there.
const outside = -1

// arrow stands for all events between two states, in the order of the definition.
type arrow struct {
	from, to int // indexes into picture.states; from may be outside
	labels   []label
}

// label is one event on an arrow.
type label struct {
	event  engine.Event
	guards []string
}

func (a arrow) loop() bool     { return a.from == a.to }
func (a arrow) creating() bool { return a.from == outside }

// newPicture reads a description leniently: states that only edges mention are added, repeated ones
// are dropped, and an initial state without a creating edge gets an arrow without a label, so that
// a description from an older deploy is drawn rather than refused.
func newPicture(d engine.Description) *picture {
	p := &picture{name: d.Name}
	index := map[engine.State]int{}
	add := func(s engine.State) int {
		i, known := index[s]
		if !known {
			i = len(p.states)
			index[s] = i
			p.states = append(p.states, shape{name: s})
		}
		return i
	}
	for _, s := range d.States {
		if s.Name == "" {
			continue
		}
		i := add(s.Name)
		p.states[i].initial = p.states[i].initial || s.Initial
		p.states[i].final = p.states[i].final || s.Final
	}
	arrows := map[[2]int]int{}
	for _, e := range d.Edges {
		if e.To == "" {
			continue
		}
		from := outside
		if e.From != "" {
			from = add(e.From)
		}
		p.addEdge(arrows, from, add(e.To), e)
	}
	p.markInitial(arrows)
	return p
}

// addEdge puts an edge on the arrow between its states, which it makes when there is none.
func (p *picture) addEdge(arrows map[[2]int]int, from, to int, e engine.DescribedEdge) {
	key := [2]int{from, to}
	i, known := arrows[key]
	if !known {
		i = len(p.arrows)
		arrows[key] = i
		p.arrows = append(p.arrows, arrow{from: from, to: to})
	}
	a := &p.arrows[i]
	for j := range a.labels {
		if a.labels[j].event == e.Event {
			// Rows that differ only in their guards read as one label.
			a.labels[j].guards = append(a.labels[j].guards, e.Guards...)
			return
		}
	}
	a.labels = append(a.labels, label{event: e.Event, guards: append([]string(nil), e.Guards...)})
}

// markInitial brings the initial marks of states and the creating arrows into agreement.
func (p *picture) markInitial(arrows map[[2]int]int) {
	for i := range p.states {
		_, created := arrows[[2]int{outside, i}]
		if p.states[i].initial && !created {
			p.arrows = append(p.arrows, arrow{from: outside, to: i})
		}
		p.states[i].initial = p.states[i].initial || created
	}
}

// stateName names an end of an arrow; it is "" outside.
func (p *picture) stateName(i int) engine.State {
	if i == outside {
		return ""
	}
	return p.states[i].name
}
