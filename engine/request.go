package engine

import (
	"context"
	"strings"
)

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

	row any             // the row of a creation, set by Create
	ctx context.Context // whose values are the caller's; see Context
}

// WithContext is r with the values of ctx, such as a trace id or a tenant, in place of those that it had. Only they are
// taken: ctx's end and its deadline do not reach the request. Apply and ApplyAll give the values of their own ctx to
// requests without; so this is for who asks in one ApplyAll on behalf of several callers. Values are no part of what
// makes two requests the same.
func (r Request) WithContext(ctx context.Context) Request {
	r.ctx = context.WithoutCancel(ctx)
	return r
}

// Context has the values of the context in which the request was asked, whatever batch it shares, and never ends. So
// ExecAll, which serves several callers at once, finds those of each in its Call, and an observer in its Observation.
// It is context.Background for a request that nobody has asked yet.
func (r Request) Context() context.Context {
	if r.ctx == nil {
		return context.Background()
	}
	return r.ctx
}

// asked is r with the values of the ctx in which it is asked, unless it has some.
func (r Request) asked(values context.Context) Request {
	if r.ctx == nil {
		r.ctx = values
	}
	return r
}

// valuesFirst is a context that ends as another one does, but has the values of a request before that one's own.
type valuesFirst struct {
	context.Context
	values context.Context // without an end: what looks for one finds that of Context
}

func (c valuesFirst) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// context is ctx, which ends the transaction, with the values of the item's caller.
func (it *item) context(ctx context.Context) context.Context {
	return valuesFirst{ctx, it.req.Context()}
}

// Creates reports whether Create makes the request, which may then lack ID and Event.
func (r Request) Creates() bool { return r.row != nil }
