package diagram

import "slices"

// alignment is one of the four passes of assignX. Seen from its corner, the ranks run away from the
// reader and each rank from left to right.
type alignment struct {
	graph     *graph
	ranks     [][]int
	fromBelow bool
	fromRight bool
	root      []int // the first node of the block of each node
	next      []int // the next node in the block, in a ring
}

func newAlignment(g *graph, fromBelow, fromRight bool) *alignment {
	a := &alignment{graph: g, ranks: cloneRanks(g.ranks), fromBelow: fromBelow, fromRight: fromRight}
	if fromBelow {
		slices.Reverse(a.ranks)
	}
	if fromRight {
		for _, rank := range a.ranks {
			slices.Reverse(rank)
		}
	}
	return a
}

// align joins nodes with their median neighbours in the rank before into blocks that do not cross.
func (a *alignment) align(conflicts map[link]bool) {
	n := len(a.graph.nodes)
	a.root, a.next = make([]int, n), make([]int, n)
	position := make([]int, n)
	for i := range n {
		a.root[i], a.next[i] = i, i
	}
	for _, rank := range a.ranks {
		for i, v := range rank {
			position[v] = i
		}
	}
	for _, rank := range a.ranks {
		reached := -1
		for _, v := range rank {
			for _, m := range a.medians(v, position) {
				if a.next[v] != v {
					break
				}
				l := link{m, v}
				if a.fromBelow {
					l = link{v, m}
				}
				if reached < position[m] && !conflicts[l] && a.free(m, v) {
					a.next[m] = v
					a.root[v] = a.root[m]
					a.next[v] = a.root[v]
					reached = position[m]
				}
			}
		}
	}
}

// medians returns the one or two middle neighbours of a node in the rank before, or the one along
// the main road.
func (a *alignment) medians(v int, position []int) []int {
	neighbours, along := a.graph.nodes[v].up, a.graph.road.up
	if a.fromBelow {
		neighbours, along = a.graph.nodes[v].down, a.graph.road.down
	}
	if m, on := along[v]; on {
		return []int{m}
	}
	sorted := sortedBy(neighbours, position)
	if len(sorted) == 0 {
		return nil
	}
	return sorted[(len(sorted)-1)/2 : len(sorted)/2+1]
}

// free tells whether a node may join the block of one in the rank before: those on the main road are
// kept for the road.
func (a *alignment) free(before, v int) bool {
	along := a.graph.road.down
	if a.fromBelow {
		along = a.graph.road.up
	}
	onward, on := along[before]
	return !on || onward == v
}

// compact places the blocks: first each as far left as the blocks beside it allow, then to the
// right again as far as its right neighbours allow without widening the drawing, which closes gaps
// that would stretch arrows.
func (a *alignment) compact() []float64 {
	before, after := a.blockGraph()
	order := a.blockOrder(before, after)
	xs := make([]float64, len(a.root))
	for _, b := range order {
		for _, e := range before[b] {
			xs[b] = max(xs[b], xs[e.block]+e.distance)
		}
	}
	for i := len(order) - 1; i >= 0; i-- {
		b := order[i]
		if len(after[b]) == 0 {
			continue
		}
		room := xs[after[b][0].block] - after[b][0].distance
		for _, e := range after[b] {
			room = min(room, xs[e.block]-e.distance)
		}
		xs[b] = max(xs[b], room)
	}
	placed := make([]float64, len(xs))
	for v := range xs {
		placed[v] = xs[a.root[v]]
		if a.fromRight { // back from the mirror
			placed[v] = -placed[v]
		}
	}
	return placed
}

// besides is the distance one block keeps from another.
type besides struct {
	block    int
	distance float64
}

// blockGraph lists for each block, by its root, the blocks directly left and right of it.
func (a *alignment) blockGraph() (before, after [][]besides) {
	before, after = make([][]besides, len(a.root)), make([][]besides, len(a.root))
	for _, rank := range a.ranks {
		for i := 1; i < len(rank); i++ {
			l, r := rank[i-1], rank[i]
			distance := a.graph.separation(l, r)
			if a.fromRight {
				distance = a.graph.separation(r, l)
			}
			before[a.root[r]] = append(before[a.root[r]], besides{a.root[l], distance})
			after[a.root[l]] = append(after[a.root[l]], besides{a.root[r], distance})
		}
	}
	return before, after
}

// blockOrder sorts the blocks so that each comes after those left of it. There is such an order
// because blocks do not cross.
func (a *alignment) blockOrder(before, after [][]besides) []int {
	waiting := make([]int, len(a.root))
	order := make([]int, 0, len(a.root))
	for v, root := range a.root {
		if root == v {
			if waiting[v] = len(before[v]); waiting[v] == 0 {
				order = append(order, v)
			}
		}
	}
	for i := 0; i < len(order); i++ {
		for _, e := range after[order[i]] {
			if waiting[e.block]--; waiting[e.block] == 0 {
				order = append(order, e.block)
			}
		}
	}
	return order
}
