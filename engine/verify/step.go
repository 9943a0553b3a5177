package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/seal"
)

// step is a transition.
type step struct {
	version         int64
	event, from, to string
	machineVersion  string
	at              moment
	messages        int64
	timers          []engine.NotedTimer
	found, row      []byte // hashes of the subject's row; nil where the machine is not exclusive
	trimmed         bool   // retention may have removed its messages
	otherRequest    bool   // the fingerprint is not that of the request
	changed         bool   // the hash is not that of the other columns
	unhashed        bool   // there is no hash
}

func (r *record) step(machine string) step {
	s := step{
		version: r.version, event: r.event, from: r.from.String, to: r.to.String, machineVersion: r.machineVersion, at: r.at,
		messages: r.messages, found: bytes.Clone(r.found), row: bytes.Clone(r.row), trimmed: r.flag > 0,
		otherRequest: !fits(machine, r.subject, r.version, r.event, r.input, r.print),
	}
	sealed := seal.Transition{
		Machine: machine, Subject: r.subject, Version: r.version, Event: r.event, From: r.from.String, To: r.to.String,
		Source: r.source, Seq: r.seq, Fingerprint: r.print, Nonce: r.nonce, Actor: r.actor, Reason: r.reason, Input: r.input,
		Messages: r.messages, Timers: r.timers, MachineVersion: r.machineVersion, At: r.at.Time, Found: r.found, Row: r.row,
	}
	sum := sealed.Sum()
	s.unhashed = r.hash == nil
	s.changed = !s.unhashed && !bytes.Equal(sum[:], r.hash)
	if r.timers != nil && json.Unmarshal(r.timers, &s.timers) != nil {
		s.changed = true
	}
	return s
}

// fits reports whether a fingerprint is that of the request as it is stored. The engine's own function
// is not called, so that a change of it shows here. The fingerprint of a creation covers the new row
// as well, which has changed since: then it is taken on trust, and the transition's hash answers for it.
func fits(machine, subject string, version int64, event string, input, print []byte) bool {
	if version == 1 && event != eventAdopt {
		return true
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(machine), []byte(subject), []byte(event), input} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
		h.Write(part)
	}
	return bytes.Equal(h.Sum(nil), print)
}
