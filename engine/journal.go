package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// Bounds of the journal.
const (
	journalSeenMax  = 10_000          // attempts remembered so that their repeats are only counted
	journalFlush    = time.Second     // how long counts wait
	journalPatience = 5 * time.Second // how long a refusal waits to be written
)

// journal keeps attempts. A refusal is durable before its caller is answered; repeats of a known
// attempt, and what is more than its share, are counted in memory and written each second. It
// never changes an answer: what it cannot write it logs. What that does to a caller's transaction is
// told (recordIn).
type journal struct {
	e *Engine

	mu      sync.Mutex
	seen    map[[16]byte]bool
	counted map[[16]byte]*Attempt
	tallies tallies
	timer   *time.Timer
	closed  bool
	writing sync.WaitGroup
}

func newJournal(e *Engine) *journal {
	return &journal{e: e, seen: map[[16]byte]bool{}, counted: map[[16]byte]*Attempt{}, tallies: tallies{}}
}

// journalled reports whether an answer belongs into the journal. What moved a subject is in history;
// what was never looked at, or would move what does not exist, is only counted in metrics.
func journalled(it *item) bool {
	switch r := it.result; {
	case r.err != nil, r.DryRun:
		return false
	case r.Outcome == Already, r.Outcome == Stale, r.Outcome == Early, r.Outcome == Illegal, r.Outcome == Conflict:
		return r.ID != "" || it.unborn
	}
	return false
}

// record writes the refusals among some answers and counts the rest.
func (j *journal) record(ctx context.Context, items []*item) {
	var all, fresh []*Attempt
	for _, it := range items {
		if journalled(it) {
			all = append(all, j.attemptOf(it))
		}
	}
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalPatience)
	defer cancel()
	if err := j.look(ctx, j.e.db, all); err != nil {
		j.e.cfg.Logger.Warn("journalled attempts could not be counted", "error", err)
	}
	for _, a := range all {
		if j.isFresh(a) {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return
	}
	write := func() error {
		return j.e.db.Retry(ctx, func(tx *sqldb.Tx) error { return j.write(ctx, tx, fresh) })
	}
	err := write()
	if dberr.Classify(err) == dberr.Unknown {
		err = write() // an attempt counted once too often is better than one forgotten
	}
	if err != nil {
		j.e.cfg.Logger.Error("attempts could not be journalled", "attempts", len(fresh), "error", err)
		j.forget(fresh)
	}
}

// recordIn writes one answer into the caller's transaction. After an error the caller must find out
// what is left of that. What is more than its share is counted, whatever becomes of the
// transaction: a row that all such attempts share is none to hold a lock on.
func (j *journal) recordIn(ctx context.Context, tx *sqldb.Tx, it *item) error {
	if !journalled(it) {
		return nil
	}
	a := j.attemptOf(it)
	if err := j.look(ctx, tx, []*Attempt{a}); err != nil {
		return err
	}
	if !j.keeps(a) {
		return nil
	}
	return j.write(ctx, tx, []*Attempt{a})
}

// isFresh reports whether an attempt must be written now. The repeat of a known one, and whatever is
// no refusal, is counted instead.
func (j *journal) isFresh(a *Attempt) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.seen[a.id] {
		if row := j.tallies.admit(a); row != a {
			j.count(row)
			return false
		}
		if len(j.seen) >= journalSeenMax {
			clear(j.seen) // costs a few writes that might have been counts
		}
		j.seen[a.id] = true
		if a.Outcome != Already {
			return true
		}
	}
	j.count(a)
	return false
}

// keeps is isFresh for an attempt that is written in any case, and may be rolled back: it is not
// remembered, and counted only if it is more than its share.
func (j *journal) keeps(a *Attempt) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.seen[a.id] {
		return true
	}
	row := j.tallies.admit(a)
	if row != a {
		j.count(row)
	}
	return row == a
}

// count adds an attempt to what is written within a second.
func (j *journal) count(a *Attempt) {
	if old := j.counted[a.id]; old != nil {
		old.Times++
		old.LastAt = a.LastAt
		return
	}
	if len(j.counted) >= journalSeenMax || j.closed {
		return // bounded: more different repeats in a second than this are not kept
	}
	j.counted[a.id] = a
	if j.timer == nil {
		j.writing.Add(1)
		j.timer = time.AfterFunc(journalFlush, j.flushLater)
	}
}

func (j *journal) forget(attempts []*Attempt) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, a := range attempts {
		delete(j.seen, a.id)
	}
}

func (j *journal) attemptOf(it *item) *Attempt {
	r, now := it.result, j.e.cfg.Now()
	a := &Attempt{
		Machine: it.req.Machine, Subject: r.ID, Event: it.req.Event[:min(len(it.req.Event), 64)], Fingerprint: it.print,
		Actor: it.req.Actor, Reason: shortened(it.req.Reason, attemptReasonMax), Outcome: r.Outcome, Detail: r.Detail,
		State: r.State, Version: r.Version, Refused: shortenedAll(r.Refused), Times: 1, FirstAt: now, LastAt: now,
	}
	a.Key.Source = it.key.Source
	if !it.keyless {
		a.Key.Seq = it.key.Seq
	}
	if r.Proof != nil {
		a.ProofVersion = r.Proof.Version
	}
	a.id = a.identity()
	return a
}

// write adds attempts to the journal, in the order in which every engine locks its rows.
func (j *journal) write(ctx context.Context, tx *sqldb.Tx, attempts []*Attempt) error {
	slices.SortFunc(attempts, func(a, b *Attempt) int { return bytes.Compare(a.id[:], b.id[:]) })
	in := sqldb.Insert{Table: "engine_attempts", Columns: append(slices.Clone(attemptColumns), "hash")}
	for _, a := range attempts {
		var refused any
		if len(a.Refused) > 0 {
			text, err := json.Marshal(a.Refused)
			if err != nil {
				return err
			}
			refused = string(text)
		}
		in.Rows = append(in.Rows, []any{
			a.id[:], a.Machine, a.Subject, string(a.Event), a.Key.Source, a.Key.Seq, a.Fingerprint[:], a.Actor, a.Reason,
			string(a.Outcome), string(a.Detail), string(a.State), a.Version, a.ProofVersion, refused, a.Times, a.FirstAt, a.LastAt,
			a.hash(refused),
		})
	}
	return tx.Merge(ctx, sqldb.Merge{Insert: in, Key: []string{"id"}, Add: []string{"times"}, Replace: []string{"last_at"}})
}

func (j *journal) flushLater() {
	defer j.writing.Done()
	ctx, cancel := context.WithTimeout(context.Background(), journalPatience)
	defer cancel()
	if err := j.flush(ctx); err != nil {
		j.e.cfg.Logger.Error("counted attempts could not be written", "error", err)
	}
}

// flush writes the counts.
func (j *journal) flush(ctx context.Context) error {
	j.mu.Lock()
	counted := make([]*Attempt, 0, len(j.counted))
	for _, a := range j.counted {
		counted = append(counted, a)
	}
	clear(j.counted)
	j.timer = nil
	j.mu.Unlock()
	if len(counted) == 0 {
		return nil
	}
	return j.e.db.Retry(ctx, func(tx *sqldb.Tx) error { return j.write(ctx, tx, counted) })
}

// close stops counting and writes what was counted.
func (j *journal) close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	if j.timer != nil && j.timer.Stop() {
		j.writing.Done()
	}
	j.mu.Unlock()
	j.writing.Wait()
	return j.flush(ctx)
}
