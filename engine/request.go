package engine

import "strings"

// Key identifies a request: who asks and the asker's own number for it. Two requests with one key
// are one request, for ever. The zero Key means the caller gives no identity; the engine then draws
// one for the call's own retries.
type Key struct {
	Source string // 1 to 128 visible ASCII bytes: "principal:<id>", "provider:<name>", "system:<part>"
	Seq    string // 1 to 255 visible ASCII bytes
}

// IsZero reports whether the caller gave no key.
func (k Key) IsZero() bool { return k == Key{} }

// Sources of keys that the engine makes itself.
const (
	sourceCall  = "call"                 // one call without a key; shown as no key at all
	sourceAdopt = SourceSystem + "adopt" // the first transition of a row that the engine did not create
	SourceCause = "cause"                // what one request causes on further subjects: CauseKey makes the seq

	// SourceSystem prefixes the sources of the system's own parts, such as timers.
	SourceSystem = "system:"

	// SourceProvider prefixes the sources of payment providers, whose repeated facts must agree.
	SourceProvider = "provider:"
)

func (k Key) isFact() bool { return strings.HasPrefix(k.Source, SourceProvider) }

// Request asks for one event on one subject.
type Request struct {
	Machine string
	ID      string // the subject; a BIGINT key in decimal
	Event   Event

	// Input is a value (or pointer to one) of the type in the event's Spec, or its JSON as
	// json.RawMessage. Nil where the event takes none.
	Input any

	Key       Key
	IfState   State // "" pins nothing
	IfVersion int64 // 0 pins nothing

	// Token is a submit token that this request spends, in its transaction, for which its edge must have
	// the action SpendToken. It is no part of what makes two requests the same: use it as Key.Seq, too.
	Token string

	Actor  string // who is shown in history; at most 190 characters, may be empty
	Reason string // at most 1,000 characters
	Lane   string // batching lane; "" means by subject. Requests for one subject keep their order within one lane only

	ForUpdate bool // lock the subject's row by primary key before deciding
	DryRun    bool // decide and answer, write nothing at all

	row any // the row of a creation, set by Create
}

// Creates reports whether Create makes the request, which may then lack ID and Event.
func (r Request) Creates() bool { return r.row != nil }
