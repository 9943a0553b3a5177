package diagram

import (
	"fmt"
	"strings"

	"example.com/orderd/engine"
)

// DOT writes the machine in the language of Graphviz.
func DOT(d engine.Description, v View) string {
	w := dot{picture: newPicture(d), trail: newTrail(v)}
	w.line("digraph %s {", dotText(d.Name))
	w.line(`    graph [rankdir=TB, fontname="Helvetica", nodesep=0.4, ranksep=0.5]`)
	w.line(`    node [shape=box, style="rounded,filled", fillcolor="#f8fafc", color="#64748b", fontname="Helvetica", fontsize=12]`)
	w.line(`    edge [color="#64748b", fontcolor="#334155", fontname="Helvetica", fontsize=10, arrowsize=0.7]`)
	w.states()
	w.arrows()
	w.line("}")
	return w.out.String()
}

// Colours of the path; DOT has no classes, so they stand beside every state and arrow on it.
const (
	dotPath = "#2563eb"
	dotDim  = "#94a3b8"
)

type dot struct {
	picture *picture
	trail   trail
	out     strings.Builder
}

func (w *dot) line(format string, args ...any) {
	fmt.Fprintf(&w.out, format+"\n", args...)
}

// states declares every state, in the order of the description.
func (w *dot) states() {
	for _, s := range w.picture.states {
		var attributes []string
		if s.final {
			attributes = append(attributes, "peripheries=2")
		}
		switch {
		case s.name == w.trail.view.Current:
			attributes = append(attributes, `class="state current"`,
				`fillcolor="`+dotPath+`"`, `color="`+dotPath+`"`, `fontcolor="#ffffff"`)
		case w.trail.visited[s.name]:
			attributes = append(attributes, `class="state visited"`, `color="`+dotPath+`"`, "penwidth=2")
		default:
			attributes = append(attributes, `class="state"`)
		}
		w.line("    %s [%s]", dotText(string(s.name)), strings.Join(attributes, ", "))
	}
}

// arrows writes one edge for each arrow of the picture.
func (w *dot) arrows() {
	start := w.startName()
	drawn := false
	for _, a := range w.picture.arrows {
		from := start
		if !a.creating() {
			from = string(w.picture.states[a.from].name)
		} else if !drawn {
			w.line(`    %s [shape=point, width=0.12, label="", color="#334155", fillcolor="#334155"]`, dotText(start))
			drawn = true
		}
		w.line("    %s -> %s [%s]", dotText(from), dotText(string(w.picture.states[a.to].name)),
			strings.Join(w.attributes(a), ", "))
	}
}

// startName names the dot that creating arrows leave from, with a name no state has.
func (w *dot) startName() string {
	taken := map[engine.State]bool{}
	for _, s := range w.picture.states {
		taken[s.name] = true
	}
	name := "start"
	for taken[engine.State(name)] {
		name += "_"
	}
	return name
}

// attributes describes one arrow.
func (w *dot) attributes(a arrow) []string {
	lines := make([]string, 0, len(a.labels))
	for _, l := range a.labels {
		text := string(l.event)
		if visits := w.trail.visits(w.picture, a, l); len(visits) > 0 {
			text += " (" + joinNumbers(visits, ", ") + ")"
		}
		lines = append(lines, text)
	}
	attributes := []string{"label=" + dotText(strings.Join(lines, "\n"))}
	switch {
	case w.trail.walked(w.picture, a):
		attributes = append(attributes, `class="edge walked"`,
			`color="`+dotPath+`"`, `fontcolor="`+dotPath+`"`, "penwidth=2")
	case !w.trail.view.empty():
		attributes = append(attributes, `class="edge"`, `color="`+dotDim+`"`, `fontcolor="`+dotDim+`"`)
	default:
		attributes = append(attributes, `class="edge"`)
	}
	return attributes
}

// dotText quotes a string. A backslash is doubled because labels read escapes such as \N and \l.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\x00", " ").Replace(s) + `"`
}
