package diagram

import (
	"fmt"
	"strconv"
	"strings"
)

// route is the course of an arrow: one or two strokes, interrupted by its labels, and a head.
type route struct {
	path string // SVG path data
	head string // the triangle at the end
	back bool   // the arrow leads against the direction of the drawing
}

// ends are the places where a chain leaves its upper state and enters its lower one.
type ends struct{ top, bottom float64 }

// routes draws the chains of a graph.
func (g *graph) routes() []route {
	at := g.ports()
	routes := make([]route, len(g.chains))
	for i, c := range g.chains {
		strokes := g.strokes(c, at[i])
		lower := &g.nodes[c.nodes[len(c.nodes)-1]]
		tip, direction := point{at[i].bottom, lower.y - lower.height/2}, 1.0
		if c.turned {
			reverse(strokes)
			upper := &g.nodes[c.nodes[0]]
			tip, direction = point{at[i].top, upper.y + upper.height/2}, -1.0
		}
		routes[i] = route{path: pathData(strokes), head: headData(tip, 0, direction), back: c.turned}
	}
	return routes
}

// ports spreads the arrows at the upper and lower side of each state: each as straight above or
// below its next stop as the width of the state allows.
func (g *graph) ports() []ends {
	at := make([]ends, len(g.chains))
	for n := range g.nodes {
		var below, above []int
		toward := make([]float64, len(g.chains))
		for i, c := range g.chains {
			if last := len(c.nodes) - 1; c.nodes[0] == n {
				below = append(below, i)
				toward[i] = g.nodes[c.nodes[1]].x
			} else if c.nodes[last] == n {
				above = append(above, i)
				toward[i] = g.nodes[c.nodes[last-1]].x
			}
		}
		for i, x := range g.spreadPorts(n, below, toward) {
			at[i].top = x
		}
		for i, x := range g.spreadPorts(n, above, toward) {
			at[i].bottom = x
		}
	}
	return at
}

// straightWeight is how much more an arrow that can run straight keeps to its place than one that
// has to go aside anyway.
const straightWeight = 20

// spreadPorts returns a place for each of some chains at one side of a node.
func (g *graph) spreadPorts(n int, chains []int, toward []float64) map[int]float64 {
	low, high := g.nodes[n].x, g.nodes[n].x
	if g.nodes[n].kind == stateNode {
		low, high = low-g.nodes[n].boxHalf()+portInset, high+g.nodes[n].boxHalf()-portInset
	}
	chains = sortedBy(chains, toward)
	wishes := make([]wish, len(chains))
	for i, c := range chains {
		wishes[i] = wish{min(max(toward[c], low), high), 1}
		if wishes[i].at == toward[c] {
			wishes[i].weight = straightWeight
		}
	}
	at := map[int]float64{}
	for i, x := range spread(wishes, portGap, low, high) {
		at[chains[i]] = x
	}
	return at
}

// strokes returns the points a chain runs through, with a break where its labels are. Within a rank
// an arrow runs straight down, where its place is reserved; between ranks it may go aside. All
// arrows go straight for the length of a head at both ends, so that those that start or end side by
// side bend at the same height and do not cross.
func (g *graph) strokes(c chain, at ends) [][]point {
	var strokes [][]point
	var stroke []point
	last := len(c.nodes) - 1
	above, below := 0.0, inHead
	if c.turned {
		above, below = inHead, 0
	}
	for i, id := range c.nodes {
		n := &g.nodes[id]
		half := g.rankHeight(n.rank) / 2
		top, bottom := n.y-half, n.y+half
		switch {
		case i == 0:
			stroke = append(stroke, point{at.top, n.y + n.height/2 + above}, point{at.top, bottom + inHead})
		case i == last:
			stroke = append(stroke, point{at.bottom, top - inHead}, point{at.bottom, n.y - n.height/2 - below})
		case n.kind == labelNode:
			stroke = append(stroke, point{n.x, top}, point{n.x, n.y - n.height/2})
			strokes = append(strokes, stroke)
			stroke = []point{{n.x, n.y + n.height/2}, {n.x, bottom}}
		default:
			stroke = append(stroke, point{n.x, top}, point{n.x, bottom})
		}
	}
	return append(strokes, stroke)
}

// reverse turns strokes round, so that an arrow is drawn in its own direction.
func reverse(strokes [][]point) {
	for i, j := 0, len(strokes)-1; i < j; i, j = i+1, j-1 {
		strokes[i], strokes[j] = strokes[j], strokes[i]
	}
	for _, s := range strokes {
		for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
			s[i], s[j] = s[j], s[i]
		}
	}
}

// pathData writes strokes as SVG path data: lines straight down, curves that begin and end upright
// where they go aside.
func pathData(strokes [][]point) string {
	var b strings.Builder
	for _, s := range strokes {
		fmt.Fprintf(&b, "M%s", s[0])
		for i := 1; i < len(s); i++ {
			from, to := s[i-1], s[i]
			if number(from.x) == number(to.x) {
				if straightOn := i+1 < len(s) && number(s[i+1].x) == number(to.x); !straightOn {
					fmt.Fprintf(&b, "V%s", number(to.y))
				}
				continue
			}
			middle := (from.y + to.y) / 2
			fmt.Fprintf(&b, "C%s %s %s", point{from.x, middle}, point{to.x, middle}, to)
		}
	}
	return b.String()
}

// Size of the heads of arrows.
const (
	headLength = 8.0
	headHalf   = 3.6
	inHead     = headLength * 0.7 // a stroke ends this far from the tip, inside the head
)

// headData draws a head with its tip at a point, in the direction of a unit vector along an axis.
func headData(tip point, dx, dy float64) string {
	base := point{tip.x - dx*headLength, tip.y - dy*headLength}
	return fmt.Sprintf("M%sL%s %sZ", tip,
		point{base.x - dy*headHalf, base.y - dx*headHalf}, point{base.x + dy*headHalf, base.y + dx*headHalf})
}

// loopRoute draws a loop at the right side of a state, whose middle is at y.
func loopRoute(side, y float64) route {
	const lift = 8.0
	end := point{side + inHead, y + lift}
	path := fmt.Sprintf("M%sC%s %s %s", point{side, y - lift},
		point{side + loopReach*1.3, y - 2*lift}, point{side + loopReach*1.3, y + lift}, end)
	return route{path: path, head: headData(point{side, y + lift}, -1, 0)}
}

// String writes a point as path data.
func (p point) String() string { return number(p.x) + "," + number(p.y) }

// number writes a coordinate to a tenth, which is finer than the eye and keeps the output free of
// the noise of floating-point sums.
func number(x float64) string {
	s := strconv.FormatFloat(x, 'f', 1, 64)
	s = strings.TrimSuffix(s, ".0")
	if s == "-0" {
		return "0"
	}
	return s
}
