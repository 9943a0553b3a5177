package engine

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/orderd/engine/internal/sqldb"
)

// Bounds of what the journal keeps of one attempt; a request may say more.
const (
	attemptReasonMax  = 250 // characters of its reason, and of each refusal's
	attemptRefusedMax = 10  // guards that refused it
)

// Attempt is a request that moved nothing: a refusal, or a repeat of what has happened. With the
// detail NotKept it is many, of one outcome: those that are more than their share. The subject is "" if
// these found none, and of a refused creation whose row would have got its key by being made.
type Attempt struct {
	Machine      string    `json:"machine"`
	Subject      string    `json:"subject"`
	Event        Event     `json:"event"`
	Key          Key       `json:"-"` // zero where the caller gave none
	Fingerprint  [32]byte  `json:"-"`
	Actor        string    `json:"actor"`
	Reason       string    `json:"reason"`
	Outcome      Outcome   `json:"outcome"`
	Detail       Detail    `json:"detail"`
	State        State     `json:"state"`   // of the subject then; "" if there was none
	Version      int64     `json:"version"` // of the subject then
	ProofVersion int64     `json:"proof_version,omitempty"`
	Refused      []Refused `json:"refused,omitempty"`
	Times        int64     `json:"times"`
	FirstAt      time.Time `json:"first_at"`
	LastAt       time.Time `json:"last_at"`

	id [16]byte
}

// identity hashes what makes two attempts the same: what was asked, by whom, and the verdict. A
// repeat is the same whatever has become of the subject since.
func (a *Attempt) identity() [16]byte {
	version := a.Version
	if a.Outcome == Already {
		version = 0
	}
	var n [8]byte
	h := sha256.New()
	for _, part := range []string{
		a.Machine, a.Subject, string(a.Event), a.Key.Source, a.Key.Seq, string(a.Fingerprint[:]),
		a.Actor, string(a.Outcome), string(a.Detail), strconv.FormatInt(version, 10), strconv.FormatInt(a.ProofVersion, 10),
	} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return [16]byte(h.Sum(nil))
}

// shortened cuts a text and shows that.
func shortened(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// shortenedAll keeps the first of many guards that refused, and says how many there were.
func shortenedAll(all []Refused) []Refused {
	var kept []Refused
	for i, no := range all {
		if i == attemptRefusedMax {
			return append(kept, Refused{Guard: "…", Reason: fmt.Sprintf("and %d more", len(all)-i)})
		}
		kept = append(kept, Refused{Guard: no.Guard, Reason: shortened(no.Reason, attemptReasonMax)})
	}
	return kept
}

// TrimAttempts removes up to limit attempts, at most 1,000, last seen longer ago than
// Config.AttemptRetention, and returns how many it removed. Nothing else removes any: call it every
// now and then, each time until it has removed fewer than limit.
func (e *Engine) TrimAttempts(ctx context.Context, limit int) (int, error) {
	if err := e.enter(); err != nil {
		return 0, fmt.Errorf("trim attempts: %w", err)
	}
	defer e.leave()
	var ids []any
	before := e.cfg.Now().Add(-e.cfg.AttemptRetention)
	err := e.db.Each(ctx, `SELECT id FROM engine_attempts WHERE last_at < ? ORDER BY last_at LIMIT `+strconv.Itoa(limited(limit)),
		[]any{before}, func(rows *sql.Rows) error {
			var id []byte
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	err = e.db.Retry(ctx, func(tx *sqldb.Tx) error { // seen again meanwhile, an attempt stays
		_, err := tx.Exec(ctx, `DELETE FROM engine_attempts WHERE id IN (?`+strings.Repeat(",?", len(ids)-1)+`) AND last_at < ?`,
			append(ids, before)...)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(ids), nil
}

// AttemptQuery chooses a part of a subject's attempts.
type AttemptQuery struct {
	Limit int // default 100, at most 1,000; the latest
}

// Attempts returns a subject's journalled attempts by the time of their first occurrence, oldest
// first. Counts of repeats lag by up to a second. The subject "" has what counts further attempts that
// found no subject.
func (e *Engine) Attempts(ctx context.Context, machine, id string, q AttemptQuery) ([]Attempt, error) {
	if err := e.made(); err != nil {
		return nil, err
	}
	var all []Attempt
	err := e.db.Each(ctx, `SELECT `+strings.Join(attemptColumns, ", ")+` FROM engine_attempts
		WHERE machine = ? AND subject = ? ORDER BY first_at DESC, id LIMIT `+strconv.Itoa(limited(q.Limit)),
		[]any{machine, id}, func(rows *sql.Rows) error {
			a, err := scanAttempt(rows)
			all = append([]Attempt{a}, all...)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("attempts on %s %s: %w", machine, id, err)
	}
	return all, nil
}

var attemptColumns = []string{
	"id", "machine", "subject", "event", "source", "seq", "fingerprint", "actor", "reason", "outcome", "detail",
	"status", "version", "proof_version", "refused", "times", "first_at", "last_at",
}

func scanAttempt(rows *sql.Rows) (Attempt, error) {
	var a Attempt
	var id, print, refused []byte
	err := rows.Scan(&id, &a.Machine, &a.Subject, &a.Event, &a.Key.Source, &a.Key.Seq, &print, &a.Actor, &a.Reason,
		&a.Outcome, &a.Detail, &a.State, &a.Version, &a.ProofVersion, &refused, &a.Times, &a.FirstAt, &a.LastAt)
	if err != nil {
		return a, err
	}
	copy(a.id[:], id)
	copy(a.Fingerprint[:], print)
	if a.Key.Source == sourceCall {
		a.Key = Key{}
	}
	a.FirstAt, a.LastAt = a.FirstAt.UTC(), a.LastAt.UTC()
	if len(refused) > 0 {
		return a, json.Unmarshal(refused, &a.Refused)
	}
	return a, nil
}
