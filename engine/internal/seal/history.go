package seal

import "time"

// Transition is a row of engine_transitions but for its seal.
type Transition struct {
	Machine, Subject string
	Version          int64
	Event, From, To  string
	Source, Seq      string
	Fingerprint      []byte
	Nonce            int64
	Actor, Reason    string
	Input            []byte // nil is null, as in all that follow
	Messages         int64
	Timers           []byte
	MachineVersion   string
	At               time.Time
	Found, Row       []byte
}

// Sum is the seal of the row.
func (t *Transition) Sum() Sum {
	s := New()
	s.Text(t.Machine)
	s.Text(t.Subject)
	s.Int(t.Version)
	s.Text(t.Event)
	s.Text(t.From)
	s.Text(t.To)
	s.Text(t.Source)
	s.Text(t.Seq)
	s.Bytes(t.Fingerprint)
	s.Int(t.Nonce)
	s.Text(t.Actor)
	s.Text(t.Reason)
	s.Maybe(t.Input)
	s.Int(t.Messages)
	s.Maybe(t.Timers)
	s.Text(t.MachineVersion)
	s.Time(t.At)
	s.Maybe(t.Found)
	s.Maybe(t.Row)
	return s.Sum()
}

// Message is what never changes of a row of engine_messages.
type Message struct {
	Machine, Subject string
	Version, Ordinal int64
	Type             string
	Data             []byte
	CreatedAt        time.Time
}

// Sum is the seal of the row.
func (m *Message) Sum() Sum {
	s := New()
	s.Text(m.Machine)
	s.Text(m.Subject)
	s.Int(m.Version)
	s.Int(m.Ordinal)
	s.Text(m.Type)
	s.Bytes(m.Data)
	s.Time(m.CreatedAt)
	return s.Sum()
}

// Attempt is what never changes of a row of engine_attempts.
type Attempt struct {
	ID                      []byte
	Machine, Subject, Event string
	Source, Seq             string
	Fingerprint             []byte
	Actor, Reason           string
	Outcome, Detail, State  string
	Version, Proof          int64
	Refused                 []byte // nil is null
	FirstAt                 time.Time
}

// Sum is the seal of the row.
func (a *Attempt) Sum() Sum {
	s := New()
	s.Bytes(a.ID)
	for _, text := range []string{a.Machine, a.Subject, a.Event, a.Source, a.Seq} {
		s.Text(text)
	}
	s.Bytes(a.Fingerprint)
	for _, text := range []string{a.Actor, a.Reason, a.Outcome, a.Detail, a.State} {
		s.Text(text)
	}
	s.Int(a.Version)
	s.Int(a.Proof)
	s.Maybe(a.Refused)
	s.Time(a.FirstAt)
	return s.Sum()
}
