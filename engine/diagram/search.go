package diagram

import "math/rand/v2"

// What one thing costs in the drawing, in units of length.
const (
	crossingCost = 70.0 // two arrows that cross
	widthCost    = 2.5  // a unit of the width of the drawing, which narrow pages lack
	heightCost   = 0.5
	attempts     = 48   // how many orders are tried for a small graph
	effort       = 9000 // how many nodes may be laid out in all attempts together
)

// arrange gives every node its place. The sweeps of order end in the first arrangement that they
// cannot improve, and crossings are not all that matters, so several starts are taken to the end
// and the cheapest drawing wins. The starts come from a fixed seed: the same machine always looks
// the same.
func (g *graph) arrange() {
	random := rand.New(rand.NewPCG(1, 2))
	var best [][]int
	bestCost := 0.0
	for attempt := range max(1, min(attempts, effort/max(1, len(g.nodes)))) {
		g.order(func(branches []int) {
			if attempt > 0 { // the first attempt keeps the order of the definition
				random.Shuffle(len(branches), func(i, j int) { branches[i], branches[j] = branches[j], branches[i] })
			}
		})
		// Mirror images cost the same but for rounding, which must not decide.
		if cost := g.cost(); best == nil || cost < bestCost-1 {
			best, bestCost = g.ranks, cost
		}
	}
	g.ranks = best
	g.assignX()
}

// cost lays the graph out as ordered and judges the result.
func (g *graph) cost() float64 {
	g.assignX()
	height := g.assignY()
	cost := float64(g.crossings())*crossingCost + g.extent()*widthCost + height*heightCost
	for n := range g.nodes {
		for _, m := range g.nodes[n].down {
			cost += g.aside(n, m)
		}
	}
	return cost
}
