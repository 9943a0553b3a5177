package verify

// Invariant is something that holds in every healthy database, whatever was asked of it and whatever
// failed meanwhile.
type Invariant struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// Ids of the invariants, as findings carry them.
const (
	Head        = "I1"
	Path        = "I2"
	GapFree     = "I3"
	EffectOnce  = "I4"
	Idempotency = "I5"
	Money       = "I6"
	Unchanged   = "I7"
	NoPhantom   = "I8"
	Outbox      = "I9"
	Timers      = "I12"
	Terminal    = "I13"
	Live        = "I16"
)

// Invariants explains every id that a finding can carry.
func Invariants() []Invariant {
	return []Invariant{
		{Head, "a row's state and version are those of its last transition"},
		{Path, "history begins with a creation or an adoption, each transition begins where the one before ended, " +
			"and each was an edge of the machine version that decided it"},
		{GapFree, "the versions of a subject's transitions are 1 to n, each once"},
		{EffectOnce, "a key has at most one transition, and the database itself sees to it"},
		{Idempotency, "a transition's fingerprint is that of its request, and no repeat was answered against it"},
		{Money, "sums kept on a row are the sums of their parts, in one currency and within their bounds"},
		{Unchanged, "what is written once is still what was written: history, messages, refusals, and what was ordered; " +
			"and the row of an exclusive machine is as its last transition left it"},
		{NoPhantom, "every history has its row, every row driven by the engine has its history, and nothing stands " +
			"in the journal of refusals that took effect"},
		{Outbox, "a transition has exactly the messages that it counts, but for those that retention has removed, and each " +
			"is on its way or noted as sent"},
		{Timers, "every timer is as a transition armed it, is there as long as its visit lasts, and has caused its event once it " +
			"has fired"},
		{Terminal, "nothing follows a state without exits"},
		{Live, "the machine knows the state that a row is in"},
	}
}
