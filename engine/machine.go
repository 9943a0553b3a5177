package engine

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/looplab/fsm"
)

// Machine is a checked definition, ready to be given to New. It is immutable and safe for concurrent
// use.
type Machine[S any] struct{ *machine }

// AnyMachine is a Machine of any row type.
type AnyMachine interface {
	Describe() Description
	erased() *machine
}

// machine is a Machine without its row type.
type machine struct {
	name   string
	desc   Description
	graph  *graph
	events map[Event]*eventSpec
	edges  map[State]map[Event][]*edge // legal moves, in the order of the definition
	create map[Event][]*edge
	row    *rowType
}

type eventSpec struct {
	Spec
	input reflect.Type // nil where the event takes none
	shape inputType    // of input
}

type edge struct {
	event  Event
	from   []State
	to     State
	guards []guard
	sets   []action
	execs  []action // Exec and ExecAll, in order
	spends bool     // Request.Token
}

// foldable reports whether further requests for the same subject may follow in the same group.
func (e *edge) foldable() bool { return len(e.execs) == 0 }

type guard struct {
	name       string
	needsInput bool
	check      func(*call) error
}

type action struct {
	name    string
	set     func(*call, *Effects) error
	exec    execFunc
	execAll execAllFunc
}

// Describe returns the machine as data.
func (m *machine) Describe() Description { return m.desc }

func (m *machine) erased() *machine { return m }

// Hash is the machine's version: a hash of its description.
func (m *machine) Hash() string { return m.desc.Hash }

// Lint looks for places where duplicates deserve a thought.
func (m *machine) Lint() []Finding { return m.desc.Lint() }

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// eventAdopt is the event of the first transition of a row that the engine did not create.
const eventAdopt Event = "adopt"

// NewMachine checks a definition and returns it as a machine. All mistakes are reported at once
// (errors.Join): malformed and unknown names, edges that can never be taken, guards and actions whose
// input type is not the event's, events that can happen again but are declared neither Repeatable nor
// Factual, and a row type whose key, state or version field the engine cannot trust.
func NewMachine[S any](def Definition[S]) (*Machine[S], error) {
	b := builder[S]{def: def, m: &machine{
		name: def.Name, events: map[Event]*eventSpec{},
		edges: map[State]map[Event][]*edge{}, create: map[Event][]*edge{},
	}}
	b.names()
	b.specs()
	all := b.allEdges()
	row, err := newRowType[S](stateNames{states: b.states(), stored: def.Stored}, def.SkipUpdateHooks)
	if err != nil {
		b.mistakes = append(b.mistakes, err)
	}
	b.m.row = row
	b.m.desc = b.describe(all)
	b.m.graph = newGraph(b.m.desc)
	b.repeats()
	if len(b.mistakes) > 0 {
		return nil, fmt.Errorf("machine %q: %w", def.Name, errors.Join(b.mistakes...))
	}
	b.m.legal(all)
	return &Machine[S]{b.m}, nil
}

// legal fills the table of moves by asking looplab/fsm, which is the oracle of what is legal. The
// library allows one target per event and state, so each edge is an event of its own there; it is
// asked once here, because its state lives in one object and must never be shared between requests.
func (m *machine) legal(all []*edge) {
	var events fsm.Events
	name := func(i int) string { return fmt.Sprintf("%s/%d", all[i].event, i) }
	for i, e := range all {
		if len(e.from) == 0 {
			m.create[e.event] = append(m.create[e.event], e)
			continue
		}
		src := make([]string, len(e.from))
		for j, s := range e.from {
			src[j] = string(s)
		}
		events = append(events, fsm.EventDesc{Name: name(i), Src: src, Dst: string(e.to)})
	}
	oracle := fsm.NewFSM("", events, nil)
	for _, s := range m.desc.States {
		oracle.SetState(string(s.Name))
		for i, e := range all {
			if !oracle.Can(name(i)) {
				continue
			}
			if m.edges[s.Name] == nil {
				m.edges[s.Name] = map[Event][]*edge{}
			}
			m.edges[s.Name][e.event] = append(m.edges[s.Name][e.event], e)
		}
	}
}

func (m *machine) hasState(s State) bool { return m.graph.all[s] != nil }

// creation is the machine's only creating event; false if there is none or more than one.
func (m *machine) creation() (Event, bool) {
	if len(m.create) != 1 {
		return "", false
	}
	for ev := range m.create {
		return ev, true
	}
	return "", false
}
