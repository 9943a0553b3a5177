package engine

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// item is one request on its way through the engine.
type item struct {
	req   Request
	m     *machine
	began time.Time

	input     any
	canonical json.RawMessage
	unborn    bool // a creation whose row gets its key by being made
	blank     bool // the caller gave no input, and no column of a new row
	print     [32]byte

	key     Key // the caller's, or one drawn for this call
	keyless bool
	inDoubt bool   // a COMMIT that carried this item got no answer
	in      *group // that is being tried

	done   bool
	result Result
}

// prepare checks everything that needs no database. An item that comes back done has its answer.
func (e *Engine) prepare(r Request) *item {
	it := &item{req: r, key: r.Key, began: e.cfg.Now()}
	var err error
	if it.m, err = e.machine(r.Machine); err != nil {
		return it.reject(err)
	}
	if err := it.m.row.fits(r.row); err != nil {
		return it.reject(err)
	}
	if r.row != nil && it.req.Event == "" {
		ev, only := it.m.creation()
		if !only {
			return it.reject(&RequestError{Field: "Event",
				Problem: "is empty, and the machine has not exactly one creating event: name it"})
		}
		it.req.Event = ev
	}
	if r.row != nil {
		if err := it.nameSubject(); err != nil {
			return it.reject(err)
		}
		if name := it.m.row.related(r.row, nil); name != "" {
			return it.reject(&RequestError{Field: name,
				Problem: "has rows of another table, which Create does not save: leave it empty and save them " +
					"in an Exec of the creating edge, or refer to rows that exist by their keys"})
		}
	}
	if err := checkRequest(it.req); err != nil {
		return it.reject(err)
	}
	if it.key.IsZero() {
		it.keyless, it.key = true, Key{Source: sourceCall, Seq: e.cfg.NewID()}
	}
	return it.understand()
}

// understand finds the event and decodes its input.
func (it *item) understand() *item {
	spec := it.m.events[it.req.Event]
	if spec == nil {
		it.finish(Result{Outcome: Illegal, Detail: UnknownEvent})
		return it
	}
	if it.req.row != nil && len(it.m.create[it.req.Event]) == 0 {
		return it.reject(&RequestError{Field: "Event",
			Problem: fmt.Sprintf("%q does not create a %s: ask for it with Apply, without a row", it.req.Event, it.m.name)})
	}
	var err error
	if it.input, it.canonical, err = spec.decode(it.req.Input); err != nil {
		return it.reject(err)
	}
	it.blank = spec.input == nil || reflect.ValueOf(it.input).IsZero()
	if it.print, err = it.fingerprint(); err != nil {
		return it.reject(err)
	}
	if spec.needsIdentity() && it.keyless && it.req.IfVersion == 0 {
		it.finish(Result{Outcome: Illegal, Detail: IdentityRequired})
	}
	return it
}

// fingerprint is what makes this request the same as another. Of a creation it covers, beside the
// input, every column that the caller gives, but not the subject: a repeat may have drawn another id.
func (it *item) fingerprint() ([32]byte, error) {
	print, says, err := it.fingerprintOf(it.req.row)
	it.blank = it.blank && !says
	return print, err
}

// fingerprintOf is the fingerprint if row were the one that is given, nil where none is made, and whether that says
// anything.
func (it *item) fingerprintOf(row any) (print [32]byte, says bool, err error) {
	said := it.m.events[it.req.Event].shape.instants(it.canonical)
	if row == nil {
		return fingerprint(it.m.name, it.req.ID, it.req.Event, said), false, nil
	}
	given, err := it.m.row.given(row)
	switch {
	case err != nil:
		return print, false, err
	case given == nil:
		return fingerprint(it.m.name, "", it.req.Event, said), false, nil
	}
	return fingerprint(it.m.name, "", it.req.Event, said, given), true, nil
}

// checkRequest names the first malformed field.
func checkRequest(r Request) error {
	if err := checkAsked(r.Key); err != nil {
		return err
	}
	if r.ID != "" || r.row == nil { // the database may make the key of a new row
		if err := checkID(r.ID); err != nil {
			return err
		}
	}
	for _, f := range []text{
		{"Actor", r.Actor, 190, "characters"},
		{"Reason", r.Reason, 1000, "characters"},
		{"Lane", r.Lane, 128, "bytes"},
		{"Token", r.Token, 128, "bytes"},
	} {
		if err := f.check(); err != nil {
			return err
		}
	}
	if r.IfVersion < 0 {
		return &RequestError{Field: "IfVersion", Problem: "is negative"}
	}
	return nil
}

// checkID checks an id of a subject.
func checkID(id string) error {
	if id == "" {
		return &RequestError{Field: "ID", Problem: "is empty: it names the subject, as its row's key does"}
	}
	return text{"ID", id, 128, "bytes"}.check()
}

// text is a field of a request.
type text struct {
	name, value string
	max         int
	unit        string
}

func (f text) check() error {
	size := len(f.value)
	if f.unit == "characters" {
		size = utf8.RuneCountInString(f.value)
	}
	switch {
	case size > f.max:
		return &RequestError{Field: f.name, Problem: fmt.Sprintf("has %d %s, at most %d", size, f.unit, f.max)}
	case !utf8.ValidString(f.value):
		return &RequestError{Field: f.name, Problem: "is not valid UTF-8"}
	case strings.ContainsFunc(f.value, isControl):
		return &RequestError{Field: f.name, Problem: "has control characters"}
	}
	return nil
}

// keyFirst reports whether the item's key may well have been used although its event is possible now.
func (it *item) keyFirst() bool {
	spec := it.m.events[it.req.Event]
	return it.inDoubt || it.req.row != nil || spec != nil && spec.needsIdentity()
}

// isControl reports whether a terminal or a browser might obey a character. Lines and tabs are text.
func isControl(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

func (it *item) ref() ref {
	if it.unborn {
		return ref{it.m.name, unbornID(it.key)}
	}
	return ref{it.m.name, it.req.ID}
}

// finish answers the item.
func (it *item) finish(r Result) {
	r = withoutUnborn(r)
	r.Machine, r.Event, r.DryRun = it.req.Machine, it.req.Event, it.req.DryRun
	if r.ID == "" {
		r.ID = it.req.ID
	}
	r.advice = it.advice(r)
	it.done, it.result = true, r
}

// reject ends the item with an error that is no outcome.
func (it *item) reject(err error) *item {
	it.finish(Result{err: it.named(err)})
	return it
}

// fault is a verdict for what is wrong with user code or data rather than with the request.
func (it *item) fault(err error) verdict {
	return verdict{result: Result{err: it.named(err)}}
}

// named is an error that says which request it is about.
func (it *item) named(err error) error {
	return fmt.Errorf("%s%w", asked(it.req.Machine, it.req.ID, it.req.Event), err)
}

// applied is the answer to the call that made a transition.
func (it *item) applied(t Transition) Result {
	return Result{
		Outcome: Applied, Machine: t.Machine, ID: t.Subject, Event: t.Event,
		State: t.To, Version: t.Version, Proof: shown(t),
	}
}
