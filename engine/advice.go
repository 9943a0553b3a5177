package engine

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What an error says to whoever has made a mistake: which request it was, without holes where a part of it is missing,
// and what to write instead.

// asked names a request at the head of an error: what there is of machine, subject and event.
func asked(machine, id string, event Event) string {
	var b strings.Builder
	for _, part := range []string{machine, id} {
		if part == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(readable(part))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if event != "" {
		b.WriteString(readable(string(event)) + ": ")
	}
	return b.String()
}

// readable is a name as it is, unless no machine or subject can have it: then it is quoted, and cut where it is long.
func readable(name string) string {
	switch {
	case len(name) > 128:
		return strconv.Quote(name[:48]) + "…"
	case !utf8.ValidString(name), strings.ContainsFunc(name, isControl):
		return strconv.Quote(name)
	}
	return name
}

// choices says after a name that is not known which ones are, the nearest if one is near.
func choices[T ~string](name T, known []T) string {
	best, least := T(""), 3
	for _, k := range known {
		if d := distance(string(name), string(k)); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", string(best))
	}
	const most = 10
	var shown []string
	for _, k := range known[:min(len(known), most)] {
		shown = append(shown, string(k))
	}
	if len(known) > most {
		shown = append(shown, fmt.Sprintf("and %d more", len(known)-most))
	}
	if len(shown) == 0 {
		return "there is none"
	}
	return "known: " + strings.Join(shown, ", ")
}

// distance is how many letters must be put in, left out or changed to make one name of another. Letters count as the
// same in either case. Names longer than any machine has are far from all.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// machine finds one of the engine's machines.
func (e *Engine) machine(name string) (*machine, error) {
	if err := e.made(); err != nil {
		return nil, err
	}
	if m := e.machines[name]; m != nil {
		return m, nil
	}
	known := slices.Sorted(maps.Keys(e.machines))
	if name == "" {
		return nil, &RequestError{Field: "Machine", Problem: "is empty: it is the Name of a Definition given to engine.New: " +
			choices(name, known)}
	}
	return nil, &RequestError{Field: "Machine", Problem: fmt.Sprintf("%q was not given to engine.New: %s", name,
		choices(name, known))}
}

// erased is a machine without its row type. nil is what NewMachine returns beside an error.
func erased(m AnyMachine) (*machine, error) {
	if v := reflect.ValueOf(m); v.IsValid() && (v.Kind() != reflect.Pointer || !v.IsNil()) {
		if plain := m.erased(); plain != nil {
			return plain, nil
		}
	}
	return nil, errors.New("a machine is nil: use what NewMachine returns, and look at its error first")
}

// advice says what the caller has to do otherwise, where the answer tells of a mistake of the caller's.
func (it *item) advice(r Result) string {
	switch {
	case it.m == nil || r.err != nil:
		return ""
	case r.Detail == UnknownEvent && it.req.Event == "":
		return "Request.Event is empty: " + choices("", it.m.eventNames())
	case r.Detail == UnknownEvent:
		return "the machine has no such event: " + choices(it.req.Event, it.m.eventNames())
	case r.Detail == IdentityRequired:
		return "the event can validly happen again, so give Request.Key, or pin IfVersion"
	case r.Detail == VersionMoved && it.req.IfState != "" && !it.m.hasState(it.req.IfState):
		return fmt.Sprintf("the machine has no state %q that IfState pins: %s", string(it.req.IfState),
			choices(it.req.IfState, it.m.stateNames()))
	case r.Outcome == NotFound && it.req.row == nil && len(it.m.create[it.req.Event]) > 0:
		return "the event creates, so ask for it with engine.Create, which takes the row"
	case r.Detail == InputDiffers && it.req.row != nil:
		return "a row with this id exists and was made of other columns or other input, and stays as it is: for a new " +
			"subject take a new id"
	case r.Detail == ReachedOtherwise && it.req.row != nil:
		return "a row with this id exists, and this event has not made it: for a new subject take a new id"
	case r.Detail == InputDiffers:
		return "it has happened with other input, and that stays"
	case r.Detail == KeyReused:
		return "Request.Key belongs to another request, whose result stays: a new request takes a new key"
	}
	return ""
}

func (m *machine) eventNames() []Event { return slices.Sorted(maps.Keys(m.events)) }

func (m *machine) stateNames() []State {
	var all []State
	for _, s := range m.desc.States {
		all = append(all, s.Name)
	}
	return all
}
