package engine

// Description is a machine as data: what is stored under its hash, listed over HTTP, drawn by
// engine/diagram and checked against history by verify. It holds no functions, so a description
// read back from an older deploy is as good as a fresh one. Values are immutable by convention.
type Description struct {
	Name   string           `json:"name"`
	Hash   string           `json:"hash"`
	States []DescribedState `json:"states"` // in the order in which the definition first names them
	Events []DescribedEvent `json:"events"` // sorted by name
	Edges  []DescribedEdge  `json:"edges"`  // in the order of the definition; the first whose guards pass is taken

	// Exclusive are the fields of the row that row hashes cover, each with the shape of its type: hashes of
	// another shape are not compared. There are none where the machine is not exclusive.
	Exclusive []string `json:"exclusive,omitempty"`
}

// DescribedState is one state of a described machine.
type DescribedState struct {
	Name    State `json:"name"`
	Initial bool  `json:"initial"` // a creating edge leads here
	Final   bool  `json:"final"`   // no edge leaves

	Adopted []Event `json:"adopted,omitempty"` // what a row has gone through that was found in it, sorted
}

// DescribedEvent is one event of a described machine.
type DescribedEvent struct {
	Name        Event  `json:"name"`
	Repeatable  bool   `json:"repeatable"`
	Factual     bool   `json:"factual"`
	CountsOther bool   `json:"counts_other"`
	Input       string `json:"input,omitempty"` // name of the Go type of the input, "" when it takes none
}

// DescribedEdge is one row of a described definition, taken apart to one from-state.
type DescribedEdge struct {
	Event   Event    `json:"event"`
	From    State    `json:"from"` // "" on a creating edge
	To      State    `json:"to"`
	Guards  []string `json:"guards,omitempty"`
	Actions []string `json:"actions,omitempty"`
}

// PossibleFrom are the states, reachable from a state and including it, in which an event has an edge, in the order
// of States. Empty means that the event cannot happen any more.
func (d Description) PossibleFrom(state State, event Event) []State {
	return newGraph(d).possibleFrom(state, event)
}
