package diagram

// The main road of a drawing is its longest way from top to bottom. A reader follows it first, so
// it is drawn as one straight line and everything else makes room for it.

// mainRoad returns the arcs of the longest path, the earliest in the definition among equals. Arcs
// that were turned round are left out: nobody walks them downwards.
func mainRoad(nodes int, arcs []arc, ranks []int) map[int]bool {
	out := make([][]int, nodes)
	for i, a := range arcs {
		if !a.turned {
			out[a.from] = append(out[a.from], i)
		}
	}
	length, next := make([]int, nodes), make([]int, nodes)
	var best int
	byRank := make([]int, nodes)
	for i := range byRank {
		byRank[i] = i
	}
	byRank = sortedBy(byRank, ranks)
	for i := len(byRank) - 1; i >= 0; i-- {
		n := byRank[i]
		next[n] = -1
		for _, j := range out[n] {
			if l := length[arcs[j].to] + 1; l > length[n] {
				length[n], next[n] = l, j
			}
		}
		if length[n] >= length[best] {
			best = n
		}
	}
	road := map[int]bool{}
	if nodes == 0 {
		return road
	}
	for n := best; next[n] >= 0; n = arcs[next[n]].to {
		road[next[n]] = true
	}
	return road
}

// road holds, for each node on the main road, the next one up and down it.
type road struct{ up, down map[int]int }

// markRoad records the nodes along the arcs of the main road.
func (g *graph) markRoad(arcs map[int]bool) {
	g.road = road{up: map[int]int{}, down: map[int]int{}}
	for i := range arcs {
		nodes := g.chains[i].nodes
		for j, lower := range nodes[1:] {
			g.road.up[lower], g.road.down[nodes[j]] = nodes[j], lower
		}
	}
}

// roadConflicts finds the links that cross the main road; they give way to it.
func (g *graph) roadConflicts(found map[link]bool) {
	position := g.positions()
	for r := 1; r < len(g.ranks); r++ {
		upper, lower := -1, -1
		for _, n := range g.ranks[r] {
			if u, on := g.road.up[n]; on {
				upper, lower = u, n
			}
		}
		if lower < 0 {
			continue
		}
		for _, n := range g.ranks[r] {
			for _, u := range g.nodes[n].up {
				if (position[n]-position[lower])*(position[u]-position[upper]) < 0 {
					found[link{u, n}] = true
				}
			}
		}
	}
}
