package diagram

import (
	"cmp"
	"slices"
)

// sweeps bounds the passes of crossing reduction; drawings of the size people read settle earlier.
const sweeps = 24

// order puts the nodes of every rank into an order with few crossings: from a depth-first start,
// sweeps down and up sort each rank by the barycentres of the neighbours they come from, swapping
// neighbours where that helps, and the best order seen wins.
func (g *graph) order(shuffle func([]int)) {
	g.firstOrder(shuffle)
	best, bestCrossings := cloneRanks(g.ranks), g.crossings()
	idle := 0
	for pass := 0; pass < sweeps && bestCrossings > 0 && idle < 6; pass++ {
		g.sweep(pass%2 == 0, pass%4 >= 2)
		g.transpose()
		idle++
		if c := g.crossings(); c < bestCrossings {
			best, bestCrossings, idle = cloneRanks(g.ranks), c, 0
		}
	}
	g.ranks = best
}

// firstOrder fills the ranks in the order in which a depth-first search from the top meets the
// nodes, which keeps branches beside each other. The shuffle says which branch comes first.
func (g *graph) firstOrder(shuffle func([]int)) {
	height := 0
	for i := range g.nodes {
		height = max(height, g.nodes[i].rank+1)
	}
	g.ranks = make([][]int, height)
	seen := make([]bool, len(g.nodes))
	var visit func(n int)
	visit = func(n int) {
		if seen[n] {
			return
		}
		seen[n] = true
		g.ranks[g.nodes[n].rank] = append(g.ranks[g.nodes[n].rank], n)
		branches := slices.Clone(g.nodes[n].down)
		shuffle(branches)
		for _, m := range branches {
			visit(m)
		}
	}
	tops := make([]int, len(g.nodes))
	for i := range tops {
		tops[i] = i
	}
	shuffle(tops)
	slices.SortStableFunc(tops, func(a, b int) int { return cmp.Compare(g.nodes[a].rank, g.nodes[b].rank) })
	for _, n := range tops {
		visit(n)
	}
}

// sweep sorts the ranks one after the other, each by its neighbours in the rank before. Nodes
// without such neighbours stay where they are. Equal barycentres keep their order, or swap it when
// reverse is set, which lets the search leave a plateau.
func (g *graph) sweep(down, reverse bool) {
	position := g.positions()
	for i := range g.ranks {
		r := i
		if !down {
			r = len(g.ranks) - 1 - i
		}
		rank := g.ranks[r]
		type placed struct {
			node   int
			centre float64
		}
		var movable []placed
		var slots []int
		for slot, n := range rank {
			neighbours := g.nodes[n].up
			if !down {
				neighbours = g.nodes[n].down
			}
			if len(neighbours) == 0 {
				continue
			}
			sum := 0
			for _, m := range neighbours {
				sum += position[m]
			}
			movable = append(movable, placed{n, float64(sum) / float64(len(neighbours))})
			slots = append(slots, slot)
		}
		if reverse {
			slices.Reverse(movable)
		}
		slices.SortStableFunc(movable, func(a, b placed) int { return cmp.Compare(a.centre, b.centre) })
		for j, slot := range slots {
			rank[slot] = movable[j].node
		}
		for slot, n := range rank {
			position[n] = slot
		}
	}
}

// transpose swaps neighbours in a rank as long as that removes crossings, a bounded number of times.
func (g *graph) transpose() {
	position := g.positions()
	for range 8 {
		improved := false
		for _, rank := range g.ranks {
			for i := 0; i+1 < len(rank); i++ {
				a, b := &g.nodes[rank[i]], &g.nodes[rank[i+1]]
				now := pairCrossings(a.up, b.up, position) + pairCrossings(a.down, b.down, position)
				swapped := pairCrossings(b.up, a.up, position) + pairCrossings(b.down, a.down, position)
				if swapped < now {
					rank[i], rank[i+1] = rank[i+1], rank[i]
					position[rank[i]], position[rank[i+1]] = i, i+1
					improved = true
				}
			}
		}
		if !improved {
			return
		}
	}
}

// pairCrossings counts the crossings between the links of a node and those of its right neighbour.
func pairCrossings(left, right []int, position []int) int {
	count := 0
	for _, l := range left {
		for _, r := range right {
			if position[l] > position[r] {
				count++
			}
		}
	}
	return count
}

// positions returns the place of every node in its rank.
func (g *graph) positions() []int {
	position := make([]int, len(g.nodes))
	for _, rank := range g.ranks {
		for i, n := range rank {
			position[n] = i
		}
	}
	return position
}

func cloneRanks(ranks [][]int) [][]int {
	clone := make([][]int, len(ranks))
	for i, rank := range ranks {
		clone[i] = slices.Clone(rank)
	}
	return clone
}
