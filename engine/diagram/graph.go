package diagram

// kind says what a node of a layout stands for.
type kind int

const (
	stateNode kind = iota
	startNode      // the dot creating arrows leave from
	labelNode      // the labels of an arrow
	bendNode       // a place where an arrow passes a rank
)

// node takes up space in the layout. It lies on an axis, from which it reaches unevenly far to both
// sides: a state with a loop has the loop and its labels at its right.
type node struct {
	kind        kind
	item        int // the state a stateNode shows, the arrow a labelNode or bendNode belongs to
	rank        int
	left, right float64 // reach from the axis
	height      float64
	x, y        float64 // the axis and the middle
	up, down    []int   // neighbours one rank above and below
}

// chain is an arrow as the nodes it passes, from top to bottom.
type chain struct {
	arrow  int
	nodes  []int
	turned bool // the arrow points to the top
}

// graph is one connected part of a picture on its way to becoming a drawing.
type graph struct {
	nodes  []node
	chains []chain
	ranks  [][]int // node indexes from left to right
	road   road
}

// Sizes in the user units of the drawing, which are CSS pixels at its natural size.
const (
	stateFont    = 13.0
	labelFont    = 11.5
	bold         = 1.06 // how much wider bold text is
	stateHeight  = 34.0
	statePadding = 14.0 // beside the name of a state
	stateWidth   = 64.0 // at least
	labelLine    = 16.0 // from one label of a stack to the next
	labelPadding = 13.0 // beside a label; together both sides hold a badge
	loopReach    = 20.0 // how far a loop stands out
	loopGap      = 5.0  // from a loop to its labels
	dotRadius    = 5.5
)

// newGraph lays the states of one component, the dot before its initial ones and the arrows between
// them out on ranks.
func newGraph(p *picture, states []int) *graph {
	g := &graph{}
	at := map[int]int{} // node by state
	for _, s := range states {
		at[s] = len(g.nodes)
		g.nodes = append(g.nodes, newStateNode(p, s))
	}
	var arcs []arc
	start := -1
	for i, a := range p.arrows {
		to, here := at[a.to]
		if !here || a.loop() {
			continue
		}
		if a.creating() && start < 0 {
			start = len(g.nodes)
			g.nodes = append(g.nodes, node{kind: startNode, left: dotRadius, right: dotRadius, height: 2 * dotRadius})
		}
		from := start
		if !a.creating() {
			from = at[a.from]
		}
		arcs = append(arcs, arc{from: from, to: to, arrow: i})
	}
	var roots []int
	if start >= 0 {
		roots = append(roots, start)
	}
	breakCycles(len(g.nodes), arcs, roots)
	ranks := assignRanks(len(g.nodes), arcs)
	for n, rank := range ranks {
		g.nodes[n].rank = rank
	}
	g.expand(p, arcs)
	g.markRoad(mainRoad(len(ranks), arcs, ranks))
	g.arrange()
	return g
}

// newStateNode measures a state together with its loop.
func newStateNode(p *picture, s int) node {
	half := max(stateWidth, textWidth(string(p.states[s].name), stateFont*bold)+2*statePadding) / 2
	n := node{kind: stateNode, item: s, left: half, right: half, height: stateHeight}
	for _, a := range p.arrows {
		if a.loop() && a.to == s {
			w, h := labelSize(a)
			n.right += loopReach + loopGap + w
			n.height = max(n.height, h)
		}
	}
	return n
}

// boxHalf is half the width of the box of a state, which its loop is not part of.
func (n *node) boxHalf() float64 { return n.left }

// labelText is the width of an event in the bold face of those that were taken.
func labelText(l label) float64 { return textWidth(string(l.event), labelFont*bold) }

// labelSize measures the stack of labels of an arrow.
func labelSize(a arrow) (width, height float64) {
	for _, l := range a.labels {
		width = max(width, labelText(l)+2*labelPadding)
	}
	return width, float64(len(a.labels)) * labelLine
}

// expand replaces the arcs by chains that visit every rank between their ends. Short arcs come
// first: they have no choice where to put their labels.
func (g *graph) expand(p *picture, arcs []arc) {
	byLength, lengths := make([]int, len(arcs)), make([]int, len(arcs))
	for i, a := range arcs {
		byLength[i], lengths[i] = i, g.nodes[a.to].rank-g.nodes[a.from].rank
	}
	g.chains = make([]chain, len(arcs))
	used := map[int]float64{} // width taken by labels, by rank
	for _, i := range sortedBy(byLength, lengths) {
		g.chains[i] = g.newChain(p, arcs[i], used)
	}
}

// newChain makes the nodes of one arc between its ends and links them.
func (g *graph) newChain(p *picture, a arc, used map[int]float64) chain {
	c := chain{arrow: a.arrow, nodes: []int{a.from}, turned: a.turned}
	width, height := labelSize(p.arrows[a.arrow])
	top, bottom := g.nodes[a.from].rank, g.nodes[a.to].rank
	at := -1
	if height > 0 {
		at = labelRank(top, bottom, a.turned, used)
		used[at] += width
	}
	for rank := top + 1; rank < bottom; rank++ {
		n := node{kind: bendNode, item: a.arrow, rank: rank}
		if rank == at {
			n.kind, n.left, n.right, n.height = labelNode, width/2, width/2, height
		}
		c.nodes = append(c.nodes, len(g.nodes))
		g.nodes = append(g.nodes, n)
	}
	c.nodes = append(c.nodes, a.to)
	for i := 1; i < len(c.nodes); i++ {
		upper, lower := c.nodes[i-1], c.nodes[i]
		g.nodes[upper].down = append(g.nodes[upper].down, lower)
		g.nodes[lower].up = append(g.nodes[lower].up, upper)
	}
	return c
}

// labelRank chooses the odd rank for the labels of an arc: close to where the arrow leaves, which
// is where a reader asks what can happen next, unless that rank is already crowded.
func labelRank(top, bottom int, turned bool, used map[int]float64) int {
	const crowding = 90 // the width for which it is worth going one state further
	best, bestCost := -1, 0.0
	for rank := top + 1; rank < bottom; rank += rankStep {
		distance := rank - top
		if turned {
			distance = bottom - rank
		}
		cost := used[rank]/crowding + float64(distance)/rankStep
		if best < 0 || cost < bestCost {
			best, bestCost = rank, cost
		}
	}
	return best
}
