package verify

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"example.com/orderd/engine"
)

// attempt is a row of the journal of what moved nothing, beside what history has of its key and of
// the transition that proved the answer.
type attempt struct {
	id               []byte
	machine, subject string
	version, proof   int64
	keyed            bool
	print            []byte
	outcome          engine.Outcome
	detail           engine.Detail

	owner      sql.NullString // subject that the key moved; not valid where it moved none
	ownMachine sql.NullString
	moved      sql.NullInt64 // and to which version
	movedPrint []byte
	proven     bool // history has the proof
}

// Of the attempts' key only one transition can exist, and of their proof as well, so the joins add no
// rows. A keyless attempt has no seq, which no key has.
const readAttempts = `SELECT a.id, a.machine, a.subject, a.version, a.proof_version, a.seq <> '', a.fingerprint, a.outcome, a.detail,
	k.subject, k.machine, k.version, k.fingerprint, p.version IS NOT NULL FROM engine_attempts a
	LEFT JOIN engine_transitions k ON k.source = a.source AND k.seq = a.seq
	LEFT JOIN engine_transitions p ON p.machine = a.machine AND p.subject = a.subject AND p.version = a.proof_version
	WHERE a.id > ? ORDER BY a.id LIMIT `

// attempts checks the journal page by page.
func (v *verifier) attempts(ctx context.Context) error {
	last := []byte{}
	for {
		n := 0
		err := v.db.Each(ctx, readAttempts+strconv.Itoa(v.bounds.attempts), []any{last}, func(rows *sql.Rows) error {
			var a attempt
			err := rows.Scan(&a.id, &a.machine, &a.subject, &a.version, &a.proof, &a.keyed, &a.print, &a.outcome, &a.detail,
				&a.owner, &a.ownMachine, &a.moved, &a.movedPrint, &a.proven)
			if err != nil {
				return err
			}
			n++
			last = a.id
			if invariant, text := a.wrong(); text != "" {
				v.found(Finding{Invariant: invariant, Machine: a.machine, Subject: a.subject, Version: a.version,
					Text: fmt.Sprintf("attempt %x, %s/%s: %s", a.id, a.outcome, a.detail, text)})
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

// kept are the outcomes that move nothing and are journalled.
var kept = []engine.Outcome{engine.Already, engine.Stale, engine.Early, engine.Illegal, engine.Conflict}

// wrong says what history has against the answer. A refused key binds nothing and may have been
// applied later, so its transition alone is no contradiction: the refusal must have seen it.
func (a *attempt) wrong() (invariant, text string) {
	same := a.owner.Valid && bytes.Equal(a.print, a.movedPrint)
	switch {
	case !slices.Contains(kept, a.outcome):
		return NoPhantom, "what has this outcome is not kept there"
	case a.detail == engine.NotKept: // many in one
	case a.outcome == engine.Conflict:
		if a.detail != engine.LostRace && (!a.owner.Valid || same) {
			return Idempotency, "no other request has the key"
		}
	case a.proof != 0 && !a.proven:
		return NoPhantom, fmt.Sprintf("the transition to version %d that proved it does not exist", a.proof)
	case a.outcome == engine.Already:
		if a.detail == engine.Replayed && a.keyed && !(same && a.isOwner() && a.moved.Int64 == a.proof) {
			return Idempotency, "the key is not that of the transition that was repeated"
		}
	case a.detail != engine.UnknownEvent && same && a.isOwner() && a.version >= a.moved.Int64:
		// An event unknown to today's machine is refused before its key is looked at.
		return Idempotency, fmt.Sprintf("the same request had moved the subject to version %d before", a.moved.Int64)
	}
	return "", ""
}

func (a *attempt) isOwner() bool {
	return a.owner.String == a.subject && a.ownMachine.String == a.machine
}
