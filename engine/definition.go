package engine

// State names a state of a machine: lower-case letters, digits and underscores, at most 64 bytes.
type State string

// Event names an event of a machine: lower-case letters, digits and underscores, at most 64 bytes.
type Event string

// Definition says which events move a subject of row type S, and what has to hold and to happen then. S is the user's
// own gorm model; its fields tagged `engine:"id"`, `engine:"state"` and `engine:"version"` are the ones the engine
// drives. Where none is tagged as the id, it is the primary key, as in a struct that embeds gorm.Model. Keys are
// strings, integers, or of a type with methods Value and Scan such as a UUID; states are strings, integers or of such
// a type; versions are integers of at least 32 bits. A column tagged `engine:"derived"` is one that whoever makes a
// row draws or looks up; it is no part of what makes two creations the same.
type Definition[S any] struct {
	Name   string // names the machine in history, messages and URLs
	Events map[Event]Spec
	Edges  []Edge[S]

	// Stored is what the state column of a row holds for a state, where that is not the state's name: a string
	// such as "PENDING", or an integer. A state without an entry is stored under its own name. Either all
	// states are text or all are integers, and no two are stored as the same. S has what is stored; requests,
	// answers, history and messages have the names. A row that holds anything else is in no state: requests
	// for it fail, and Adopt names it. The map is no part of the machine's hash, because it changes the meaning
	// of no history; whoever changes it changes what the rows hold at the same time, while no process runs.
	Stored map[State]any

	// Exclusive promises that all writes of the table go through the engine. Each transition then keeps
	// a hash of the row as it found it and as it left it, so that verify sees any column that something
	// else has changed. Columns that Exec actions or others write as well are left out: their fields are
	// tagged `engine:"shared"`. A row type whose stored values the engine cannot foresee is refused.
	Exclusive bool

	// SkipUpdateHooks says that transitions may go without what S has gorm do on its updates: hooks BeforeSave,
	// BeforeUpdate, AfterUpdate and AfterSave, and clauses that fields add, such as an optimistic lock of a plugin.
	// The engine moves rows by SQL of its own, so a column that such a hook encrypts would be stored as the Set left
	// it; a row type with such hooks is refused without this. A serializer or a type with Value and Scan holds
	// everywhere. The INSERT of Create runs its hooks in any case.
	SkipUpdateHooks bool

	// Adopted says of rows that were in a state before the engine came which events they have gone through, such as
	// "shipped": {"pay"}. A late duplicate of one of those is then already/superseded (or same_state where the event leads to the
	// state and the row is still in it), and stale/passed where the event needs identity. Their input is not known:
	// a request that has one, and no such need, is conflict/input_differs. What every path to the state has gone through need not be
	// said: such events are stale/passed.
	Adopted map[State][]Event
}

// Spec says what kind of event it is.
type Spec struct {
	// Input is a value of the type that requests carry, or nil. Requests are decoded into the type strictly; a method
	// Validate() error on it is called, which may name the field as a *RequestError. Whether two requests are the same
	// is told by the JSON of their inputs, so the type must be fixed throughout: no any and no json.RawMessage. Times
	// are made UTC microseconds; those in the JSON of a type with its own MarshalJSON are left to it and compared as UTC
	// microseconds, where they are written as RFC 3339 has it. Floats are what a float64 can hold; a json.Number is as
	// it was written. A type with its own MarshalJSON has to give equal values equal JSON.
	Input any

	// Repeatable: the event can validly happen again to one subject (it lies on a cycle or a
	// self-loop), so a request needs a key or a pinned version to be told from its duplicate: without,
	// it is illegal/identity_required. A new key is a new request, never answered with already.
	Repeatable bool

	// Factual: the event carries money or goods. It asks of requests exactly what Repeatable asks, also
	// where the event can happen once only: a second payment under a new key is another payment and not a
	// duplicate, so that it is answered with stale or early, and somebody has to see to it. The description
	// tells it apart from Repeatable, for readers and tools; the engine treats both alike. That a key is a
	// provider's fact, whose other content is fact_mismatch, is said by the key's source, not by Factual.
	Factual bool

	// CountsOther: the caller only wants the subject in this event's target; that another event led
	// there counts as done.
	CountsOther bool
}

func (s Spec) needsIdentity() bool { return s.Repeatable || s.Factual }

// Edge is a row of a definition: Event moves a subject from any state in From to To. An Edge
// without From creates the subject. Of several edges for one event and state, the first whose
// guards all pass is taken.
type Edge[S any] struct {
	Event   Event
	From    []State
	To      State
	Guards  []Guard[S]
	Actions []Action[S]
}
