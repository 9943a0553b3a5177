package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// builder collects the mistakes of one definition.
type builder[S any] struct {
	def      Definition[S]
	m        *machine
	mistakes []error
}

func (b *builder[S]) mistake(format string, args ...any) {
	b.mistakes = append(b.mistakes, fmt.Errorf(format, args...))
}

// names checks every name of the definition against the common syntax and against words that would
// collide with looplab/fsm's callback names.
func (b *builder[S]) names() {
	if !validName.MatchString(b.def.Name) {
		b.mistake("name: want lower-case letters, digits and underscores, at most 64 bytes")
	}
	check := func(kind, name string) {
		switch {
		case !validName.MatchString(name):
			b.mistake("%s %q: want lower-case letters, digits and underscores, at most 64 bytes", kind, name)
		case collides(name):
			b.mistake("%s %q: the name is reserved", kind, name)
		}
	}
	for _, ev := range slices.Sorted(maps.Keys(b.def.Events)) {
		check("event", string(ev))
	}
	seen := map[State]bool{}
	for _, e := range b.def.Edges {
		for _, s := range append(slices.Clone(e.From), e.To) {
			if !seen[s] {
				seen[s] = true
				check("state", string(s))
			}
		}
	}
}

// states are those of the machine, in the order in which the definition first names them.
func (b *builder[S]) states() []State {
	var all []State
	for _, e := range b.def.Edges {
		for _, s := range append(slices.Clone(e.From), e.To) {
			if s != "" && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

func collides(name string) bool {
	if name == "event" || name == "state" || name == string(eventAdopt) {
		return true
	}
	for _, p := range []string{"before_", "enter_", "leave_", "after_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// specs takes over the events and checks that each is used.
func (b *builder[S]) specs() {
	if len(b.def.Edges) == 0 {
		b.mistake("no edges")
	}
	used := map[Event]bool{}
	for _, e := range b.def.Edges {
		if _, known := b.def.Events[e.Event]; !known && !used[e.Event] {
			b.mistake("event %q of an edge is not declared in Events: %s", e.Event,
				choices(e.Event, slices.Sorted(maps.Keys(b.def.Events))))
		}
		used[e.Event] = true
	}
	for _, ev := range slices.Sorted(maps.Keys(b.def.Events)) {
		if !used[ev] {
			b.mistake("event %q is declared but has no edge", ev)
		}
		spec := b.def.Events[ev]
		input := reflect.TypeOf(spec.Input)
		for input != nil && input.Kind() == reflect.Pointer {
			input = input.Elem()
		}
		b.m.events[ev] = &eventSpec{Spec: spec, input: input, shape: inspect(input)}
		for _, m := range b.m.events[ev].shape.mistakes {
			b.mistake("input of event %q: %s", ev, m)
		}
	}
}

// allEdges takes the edges over, without their row type, and checks each.
func (b *builder[S]) allEdges() []*edge {
	var all []*edge
	sure := map[Event]map[State]int{} // where an edge without guards already takes everything
	for i, d := range b.def.Edges {
		e := &edge{event: d.Event, from: d.From, to: d.To}
		where := fmt.Sprintf("edge %d (%s to %s)", i+1, d.Event, d.To)
		b.functions(e, d, where)
		from := d.From
		if len(from) == 0 {
			from = []State{""}
		}
		for j, s := range from {
			if slices.Contains(from[:j], s) {
				b.mistake("%s: state %q twice in From", where, s)
			}
			if earlier, taken := sure[d.Event][s]; taken {
				b.mistake("%s: can never be taken from %q, because edge %d has no guards", where, s, earlier+1)
			} else if len(d.Guards) == 0 {
				if sure[d.Event] == nil {
					sure[d.Event] = map[State]int{}
				}
				sure[d.Event][s] = i
			}
		}
		all = append(all, e)
	}
	return all
}

// functions takes over the guards and actions of one edge.
func (b *builder[S]) functions(e *edge, d Edge[S], where string) {
	names := map[string]bool{}
	check := func(kind, name string, missing bool, input reflect.Type) {
		if name == "" || len(name) > 128 {
			b.mistake("%s: a %s needs a name of at most 128 bytes", where, kind)
		}
		if missing {
			b.mistake("%s: %s %q has no function", where, kind, name)
		}
		if names[name] {
			b.mistake("%s: two guards or actions are called %q", where, name)
		}
		names[name] = true
		b.inputFits(where, kind, name, d.Event, input)
	}
	for _, g := range d.Guards {
		check("guard", g.name, g.check == nil, g.input)
		e.guards = append(e.guards, guard{
			name: g.name, check: g.check, needsInput: g.input != reflect.TypeFor[NoInput](),
		})
	}
	for _, a := range d.Actions {
		check("action", a.name, a.set == nil && a.exec == nil && a.execAll == nil, a.input)
		erased := action{name: a.name, set: a.set, exec: a.exec, execAll: a.execAll}
		if a.set != nil {
			e.sets = append(e.sets, erased)
		} else {
			e.execs = append(e.execs, erased)
			e.spends = e.spends || a.spends
		}
	}
}

// inputFits checks that a guard or action can be called with the event's input.
func (b *builder[S]) inputFits(where, kind, name string, ev Event, input reflect.Type) {
	spec := b.m.events[ev]
	if spec == nil || input == nil || input == reflect.TypeFor[NoInput]() {
		return
	}
	switch {
	case input.Kind() == reflect.Interface && (spec.input == nil || spec.input.Implements(input)):
	case input != spec.input:
		b.mistake("%s: %s %q takes %v, but the input of %q is %v", where, kind, name, input, ev, inputName(spec.input))
	}
}

func inputName(t reflect.Type) string {
	if t == nil {
		return "none"
	}
	return t.String()
}

// repeats refuses events that can happen again but say nothing about it: a late duplicate of such an
// event is applicable, so only identity can tell it from a new request.
func (b *builder[S]) repeats() {
	for _, ev := range slices.Sorted(maps.Keys(b.m.events)) {
		if b.m.events[ev].needsIdentity() {
			continue
		}
		if s, again := b.m.graph.again(ev); again {
			b.mistake("event %q can happen again (it is possible in %q after it has happened): declare it Repeatable or Factual", ev, s)
		}
	}
}

// describe is the definition as data, under its hash.
func (b *builder[S]) describe(all []*edge) Description {
	d := Description{Name: b.def.Name}
	initial, leaves := map[State]bool{}, map[State]bool{}
	var order []State
	note := func(s State) {
		if s != "" && !slices.Contains(order, s) {
			order = append(order, s)
		}
	}
	for _, e := range all {
		if len(e.from) == 0 {
			initial[e.to] = true
			d.Edges = append(d.Edges, describeEdge(e, ""))
		}
		for _, s := range e.from {
			note(s)
			leaves[s] = true
			d.Edges = append(d.Edges, describeEdge(e, s))
		}
		note(e.to)
	}
	for _, s := range order {
		adopted := slices.Compact(slices.Sorted(slices.Values(b.def.Adopted[s])))
		d.States = append(d.States, DescribedState{Name: s, Initial: initial[s], Final: !leaves[s], Adopted: adopted})
	}
	for _, s := range slices.Sorted(maps.Keys(b.def.Adopted)) {
		if !slices.Contains(order, s) {
			b.mistake("Adopted: no edge has the state %q", s)
		}
		for _, ev := range b.def.Adopted[s] {
			if b.m.events[ev] == nil {
				b.mistake("Adopted: state %q: event %q is not declared in Events", s, ev)
			}
		}
	}
	for _, ev := range slices.Sorted(maps.Keys(b.m.events)) {
		spec := b.m.events[ev]
		de := DescribedEvent{Name: ev, Repeatable: spec.Repeatable, Factual: spec.Factual, CountsOther: spec.CountsOther}
		if spec.input != nil {
			de.Input = spec.input.String()
		}
		d.Events = append(d.Events, de)
	}
	if b.def.Exclusive && b.m.row != nil {
		var err error
		if d.Exclusive, err = b.m.row.hashed.names(); err != nil {
			b.mistake("row type %v cannot be exclusive: %w", reflect.TypeFor[S](), err)
		}
	}
	text, err := json.Marshal(d)
	if err != nil { // a description holds only strings and booleans
		b.mistakes = append(b.mistakes, err)
	}
	sum := sha256.Sum256(text)
	d.Hash = hex.EncodeToString(sum[:16])
	return d
}

func describeEdge(e *edge, from State) DescribedEdge {
	d := DescribedEdge{Event: e.event, From: from, To: e.to}
	for _, g := range e.guards {
		d.Guards = append(d.Guards, g.name)
	}
	for _, a := range slices.Concat(e.sets, e.execs) {
		d.Actions = append(d.Actions, a.name)
	}
	return d
}
