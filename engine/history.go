package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// HistoryQuery chooses a part of a subject's history.
type HistoryQuery struct {
	After int64 // versions greater than this
	Limit int   // default 100, at most 1,000
}

// History returns a subject's transitions by version, oldest first. It is empty for a subject that
// does not exist or is not adopted yet.
func (e *Engine) History(ctx context.Context, machine, id string, q HistoryQuery) ([]Transition, error) {
	var past []Transition
	err := e.eachTransition(ctx,
		selectTransitions+` WHERE machine = ? AND subject = ? AND version > ? ORDER BY version LIMIT `+strconv.Itoa(limited(q.Limit)),
		[]any{machine, id, q.After}, func(t Transition) { past = append(past, *shown(t)) })
	if err != nil {
		return nil, fmt.Errorf("history of %s %s: %w", machine, id, err)
	}
	return past, nil
}

func limited(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, 1000)
}

// At returns the transition that had put a subject where it was at a time: the latest one decided
// then or before. It matches ErrNotFound if the subject had no transition yet.
func (e *Engine) At(ctx context.Context, machine, id string, at time.Time) (Transition, error) {
	var found *Transition
	err := e.eachTransition(ctx,
		selectTransitions+` WHERE machine = ? AND subject = ? AND at <= ? ORDER BY version DESC LIMIT 1`,
		[]any{machine, id, at.UTC().Truncate(time.Microsecond)}, func(t Transition) { found = shown(t) })
	switch {
	case err != nil:
		return Transition{}, fmt.Errorf("%s %s at %s: %w", machine, id, at.Format(time.RFC3339), err)
	case found == nil:
		return Transition{}, Result{Outcome: NotFound, Machine: machine, ID: id}.Err()
	}
	return *found, nil
}

// CauseKey is the key of what one transition causes on a further subject: however often the cause is
// worked off, the effect happens once. Names that do not fit into a key are replaced by their hash.
func CauseKey(by Transition, machine, subject string, event Event) Key {
	return Key{Source: SourceCause, Seq: seqOf(fmt.Sprintf("%s/%s/%d>%s/%s/%s", by.Machine, by.Subject, by.Version, machine,
		subject, event))}
}

// TimerKey is the key of the one event of a timer that the transition with version armed has armed, in the
// visit that began with version entered. A transition arms a name at most once, so no other arming ever has
// it. It is for ever, and the same in programs of all versions: two of them may fire the same timer.
func TimerKey(machine, subject string, entered int64, name string, armed int64) Key {
	return Key{Source: sourceTimer, Seq: seqOf(fmt.Sprintf("%s/%s/%d/%s/%d", machine, subject, entered, name, armed))}
}

// sourceTimer is the source of keys of timers.
const sourceTimer = SourceSystem + "timer"

// seqOf makes the seq of a key of a text, which is that of a subject in part: it may be too long, and
// hold what keys must not.
func seqOf(text string) string {
	if len(text) > seqMax || !visibleASCII(text) {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
	}
	return text
}

// ByKey returns the transition that a key has led to. It matches ErrNotFound if there is none.
func (e *Engine) ByKey(ctx context.Context, k Key) (Transition, error) {
	if k.IsZero() {
		return Transition{}, &RequestError{Field: "Key", Problem: "is empty: it has a Source and a Seq"}
	}
	if err := checkKey(k); err != nil {
		return Transition{}, err
	}
	var found *Transition
	err := e.eachTransition(ctx, selectTransitions+` WHERE source = ? AND seq = ?`, []any{k.Source, k.Seq},
		func(t Transition) { found = shown(t) })
	switch {
	case err != nil:
		return Transition{}, fmt.Errorf("look for the key %s %s: %w", k.Source, k.Seq, err)
	case found == nil:
		return Transition{}, fmt.Errorf("the key %s %s has not been used: %w", k.Source, k.Seq, ErrNotFound)
	}
	return *found, nil
}
