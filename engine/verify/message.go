package verify

import (
	"bytes"
	"fmt"

	"example.com/orderd/engine/internal/seal"
)

// message is what matters of one message.
type message struct {
	ordinal int64
	name    string
	wrong   string // what is wrong with it; empty if nothing is
	hashed  bool
}

func (r *record) message(machine string) message {
	m := message{ordinal: r.messages, name: r.event, hashed: r.hash != nil}
	sealed := seal.Message{
		Machine: machine, Subject: r.subject, Version: r.version, Ordinal: r.messages, Type: r.event, Data: r.input,
		CreatedAt: r.at.Time,
	}
	if sum := sealed.Sum(); m.hashed && !bytes.Equal(sum[:], r.hash) {
		m.wrong = "was changed after it was written"
		return m
	}
	status, tries, replays, sent := r.from.String, r.nonce, r.flag, !r.end.IsZero()
	begun := len(r.timers) > 0 || r.source != "" // some sink has it, or has been passed over
	switch status {
	case "sent":
		if tries < 1 || !r.end.is(r.next) || r.reason != "" || begun {
			m.wrong = "is sent, but nobody has noted that"
		}
	case "pending":
		if tries > 0 || begun && r.reason == "" || sent != (replays > 0) || replays == 0 && !r.next.is(r.at) {
			m.wrong = "is pending, but not as it was written or put back"
		}
	case "retrying", "parked":
		if r.reason == "" || sent != (replays > 0) {
			m.wrong = "is " + status + ", but nothing has gone wrong"
		}
	default:
		m.wrong = fmt.Sprintf("is %q: neither pending nor retrying nor sent nor parked", status)
	}
	return m
}

// with is c and one message more.
func (c counted) with(m message) counted {
	if c.n == 0 || m.ordinal < c.first {
		c.first = m.ordinal
	}
	if c.n == 0 || m.ordinal > c.last {
		c.last = m.ordinal
	}
	c.n++
	c.name = m.name
	if !m.hashed {
		c.unhashed++
	}
	if m.wrong != "" {
		c.wrong = append(c.wrong, fmt.Sprintf("message %d, %s, %s", m.ordinal, m.name, m.wrong))
	}
	return c
}

func (t *trail) messages(s *step, m counted) {
	switch {
	case s.trimmed && m.n <= s.messages && m.last <= s.messages: // retention may have removed some
		t.v.gone += s.messages - m.n
	case m.n != s.messages:
		t.found(Outbox, s.version, "%s emitted %d messages, there are %d", s.event, s.messages, m.n)
	case m.n > 0 && (m.first != 1 || m.last != m.n):
		t.found(Outbox, s.version, "the %d messages are numbered from %d to %d", m.n, m.first, m.last)
	}
	switch { // one transaction of one program has written them
	case s.unhashed && m.unhashed != m.n:
		t.found(Unchanged, s.version, "%s has no hash, but its messages have", s.event)
	case !s.unhashed && m.unhashed > 0:
		t.found(Unchanged, s.version, "%d messages have no hash, but %s has", m.unhashed, s.event)
	}
	for _, wrong := range m.wrong {
		t.found(Outbox, s.version, "%s", wrong)
	}
}
