package engine

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// The sentinels, one per outcome that is not a success. Use errors.Is; errors.As with *Error gives
// the full result.
var (
	ErrStale       = errors.New("stale")
	ErrEarly       = errors.New("early")
	ErrIllegal     = errors.New("illegal")
	ErrConflict    = errors.New("conflict")
	ErrNotFound    = errors.New("not found")
	ErrUnavailable = errors.New("unavailable")
	ErrUnknown     = errors.New("outcome unknown")

	// ErrBadRequest matches a request that cannot be asked: an unknown machine, a malformed key or
	// input. It is no outcome: nothing was looked up, nothing is kept.
	ErrBadRequest = errors.New("bad request")

	// ErrTxEnded matches what ApplyTx returns when the caller's transaction is over: the database has
	// rolled it back, as after a deadlock, or nobody can tell. Run the whole transaction again.
	ErrTxEnded = sqldb.ErrEnded

	// ErrRunAgain is how an Exec or ExecAll says that another run may succeed: its conditional UPDATE met
	// fewer rows than it read, say. The transaction is rolled back and all of it decided and run again, with
	// rows locked. Who still says so after Config.Tries runs is answered conflict/lost_race; in a transaction
	// of the caller's own, after 3 runs from ApplyTx's savepoint. Return it, or an error that wraps it.
	ErrRunAgain = dberr.ErrRunAgain
)

var sentinels = map[Outcome]error{
	Stale: ErrStale, Early: ErrEarly, Illegal: ErrIllegal, Conflict: ErrConflict,
	NotFound: ErrNotFound, Unavailable: ErrUnavailable, Unknown: ErrUnknown,
}

// Error is an outcome that is not a success.
type Error struct{ Result Result }

// Unwrap returns the sentinel of the outcome.
func (e *Error) Unwrap() error { return sentinels[e.Result.Outcome] }

// Is matches ErrClosed where that is the cause: beside its sentinel, because it is no outcome.
func (e *Error) Is(target error) bool {
	return target == ErrClosed && errors.Is(e.Result.Cause, ErrClosed)
}

// Error says what was asked, what the engine answered, and where the subject is.
func (e *Error) Error() string {
	r := e.Result
	var b strings.Builder
	b.WriteString(asked(r.Machine, r.ID, r.Event))
	b.WriteString(string(r.Outcome))
	if r.Detail != "" {
		fmt.Fprintf(&b, "/%s", r.Detail)
	}
	if r.State != "" {
		fmt.Fprintf(&b, " (state %s, version %d)", r.State, r.Version)
	}
	for _, no := range r.Refused {
		fmt.Fprintf(&b, "; %s: %s", no.Guard, no.Reason)
	}
	if r.Cause != nil {
		fmt.Fprintf(&b, ": %v", r.Cause)
	}
	if r.advice != "" {
		b.WriteString(": " + r.advice)
	}
	return b.String()
}

// RequestError says which part of what a caller asks is malformed: a request, its input, a filter. It matches
// ErrBadRequest.
type RequestError struct {
	Field   string // of Request, such as "Key.Seq"; or of input or filter as the caller wrote it: "items[3].quantity"
	Problem string
	Cause   error // may be nil
}

// Error names the field and the problem: with a field of Request it is a sentence.
func (e *RequestError) Error() string {
	text := e.Field + ": " + e.Problem
	if first, _ := utf8.DecodeRuneInString(e.Field); unicode.IsUpper(first) {
		text = e.Field + " " + e.Problem
	}
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", text, e.Cause)
	}
	return text
}

// Unwrap gives ErrBadRequest and the cause.
func (e *RequestError) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrBadRequest}
	}
	return []error{ErrBadRequest, e.Cause}
}

// Refusal is how an action says no: the transaction rolls back and the caller is told
// illegal/guard with the reason.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

// Refuse makes a Refusal. Any other error of an action is a fault, not an answer.
func Refuse(format string, args ...any) error {
	return &Refusal{Reason: fmt.Sprintf(format, args...)}
}

// PanicError is a panic of user code (a guard or an action), turned into a fault of its own request.
type PanicError struct {
	Where string // the guard's or action's name
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.Where, e.Value) }

// ActionError is an error of an action that is no Refusal: a fault of its own request. What it wraps is
// the user's, so it says nothing about the engine's database, whatever its text or type.
type ActionError struct {
	Action string
	Err    error
}

func (e *ActionError) Error() string { return fmt.Sprintf("action %s: %v", e.Action, e.Err) }

// Unwrap returns what the action returned.
func (e *ActionError) Unwrap() error { return e.Err }
