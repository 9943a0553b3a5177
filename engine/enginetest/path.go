package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"example.com/orderd/engine"
)

// path is a way through a machine: a creating edge and what follows, as indexes of edges.
// Or a row that is there already and what follows.
type path struct {
	d     engine.Description
	edges []int
	from  engine.State // where the row is whose first step is there
}

// there is the first step of a row that was there before: no edge.
const there = -1

func (p path) edge(i int) engine.DescribedEdge {
	if p.edges[i] == there {
		return engine.DescribedEdge{Event: "there", To: p.from}
	}
	return p.d.Edges[p.edges[i]]
}

func (p path) end() engine.State { return p.edge(len(p.edges) - 1).To }

func (p path) with(edge int) path {
	return path{d: p.d, from: p.from, edges: append(slices.Clip(p.edges), edge)}
}

// String names the path in a test's output.
func (p path) String() string {
	words := make([]string, len(p.edges))
	for i := range p.edges {
		words[i] = fmt.Sprintf("%s>%s", p.edge(i).Event, p.edge(i).To)
	}
	return strings.Join(words, " ")
}

// paths lists ways that take no edge twice and cannot be continued so, at most limit of them, and
// then one more way for each edge that none of them takes.
func paths(d engine.Description, limit int) []path {
	var all []path
	for i, e := range d.Edges {
		if e.From == "" && len(all) < limit {
			all = append(all, extended(path{d: d, edges: []int{i}}, limit-len(all))...)
		}
	}
	return append(all, uncovered(d, all)...)
}

func uncovered(d engine.Description, all []path) []path {
	taken := map[int]bool{}
	for _, p := range all {
		for _, i := range p.edges {
			taken[i] = true
		}
	}
	var more []path
	for i, e := range d.Edges {
		if taken[i] || e.From == "" {
			continue
		}
		if p, ok := shortest(d, e.From); ok {
			more = append(more, p.with(i))
			for _, j := range append(p.edges, i) {
				taken[j] = true
			}
		}
	}
	return more
}

// shortest is a shortest way from a creation to a state.
func shortest(d engine.Description, to engine.State) (path, bool) {
	var todo []path
	for i, e := range d.Edges {
		if e.From == "" {
			todo = append(todo, path{d: d, edges: []int{i}})
		}
	}
	seen := map[engine.State]bool{}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		if p.end() == to {
			return p, true
		}
		if seen[p.end()] {
			continue
		}
		seen[p.end()] = true
		for i, e := range d.Edges {
			if e.From == p.end() {
				todo = append(todo, p.with(i))
			}
		}
	}
	return path{}, false
}

// covering is a small choice of paths that together take every edge that any of them takes.
func covering(all []path) []path {
	taken := map[int]bool{}
	var chosen []path
	for {
		best, gain := -1, 0
		for i, p := range all {
			fresh := map[int]bool{}
			for _, e := range p.edges {
				if !taken[e] {
					fresh[e] = true
				}
			}
			if len(fresh) > gain {
				best, gain = i, len(fresh)
			}
		}
		if best < 0 {
			return chosen
		}
		chosen = append(chosen, all[best])
		for _, e := range all[best].edges {
			taken[e] = true
		}
	}
}
