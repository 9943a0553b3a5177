package bench

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Geometry of the plot, in pixels.
const (
	plotWidth, plotHeight = 860, 520
	plotLeft, plotRight   = 80, 210
	plotTop, plotBottom   = 60, 60
)

// plotStyle follows the reader's light or dark.
const plotStyle = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .quiet { fill: #57606a }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .paper { fill: #ffffff }
  .line { fill: none; stroke-width: 2 }
  .c0 { stroke: #0969da } .c1 { stroke: #8250df } .c2 { stroke: #bf3989 } .c3 { stroke: #cf222e } .c4 { stroke: #9a6700 } .c5 { stroke: #1a7f37 }
  .d0 { fill: #0969da } .d1 { fill: #8250df } .d2 { fill: #bf3989 } .d3 { fill: #cf222e } .d4 { fill: #9a6700 } .d5 { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d } .paper { fill: #0d1117 }
    .c0 { stroke: #4493f8 } .c1 { stroke: #ab7df8 } .c2 { stroke: #db61a2 } .c3 { stroke: #f85149 } .c4 { stroke: #d29922 } .c5 { stroke: #3fb950 }
    .d0 { fill: #4493f8 } .d1 { fill: #ab7df8 } .d2 { fill: #db61a2 } .d3 { fill: #f85149 } .d4 { fill: #d29922 } .d5 { fill: #3fb950 }
  }`

const plotColours = 6

// Plot draws callers against requests per second, both on logarithmic scales, one line a contender.
func (r *Report) Plot() string {
	p := newPlot(r.Figures)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s per second by callers"><style>%s</style>`+"\n",
		plotWidth, plotHeight, html.EscapeString(string(r.Bench)), plotStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<text class="title" x="%d" y="28">%s per second</text>`+"\n", plotLeft,
		html.EscapeString(title(string(r.Bench))))
	fmt.Fprintf(&b, `<text class="quiet" x="%d" y="46">%s, %d CPUs; median of %d rounds</text>`+"\n",
		plotLeft, html.EscapeString(r.Server), r.Machine.CPUs, r.Rounds)
	p.axes(&b)
	p.lines(&b)
	b.WriteString("</svg>\n")
	return b.String()
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

type plot struct {
	names      []string
	points     map[string][]Figure // by contender, in the order of callers
	callers    []int
	low, high  float64 // of the rates, powers of ten
	first, end float64 // of the callers
}

func newPlot(figures []Figure) *plot {
	p := &plot{points: map[string][]Figure{}, low: math.Inf(1), high: 1}
	for _, f := range figures {
		if p.points[f.Contender] == nil {
			p.names = append(p.names, f.Contender)
		}
		p.points[f.Contender] = append(p.points[f.Contender], f)
		p.callers = append(p.callers, f.Callers)
		p.low, p.high = min(p.low, f.PerSecond.Median), max(p.high, f.PerSecond.Median)
	}
	slices.Sort(p.callers)
	p.callers = slices.Compact(p.callers)
	if len(p.callers) == 0 {
		p.callers, p.low = []int{1}, 1
	}
	p.low = math.Pow(10, math.Floor(math.Log10(max(1, p.low))))
	p.high = math.Pow(10, math.Ceil(math.Log10(p.high*1.01)))
	p.first, p.end = float64(p.callers[0]), float64(p.callers[len(p.callers)-1])
	return p
}

func (p *plot) x(callers int) float64 {
	if p.end == p.first {
		return plotLeft
	}
	part := math.Log(float64(callers)/p.first) / math.Log(p.end/p.first)
	return plotLeft + part*(plotWidth-plotLeft-plotRight)
}

func (p *plot) y(rate float64) float64 {
	part := math.Log(max(rate, p.low)/p.low) / math.Log(p.high/p.low)
	return plotHeight - plotBottom - part*(plotHeight-plotTop-plotBottom)
}

func (p *plot) axes(b *strings.Builder) {
	right := plotWidth - plotRight
	for rate := p.low; rate <= p.high*1.01; rate *= 10 {
		y := p.y(rate)
		fmt.Fprintf(b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/><text class="quiet" x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			plotLeft, y, right, y, plotLeft-8, y+4, thousands(rate))
	}
	for _, n := range p.callers {
		x := p.x(n)
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="quiet" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x, plotTop, x, plotHeight-plotBottom, x, plotHeight-plotBottom+20, thousands(float64(n)))
	}
	fmt.Fprintf(b, `<text class="quiet" x="%d" y="%d" text-anchor="middle">callers</text>`+"\n", (plotLeft+right)/2, plotHeight-16)
}

// labelGap is how far apart the names at the lines' ends are kept.
const labelGap = 17

func (p *plot) lines(b *strings.Builder) {
	type label struct {
		text   string
		colour int
		y      float64
	}
	var labels []label
	for i, name := range p.names {
		var path []string
		for _, f := range p.points[name] {
			x, y := p.x(f.Callers), p.y(f.PerSecond.Median)
			path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
			fmt.Fprintf(b, `<circle class="d%d" cx="%.1f" cy="%.1f" r="3.5"><title>%s, %d callers: %s per second</title></circle>`+"\n",
				i%plotColours, x, y, html.EscapeString(name), f.Callers, thousands(f.PerSecond.Median))
		}
		fmt.Fprintf(b, `<polyline class="line c%d" points="%s"/>`+"\n", i%plotColours, strings.Join(path, " "))
		last := p.points[name][len(p.points[name])-1]
		labels = append(labels, label{name, i % plotColours, p.y(last.PerSecond.Median)})
	}
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	below := math.Inf(-1)
	for _, l := range labels {
		below = max(l.y, below+labelGap)
		fmt.Fprintf(b, `<text class="d%d" x="%d" y="%.1f">%s</text>`+"\n",
			l.colour, plotWidth-plotRight+10, below+4, html.EscapeString(l.text))
	}
}

// thousands writes a number with its thousands apart.
func thousands(f float64) string {
	digits := fmt.Sprintf("%.0f", f)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
