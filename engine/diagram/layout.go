package diagram

// layout is a picture with a place for everything in it. It does not depend on a view.
type layout struct {
	width, height float64
	states        []box   // by state
	starts        []point // the dots creating arrows leave from
	routes        []route // by arrow
	labels        [][]box // by arrow, one for each of its labels
}

type point struct{ x, y float64 }

// box is a rectangle by its corner and size.
type box struct{ x, y, w, h float64 }

func (b box) middle() point { return point{b.x + b.w/2, b.y + b.h/2} }

// Spaces between the parts of a drawing.
const (
	border       = 14.0 // round the drawing
	partGap      = 36.0 // between parts that are not connected
	rankGap      = 17.0 // between ranks whose arrows run straight down
	slantGap     = 0.12 // more for each unit an arrow runs aside
	maxSlant     = 36.0
	portGap      = 11.0  // between arrows at the same side of a state
	portInset    = 12.0  // from the corner of a state to the first arrow
	preferredRow = 560.0 // parts share a row up to this width
)

// newLayout lays out the connected parts one by one and places them in rows.
func newLayout(p *picture) *layout {
	l := &layout{
		states: make([]box, len(p.states)),
		routes: make([]route, len(p.arrows)),
		labels: make([][]box, len(p.arrows)),
	}
	x, y, rowHeight := border, border, 0.0
	for _, states := range components(p) {
		g := newGraph(p, states)
		width, height := g.extent(), g.assignY()
		if x > border && x+width > border+max(preferredRow, l.width-2*border) {
			x, y, rowHeight = border, y+rowHeight+partGap, 0
		}
		l.place(p, g, x, y)
		l.width, l.height = max(l.width, x+width+border), max(l.height, y+height+border)
		x, rowHeight = x+width+partGap, max(rowHeight, height)
	}
	return l
}

// extent is the width of a graph whose left edge is at 0.
func (g *graph) extent() float64 {
	width := 0.0
	for _, n := range g.nodes {
		width = max(width, n.x+n.right)
	}
	return width
}

// assignY stacks the ranks and returns the height of all. Ranks keep more distance where arrows run
// far aside, so that these do not lie flat.
func (g *graph) assignY() float64 {
	y := 0.0
	for r, rank := range g.ranks {
		height := g.rankHeight(r)
		slant := 0.0
		for _, n := range rank {
			g.nodes[n].y = y + height/2
			for _, m := range g.nodes[n].down {
				slant = max(slant, g.aside(n, m))
			}
		}
		y += height
		if r+1 < len(g.ranks) {
			y += rankGap + min(maxSlant, slant*slantGap)
		}
	}
	return y
}

func (g *graph) rankHeight(r int) float64 {
	height := 0.0
	for _, n := range g.ranks[r] {
		height = max(height, g.nodes[n].height)
	}
	return height
}

// aside is how far an arrow between two nodes runs to the side, given that it may leave a state
// anywhere along its edge.
func (g *graph) aside(n, m int) float64 {
	a, b := &g.nodes[n], &g.nodes[m]
	distance := max(a.x-b.x, b.x-a.x)
	for _, end := range []*node{a, b} {
		if end.kind == stateNode {
			distance -= end.boxHalf() - portInset
		}
	}
	return max(0, distance)
}

// place copies a finished graph into the layout at an offset.
func (l *layout) place(p *picture, g *graph, x, y float64) {
	for i := range g.nodes {
		g.nodes[i].x += x
		g.nodes[i].y += y
	}
	for _, n := range g.nodes {
		switch n.kind {
		case startNode:
			l.starts = append(l.starts, point{n.x, n.y})
		case labelNode:
			l.labels[n.item] = stack(p.arrows[n.item], n.x-n.left, n.y-n.height/2)
		case stateNode:
			l.states[n.item] = box{n.x - n.boxHalf(), n.y - n.height/2, 2 * n.boxHalf(), n.height}
			l.placeLoop(p, n)
		}
	}
	for i, r := range g.routes() {
		l.routes[g.chains[i].arrow] = r
	}
}

// placeLoop puts the loop of a state, if it has one, at its right side.
func (l *layout) placeLoop(p *picture, n node) {
	for i, a := range p.arrows {
		if a.loop() && a.to == n.item {
			_, height := labelSize(a)
			side := n.x + n.boxHalf()
			l.routes[i] = loopRoute(side, n.y)
			l.labels[i] = stack(a, side+loopReach+loopGap, n.y-height/2)
		}
	}
}

// stack places the labels of an arrow below each other, all as wide as the widest.
func stack(a arrow, x, y float64) []box {
	width, _ := labelSize(a)
	boxes := make([]box, len(a.labels))
	for i := range boxes {
		boxes[i] = box{x, y + float64(i)*labelLine, width, labelLine}
	}
	return boxes
}
