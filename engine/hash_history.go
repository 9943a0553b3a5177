package engine

import (
	"encoding/json"
	"slices"
	"time"

	"example.com/orderd/engine/internal/seal"
)

// historyColumns are all that is written of a transition; the last are read by verify only.
var historyColumns = append(slices.Clone(transitionColumns), "timers", "found_hash", "row_hash", "hash")

// historyRow is a transition with its hashes, in the order of historyColumns.
func historyRow(t Transition, h rowHashes, fx *Effects) []any {
	timers := fx.noted()
	sealed := seal.Transition{
		Machine: t.Machine, Subject: t.Subject, Version: t.Version, Event: string(t.Event), From: string(t.From), To: string(t.To),
		Source: t.Key.Source, Seq: t.Key.Seq, Fingerprint: t.Fingerprint[:], Nonce: t.nonce, Actor: t.Actor, Reason: t.Reason,
		Input: t.Input, Messages: int64(t.Messages), Timers: timers, MachineVersion: t.MachineVersion, At: t.At,
		Found: h.found, Row: h.left,
	}
	sum := sealed.Sum()
	return append(transitionRow(t), orNull(timers, true), orNull(h.found, false), orNull(h.left, false), sum[:])
}

// orNull is bytes for a column that may be null; text says that the column is one of text.
func orNull(b []byte, text bool) any {
	switch {
	case b == nil:
		return nil
	case text:
		return string(b)
	}
	return b
}

// NotedTimer is what history says of a timer that a transition armed or, without an event, stopped.
type NotedTimer struct {
	Name  string    `json:"name"`
	Event Event     `json:"event,omitempty"`
	DueAt time.Time `json:"due_at,omitzero"`
}

// noted is the timers of a transition, for history; nil where it has none.
func (fx *Effects) noted() []byte {
	if fx == nil || len(fx.stops)+len(fx.timers) == 0 {
		return nil
	}
	var all []NotedTimer
	for _, name := range fx.stops {
		all = append(all, NotedTimer{Name: name})
	}
	for _, t := range fx.timers {
		all = append(all, NotedTimer{Name: t.name, Event: t.event, DueAt: t.dueAt})
	}
	text, _ := json.Marshal(all) // strings and times
	return text
}

func messageHash(t Transition, ordinal int, msg message) []byte {
	sealed := seal.Message{
		Machine: t.Machine, Subject: t.Subject, Version: t.Version, Ordinal: int64(ordinal),
		Type: msg.kind, Data: msg.data, CreatedAt: t.At,
	}
	sum := sealed.Sum()
	return sum[:]
}

// hash is that of an attempt's row. What grows with its repeats is left out.
func (a *Attempt) hash(refused any) []byte {
	sealed := seal.Attempt{
		ID: a.id[:], Machine: a.Machine, Subject: a.Subject, Event: string(a.Event), Source: a.Key.Source, Seq: a.Key.Seq,
		Fingerprint: a.Fingerprint[:], Actor: a.Actor, Reason: a.Reason, Outcome: string(a.Outcome), Detail: string(a.Detail),
		State: string(a.State), Version: a.Version, Proof: a.ProofVersion, FirstAt: a.FirstAt,
	}
	if text, given := refused.(string); given {
		sealed.Refused = []byte(text)
	}
	sum := sealed.Sum()
	return sum[:]
}
