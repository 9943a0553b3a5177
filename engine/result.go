package engine

import "time"

// Refused is one guard or action that said no.
type Refused struct {
	Guard  string `json:"guard"`
	Reason string `json:"reason"`
}

// Result is the full answer to one request. Machine, ID and Event repeat what was asked (ID is the
// first subject's on a replayed creation); State and Version are the subject's at the time of the
// answer. Results are values and safe to share once returned.
type Result struct {
	Outcome Outcome
	Detail  Detail

	Machine string
	ID      string
	Event   Event
	State   State // "" where there is no subject
	Version int64

	Proof   *Transition // the transition that proves the outcome, where there is one
	Refused []Refused   // all failing guards, on illegal/guard
	// PossibleFrom is on stale/passed: from which states, reachable from here, the event would be possible
	// again, in the order of the machine's states. Empty means never. It is the machine's, not to be changed.
	PossibleFrom []State

	RetryAfter time.Duration // when asking again makes sense; 0 where it does not
	Cause      error         // what was away, on unavailable where it is known; errors.Is matches ErrClosed of it, and nothing else

	DryRun bool // nothing was written; Applied means "would be"

	row    any    // the row as the transition left it, on applied
	err    error  // a fault: no outcome
	advice string // for people: what to write instead
}

// Err is nil for applied and already. For every other outcome it is an *Error that matches exactly
// one sentinel; for a fault it is that fault, wrapped, and matches none.
func (r Result) Err() error {
	switch {
	case r.err != nil:
		return r.err
	case r.Outcome.Success():
		return nil
	}
	return &Error{Result: r}
}

// Failed answers a request with an error that is no outcome. It is for an Applier in front of an
// engine that could not ask it, such as when the caller's ctx ended before.
func Failed(r Request, err error) Result {
	return Result{Machine: r.Machine, ID: r.ID, Event: r.Event, DryRun: r.DryRun, err: err}
}
