package engine

// Outcome is the one typed answer to a request: the same word in Go, in HTTP and on the page.
// The zero Outcome means that the engine has no answer, because user code or the call itself
// failed; Result.Err then says why.
type Outcome string

// The outcomes. Applied and Already are success, all others are errors that match the sentinel
// of the same name.
const (
	Applied     Outcome = "applied"     // this call moved the subject
	Already     Outcome = "already"     // it has happened before; nothing was written
	Stale       Outcome = "stale"       // it was possible once and is no longer, or the caller's pin no longer holds
	Early       Outcome = "early"       // not possible yet, but reachable from here
	Illegal     Outcome = "illegal"     // never possible, refused by a guard, or lacking identity
	Conflict    Outcome = "conflict"    // a twin, a reused key or a contradicting fact is in the way
	NotFound    Outcome = "not_found"   // no such subject
	Unavailable Outcome = "unavailable" // nothing was done; the database or the engine is away
	Unknown     Outcome = "unknown"     // COMMIT got no answer and could not be settled in time
)

// Success reports whether the outcome tells the caller that the effect stands.
func (o Outcome) Success() bool { return o == Applied || o == Already }

// Detail says which kind of an outcome it is.
type Detail string

// The details, by outcome.
const (
	Replayed   Detail = "replayed"   // already: same key, same fingerprint; Proof is the first result
	SameState  Detail = "same_state" // already: the subject is where this event leads, and came there by it
	Superseded Detail = "superseded" // already: it happened, and the subject has since moved on

	Passed           Detail = "passed"            // stale: was reachable from a state this subject has been in
	VersionMoved     Detail = "version"           // stale: the pinned version or state no longer holds
	ReachedOtherwise Detail = "reached_otherwise" // stale: another event led here, and this event does not count that

	UnknownEvent     Detail = "unknown_event"     // illegal: the machine has no such event
	NoPath           Detail = "no_path"           // illegal: never possible for this subject
	GuardRefused     Detail = "guard"             // illegal: an edge exists, a guard or action refuses
	IdentityRequired Detail = "identity_required" // illegal: a repeatable or factual event without key or pinned version

	LostRace     Detail = "lost_race"     // conflict: still losing after bounded retries
	InputDiffers Detail = "input_differs" // conflict: it has happened, but with other input; the first stays
	KeyReused    Detail = "key_reused"    // conflict: same key, other fingerprint; the first result is kept
	FactMismatch Detail = "fact_mismatch" // conflict: a provider's fact came again with other content

	NotKept Detail = "not_kept" // of attempts only: the row counts those that are more than their share
)
