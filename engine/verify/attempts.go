package verify

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/seal"
)

// attempt is a row of the journal of what moved nothing, beside what history has of its key and of
// the transition that proved the answer.
type attempt struct {
	engine.Attempt
	id      []byte
	changed bool // the hash is not that of the row
	lacks   bool // it has no hash

	owner      sql.NullString // subject that the key moved; not valid where it moved none
	ownMachine sql.NullString
	moved      sql.NullInt64 // and to which version
	movedPrint []byte

	proof *engine.Transition // as history has it; nil if it has none
}

// Of the attempts' key only one transition can exist, and of their proof as well, so the joins add no
// rows. A keyless attempt has no seq, which no key has.
const readAttempts = `SELECT a.id, a.machine, a.subject, a.event, a.source, a.seq, a.fingerprint, a.actor, a.reason, a.outcome, a.detail,
	a.status, a.version, a.proof_version, a.refused, a.times, a.first_at, a.last_at, a.hash,
	k.subject, k.machine, k.version, k.fingerprint, p.event, p.source, p.seq, p.fingerprint, p.actor FROM engine_attempts a
	LEFT JOIN engine_transitions k ON k.source = a.source AND k.seq = a.seq
	LEFT JOIN engine_transitions p ON p.machine = a.machine AND p.subject = a.subject AND p.version = a.proof_version
	WHERE a.id > ? ORDER BY a.id LIMIT `

// attempts checks the journal page by page.
func (v *verifier) attempts(ctx context.Context) error {
	last := []byte{}
	for {
		n := 0
		err := v.db.Each(ctx, readAttempts+strconv.Itoa(v.bounds.attempts), []any{last}, func(rows *sql.Rows) error {
			a, err := scanAttempt(rows)
			if err != nil {
				return err
			}
			n++
			last = a.id
			invariant, text := a.wrong()
			if a.lacks {
				if problem := v.lacks(kindAttempts, moment{a.FirstAt}); text == "" && problem != "" {
					invariant, text = Unchanged, problem
				}
			}
			if text != "" {
				v.found(Finding{Invariant: invariant, Machine: a.Machine, Subject: a.Subject, Version: a.Version,
					Text: fmt.Sprintf("attempt %x, %s/%s: %s", a.id, a.Outcome, a.Detail, text)})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		v.report.Attempts += int64(n)
	}
}

func scanAttempt(rows *sql.Rows) (*attempt, error) {
	a := &attempt{}
	var source, seq string
	var print, refused, hash, proofPrint []byte
	var first, last moment
	var event, proofSource, proofSeq, proofActor sql.NullString
	err := rows.Scan(&a.id, &a.Machine, &a.Subject, &a.Event, &source, &seq, &print, &a.Actor, &a.Reason, &a.Outcome, &a.Detail,
		&a.State, &a.Version, &a.ProofVersion, &refused, &a.Times, &first, &last, &hash,
		&a.owner, &a.ownMachine, &a.moved, &a.movedPrint, &event, &proofSource, &proofSeq, &proofPrint, &proofActor)
	if err != nil {
		return nil, err
	}
	sealed := seal.Attempt{
		ID: a.id, Machine: a.Machine, Subject: a.Subject, Event: string(a.Event), Source: source, Seq: seq, Fingerprint: print,
		Actor: a.Actor, Reason: a.Reason, Outcome: string(a.Outcome), Detail: string(a.Detail), State: string(a.State),
		Version: a.Version, Proof: a.ProofVersion, Refused: refused, FirstAt: first.Time,
	}
	sum := sealed.Sum()
	a.FirstAt = first.Time
	a.lacks = hash == nil
	a.changed = !a.lacks && !bytes.Equal(sum[:], hash)
	if seq != "" {
		a.Key = engine.Key{Source: source, Seq: seq}
	}
	copy(a.Fingerprint[:], print)
	if event.Valid {
		a.proof = &engine.Transition{
			Event: engine.Event(event.String), Key: engine.Key{Source: proofSource.String, Seq: proofSeq.String}, Actor: proofActor.String,
		}
		copy(a.proof.Fingerprint[:], proofPrint)
	}
	return a, nil
}

// kept are the outcomes that move nothing and are journalled.
var kept = []engine.Outcome{engine.Already, engine.Stale, engine.Early, engine.Illegal, engine.Conflict}

// wrong says what history has against the answer. A refused key binds nothing and may have been
// applied later, so its transition alone is no contradiction: the refusal must have seen it.
func (a *attempt) wrong() (invariant, text string) {
	same := a.owner.Valid && bytes.Equal(a.Fingerprint[:], a.movedPrint)
	switch {
	case !slices.Contains(kept, a.Outcome):
		return NoPhantom, "what has this outcome is not kept there"
	case a.Detail == engine.NotKept: // many in one
	case a.ProofVersion != 0 && a.proof == nil && a.Outcome != engine.Conflict:
		return NoPhantom, fmt.Sprintf("the transition to version %d that proved it does not exist", a.ProofVersion)
	case a.Outcome == engine.Conflict && a.Detail == engine.InputDiffers:
		if unadopted := a.Version == 0 && a.ProofVersion == 0; unadopted {
			break // nobody knew with what input the row came there
		}
		if a.proof == nil || a.proof.Fingerprint == a.Fingerprint {
			return Idempotency, "no transition of other input is there"
		}
	case a.Outcome == engine.Conflict:
		if a.Detail != engine.LostRace && (!a.owner.Valid || same) {
			return Idempotency, "no other request has the key"
		}
	case a.Outcome == engine.Already && a.Detail == engine.Replayed:
		if a.proof == nil || !a.Repeats(a.proof) {
			return Idempotency, "what was repeated is another request"
		}
	case a.Outcome == engine.Already:
	case a.Detail != engine.UnknownEvent && same && a.isOwner() && a.Version >= a.moved.Int64:
		// An event unknown to today's machine is refused before its key is looked at.
		return Idempotency, fmt.Sprintf("the same request had moved the subject to version %d before", a.moved.Int64)
	}
	if a.changed {
		return Unchanged, "it was changed after it was written"
	}
	return "", ""
}

func (a *attempt) isOwner() bool {
	return a.owner.String == a.Subject && a.ownMachine.String == a.Machine
}
