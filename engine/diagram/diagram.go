// Package diagram draws state machines: as Mermaid for Markdown, as DOT for Graphviz, and as a
// stand-alone SVG that needs no other program.
//
// All three start from the same picture of an engine.Description, in which the events that lead
// from one state to another share one arrow. A View adds what one subject has done: its current
// state and the steps it took. The layout of an SVG depends on the description alone, so the
// drawing of a subject keeps its shape while the subject moves through it.
package diagram

import "example.com/orderd/engine"

// View is what one subject adds to the picture. The zero View adds nothing.
//
// A current state or a step that the description does not know, as happens when the history was
// written under an older definition, is left out of the drawing.
type View struct {
	Current engine.State
	Walked  []Step // in order; the first step has number 1
}

// Step is one transition a subject made.
type Step struct {
	From, To engine.State // From is "" on the step that created the subject
	Event    engine.Event
}

// empty tells whether the view adds nothing.
func (v View) empty() bool {
	return v.Current == "" && len(v.Walked) == 0
}
