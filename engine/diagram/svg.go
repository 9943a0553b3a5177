package diagram

import (
	"encoding/xml"
	"fmt"
	"strings"

	"example.com/orderd/engine"
)

// SVG draws the machine as a stand-alone image that also works inline in a page. It has its natural
// size and shrinks with a narrower page; its colours follow the reader's preference for light or
// dark unless the page sets them, see style.
//
// States have the class "state" with "visited" and "current", arrows "edge" with "walked" and
// "back". Ids begin with the name of the machine.
func SVG(d engine.Description, v View) string {
	p := newPicture(d)
	w := svg{picture: p, trail: newTrail(v), layout: newLayout(p)}
	w.stateIDs, w.edgeIDs = ids(p)
	w.open()
	w.edges(false)
	w.edges(true) // over the others
	for _, s := range w.layout.starts {
		w.line(`<circle class="start" cx="%s" cy="%s" r="%s"/>`, number(s.x), number(s.y), number(dotRadius))
	}
	for i := range p.states {
		w.state(i)
	}
	w.line("</svg>")
	return w.out.String()
}

type svg struct {
	picture  *picture
	trail    trail
	layout   *layout
	stateIDs []string
	edgeIDs  []string
	out      strings.Builder
}

func (w *svg) line(format string, args ...any) {
	fmt.Fprintf(&w.out, format+"\n", args...)
}

// open writes the root and what belongs to the drawing as a whole.
func (w *svg) open() {
	l := w.layout
	if len(l.states) == 0 {
		l.width, l.height = 160, 60
	}
	class := "machine-diagram"
	if !w.trail.view.empty() {
		class += " viewed"
	}
	width, height := number(l.width), number(l.height)
	w.line(`<svg xmlns="http://www.w3.org/2000/svg" class="%s" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-label="%s">`,
		class, width, height, width, height, escape(summary(w.picture, w.trail)))
	w.line("<title>%s</title>", escape(w.picture.name))
	w.line("<desc>%s</desc>", escape(transcript(w.picture)))
	w.line("<style>%s</style>", style)
	w.line(`<rect class="canvas" width="%s" height="%s" rx="8"/>`, width, height)
	if len(l.states) == 0 {
		w.line(`<g class="edge"><text x="80" y="34">no states</text></g>`)
	}
}

// edges draws the arrows that were walked, or those that were not.
func (w *svg) edges(walked bool) {
	for i, a := range w.picture.arrows {
		if w.trail.walked(w.picture, a) != walked {
			continue
		}
		class := "edge"
		if walked {
			class += " walked"
		}
		if w.layout.routes[i].back {
			class += " back"
		}
		if a.loop() {
			class += " loop"
		}
		from, to := string(w.picture.stateName(a.from)), string(w.picture.stateName(a.to))
		w.line(`<g class="%s" id="%s" data-from="%s" data-to="%s">`,
			class, w.edgeIDs[i], escape(from), escape(to))
		w.line("<title>%s</title>", escape(w.tooltip(a)))
		w.line(`<path class="line" d="%s"/>`, w.layout.routes[i].path)
		w.line(`<path class="head" d="%s"/>`, w.layout.routes[i].head)
		for j, l := range a.labels {
			w.label(w.layout.labels[i][j], l, a.loop(), w.trail.visits(w.picture, a, l))
		}
		w.line("</g>")
	}
}

// tooltip says what an arrow means and which steps went along it.
func (w *svg) tooltip(a arrow) string {
	text := arrowText(w.picture, a)
	var visits []int
	for _, l := range a.labels {
		visits = append(visits, w.trail.visits(w.picture, a, l)...)
	}
	if len(visits) > 0 {
		text += "; steps " + joinNumbers(visits, ", ")
	}
	return text
}

// label writes an event; one that was taken moves aside for the numbers of its steps, into the room
// that the padding keeps. Labels of loops begin at the loop instead of keeping to a middle.
func (w *svg) label(b box, l label, loop bool, visits []int) {
	middle := b.middle()
	event, baseline := escape(string(l.event)), number(middle.y+4)
	class, mark, aside := "label", "", 0.0
	if len(visits) > 0 {
		class, mark = "label taken", badge(visits)
		aside = badgeWidth(mark) + badgeGap
	}
	x, left := middle.x+aside/2, middle.x-(labelText(l)+aside)/2
	if loop {
		x, left = b.x+aside, b.x
	}
	w.line(`<g class="%s" data-event="%s"><text x="%s" y="%s">%s</text>`, class, event, number(x), baseline, event)
	if mark != "" {
		w.badge(left, middle.y, mark)
	}
	w.line("</g>")
}

// Sizes of the mark that holds the numbers of steps.
const (
	badgeFont    = 8.5
	badgeHeight  = 14.0
	badgePadding = 3.0
	badgeGap     = 3.0 // to the event behind it
)

func badgeWidth(mark string) float64 {
	return max(badgeHeight, textWidth(mark, badgeFont)+2*badgePadding)
}

// badge writes the numbers of steps into a pill that begins at left.
func (w *svg) badge(left, y float64, mark string) {
	width := badgeWidth(mark)
	w.line(`<g class="badge"><rect x="%s" y="%s" width="%s" height="%s" rx="7"/><text x="%s" y="%s">%s</text></g>`,
		number(left), number(y-badgeHeight/2), number(width), number(badgeHeight),
		number(left+width/2), number(y+3.2), mark)
}

// state draws a box with the name of the state, doubled when nothing leads on from it.
func (w *svg) state(i int) {
	s, b := w.picture.states[i], w.layout.states[i]
	name := escape(string(s.name))
	class := "state"
	switch {
	case s.name == w.trail.view.Current:
		class += " current"
	case w.trail.visited[s.name]:
		class += " visited"
	}
	if s.initial {
		class += " initial"
	}
	if s.final {
		class += " final"
	}
	w.line(`<g class="%s" id="%s" data-state="%s">`, class, w.stateIDs[i], name)
	w.line("<title>%s</title>", name)
	w.line(`<rect x="%s" y="%s" width="%s" height="%s" rx="9"/>`, number(b.x), number(b.y), number(b.w), number(b.h))
	if s.final {
		w.line(`<rect class="inner" x="%s" y="%s" width="%s" height="%s" rx="6.5"/>`,
			number(b.x+3), number(b.y+3), number(b.w-6), number(b.h-6))
	}
	w.line(`<text x="%s" y="%s">%s</text></g>`, number(b.middle().x), number(b.middle().y+4.5), name)
}

// escape writes text for use in XML content and attributes; what XML cannot hold becomes U+FFFD.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}
