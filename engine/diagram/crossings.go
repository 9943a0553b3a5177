package diagram

import "slices"

// crossings counts the pairs of links that cross. Between two ranks these are the inversions of the
// lower ends when the links are sorted by their upper ones, which a Fenwick tree counts without
// comparing all pairs.
func (g *graph) crossings() int {
	position := g.positions()
	total := 0
	var ends []int
	for r, rank := range g.ranks[:max(0, len(g.ranks)-1)] {
		tree := make([]int, len(g.ranks[r+1])+1)
		seen := 0
		for _, n := range rank {
			ends = ends[:0]
			for _, m := range g.nodes[n].down {
				ends = append(ends, position[m])
			}
			slices.Sort(ends)
			// Links from the same node do not cross: look up all of them before adding any.
			for _, e := range ends {
				total += seen - prefix(tree, e+1)
			}
			for _, e := range ends {
				for i := e + 1; i < len(tree); i += i & -i {
					tree[i]++
				}
				seen++
			}
		}
	}
	return total
}

// prefix sums the first n entries of a Fenwick tree.
func prefix(tree []int, n int) int {
	sum := 0
	for ; n > 0; n -= n & -n {
		sum += tree[n]
	}
	return sum
}
