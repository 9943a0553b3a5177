package diagram

import (
	"cmp"
	"slices"
)

// The x coordinates follow Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment":
// nodes are aligned with their median neighbours into vertical blocks, the blocks are pushed
// together, and this is done from all four corners and averaged. Long arrows come out as straight
// lines with at most two bends.

// link is a pair of neighbouring nodes, the upper one first.
type link [2]int

// assignX gives every node its x, the leftmost edge of the drawing being 0.
func (g *graph) assignX() {
	conflicts := g.conflicts()
	g.roadConflicts(conflicts)
	candidates := make([][]float64, 0, 4)
	for _, fromBelow := range []bool{false, true} {
		for _, fromRight := range []bool{false, true} {
			a := newAlignment(g, fromBelow, fromRight)
			a.align(conflicts)
			candidates = append(candidates, a.compact())
		}
	}
	g.balance(candidates)
	g.shiftToZero()
}

// conflicts finds the links that cross an inner piece of a long arrow. Those give way, since it is
// the inner pieces that should be straight.
func (g *graph) conflicts() map[link]bool {
	position := g.positions()
	found := map[link]bool{}
	for r := 1; r < len(g.ranks); r++ {
		inner := map[int]int{} // the upper end of each inner piece by its lower end
		for _, n := range g.ranks[r] {
			if up := g.nodes[n].up; g.passing(n) && g.passing(up[0]) {
				inner[n] = up[0]
			}
		}
		low, start := -1, 0
		for i, n := range g.ranks[r] {
			upper, isInner := inner[n]
			if !isInner && i+1 < len(g.ranks[r]) {
				continue
			}
			high := len(g.ranks[r-1])
			if isInner {
				high = position[upper]
			}
			// Everything since the last inner piece must run between the two pieces.
			for _, m := range g.ranks[r][start : i+1] {
				for _, u := range g.nodes[m].up {
					piece, isPiece := inner[m]
					_, onRoad := g.road.up[m]
					outer := !isPiece && !onRoad || isPiece && piece != u
					if outer && (position[u] < low || position[u] > high) {
						found[link{u, m}] = true
					}
				}
			}
			low, start = high, i+1
		}
	}
	return found
}

// passing tells whether a node is only a stop on the way of an arrow.
func (g *graph) passing(n int) bool {
	k := g.nodes[n].kind
	return k == bendNode || k == labelNode
}

// separation is the least distance between the axes of two neighbours in a rank, left one first.
func (g *graph) separation(left, right int) float64 {
	a, b := &g.nodes[left], &g.nodes[right]
	return a.right + b.left + (margin(a.kind)+margin(b.kind))/2
}

// margin is the free space a node wants beside itself.
func margin(k kind) float64 {
	switch k {
	case stateNode, startNode:
		return 20
	case labelNode:
		return 2
	}
	return 12
}

// balance takes for each node the mean of the two middle candidates, after moving all candidates to
// the side of the narrowest.
func (g *graph) balance(candidates [][]float64) {
	type extent struct{ low, high float64 }
	extents := make([]extent, len(candidates))
	narrowest := 0
	for i, xs := range candidates {
		for n, x := range xs {
			low, high := x-g.nodes[n].left, x+g.nodes[n].right
			if n == 0 {
				extents[i] = extent{low, high}
			}
			extents[i] = extent{min(extents[i].low, low), max(extents[i].high, high)}
		}
		if w := extents[narrowest]; extents[i].high-extents[i].low < w.high-w.low {
			narrowest = i
		}
	}
	for i, xs := range candidates {
		shift := extents[narrowest].low - extents[i].low
		if i%2 == 1 { // packed to the right
			shift = extents[narrowest].high - extents[i].high
		}
		for n := range xs {
			xs[n] += shift
		}
	}
	for n := range g.nodes {
		four := [4]float64{candidates[0][n], candidates[1][n], candidates[2][n], candidates[3][n]}
		slices.SortFunc(four[:], cmp.Compare[float64])
		g.nodes[n].x = (four[1] + four[2]) / 2
	}
}

// shiftToZero moves everything so that the leftmost edge is at 0.
func (g *graph) shiftToZero() {
	low := 0.0
	for i, n := range g.nodes {
		if x := n.x - n.left; i == 0 || x < low {
			low = x
		}
	}
	for i := range g.nodes {
		g.nodes[i].x -= low
	}
}
