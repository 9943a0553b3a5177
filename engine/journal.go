package engine

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"example.com/orderd/internal/sqldb"
)

// Bounds of the journal.
const (
	journalSeenMax  = 10_000          // attempts remembered so that their repeats are only counted
	journalFlush    = time.Second     // how long counts wait
	journalPatience = 5 * time.Second // how long a refusal waits to be written
	journalTrim     = time.Hour       // how often old attempts are looked for
	journalTrimMax  = 1000            // old attempts removed at a time
)

// journal keeps attempts. A refusal is durable before its caller is answered; repeats of a known
// attempt are counted in memory and written each second. It never changes an answer: what it cannot
// write it logs. What that does to a caller's transaction is told (recordIn).
type journal struct {
	e *Engine

	mu      sync.Mutex
	seen    map[[16]byte]bool
	counted map[[16]byte]*Attempt
	timer   *time.Timer
	closed  bool
	trimmed time.Time
	writing sync.WaitGroup
}

func newJournal(e *Engine) *journal {
	return &journal{e: e, seen: map[[16]byte]bool{}, counted: map[[16]byte]*Attempt{}}
}

// journalled reports whether an answer belongs into the journal. What moved a subject is in history;
// what was never looked at, or never found a subject, is only counted in metrics.
func journalled(r Result) bool {
	switch {
	case r.err != nil, r.DryRun:
		return false
	case r.Outcome == Already, r.Outcome == Stale, r.Outcome == Early, r.Outcome == Illegal, r.Outcome == Conflict:
		return r.ID != ""
	}
	return false
}

// record writes the refusals among some answers and counts the rest.
func (j *journal) record(ctx context.Context, items []*item) {
	var fresh []*Attempt
	for _, it := range items {
		if !journalled(it.result) {
			continue
		}
		if a := j.attempt(it); j.isFresh(a) {
			fresh = append(fresh, a)
		}
	}
	if len(fresh) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalPatience)
	defer cancel()
	write := func() error {
		return j.e.db.Retry(ctx, func(tx *sqldb.Tx) error { return j.write(ctx, tx, fresh) })
	}
	err := write()
	if sqldb.Classify(err) == sqldb.ClassUnknown {
		err = write() // an attempt counted once too often is better than one forgotten
	}
	if err != nil {
		j.e.cfg.Logger.Error("attempts could not be journalled", "attempts", len(fresh), "error", err)
		j.forget(fresh)
	}
}

// recordIn writes one answer into the caller's transaction. After an error the caller must find out
// what is left of that.
func (j *journal) recordIn(ctx context.Context, tx *sqldb.Tx, it *item) error {
	if !journalled(it.result) {
		return nil
	}
	return j.write(ctx, tx, []*Attempt{j.attempt(it)})
}

// isFresh reports whether an attempt must be written now. The repeat of a known one, and whatever is
// no refusal, is counted instead.
func (j *journal) isFresh(a *Attempt) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a.Outcome != Already && !j.seen[a.id] {
		if len(j.seen) >= journalSeenMax {
			clear(j.seen) // costs a few writes that might have been counts
		}
		j.seen[a.id] = true
		return true
	}
	if old := j.counted[a.id]; old != nil {
		old.Times++
		old.LastAt = a.LastAt
		return false
	}
	if len(j.counted) >= journalSeenMax || j.closed {
		return false // bounded: more different repeats in a second than this are not kept
	}
	j.counted[a.id] = a
	if j.timer == nil {
		j.writing.Add(1)
		j.timer = time.AfterFunc(journalFlush, j.flushLater)
	}
	return false
}

func (j *journal) forget(attempts []*Attempt) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, a := range attempts {
		delete(j.seen, a.id)
	}
}

func (j *journal) attempt(it *item) *Attempt {
	r, now := it.result, j.e.cfg.Now()
	a := &Attempt{
		Machine: it.req.Machine, Subject: r.ID, Event: it.req.Event[:min(len(it.req.Event), 64)], Fingerprint: it.print,
		Actor: it.req.Actor, Reason: it.req.Reason, Outcome: r.Outcome, Detail: r.Detail,
		State: r.State, Version: r.Version, Refused: r.Refused, Times: 1, FirstAt: now, LastAt: now,
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

func (j *journal) write(ctx context.Context, tx *sqldb.Tx, attempts []*Attempt) error {
	in := sqldb.Insert{Table: "engine_attempts", Columns: attemptColumns}
	for _, a := range attempts {
		var refused any
		if len(a.Refused) > 0 {
			text, err := json.Marshal(a.Refused)
			if err != nil {
				return err
			}
			refused = truncated(string(text), 60_000)
		}
		in.Rows = append(in.Rows, []any{
			a.id[:], a.Machine, a.Subject, string(a.Event), a.Key.Source, a.Key.Seq, a.Fingerprint[:], a.Actor, a.Reason,
			string(a.Outcome), string(a.Detail), string(a.State), a.Version, a.ProofVersion, refused, a.Times, a.FirstAt, a.LastAt,
		})
	}
	return tx.Merge(ctx, sqldb.Merge{Insert: in, Key: []string{"id"}, Add: []string{"times"}, Replace: []string{"last_at"}})
}

// truncated cuts what user code wrote too long. Cut JSON is kept as a JSON string.
func truncated(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	quoted, _ := json.Marshal([]Refused{{Guard: "truncated", Reason: strings.ToValidUTF8(text[:limit/2], "")}})
	return string(quoted)
}

func (j *journal) flushLater() {
	defer j.writing.Done()
	ctx, cancel := context.WithTimeout(context.Background(), journalPatience)
	defer cancel()
	if err := j.flush(ctx); err != nil {
		j.e.cfg.Logger.Error("counted attempts could not be written", "error", err)
	}
}

// flush writes the counts, and now and then removes what is older than the retention.
func (j *journal) flush(ctx context.Context) error {
	j.mu.Lock()
	counted := make([]*Attempt, 0, len(j.counted))
	for _, a := range j.counted {
		counted = append(counted, a)
	}
	clear(j.counted)
	j.timer = nil
	now := j.e.cfg.Now()
	trim := now.Sub(j.trimmed) >= journalTrim
	if trim {
		j.trimmed = now
	}
	j.mu.Unlock()
	if len(counted) > 0 {
		err := j.e.db.Retry(ctx, func(tx *sqldb.Tx) error { return j.write(ctx, tx, counted) })
		if err != nil {
			return err
		}
	}
	if trim {
		_, err := j.e.TrimAttempts(ctx, journalTrimMax)
		return err
	}
	return nil
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
