package engine

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"example.com/orderd/internal/sqldb"
)

// Bounds of what the journal keeps of one subject's attempts. Further ones are counted, by outcome.
const (
	attemptsPerSubject = 1000
	attemptsPerAsker   = 250 // so that one cannot crowd out the others

	tallyCredit = 32        // attempts written between two looks at what the journal has
	tallyAge    = time.Hour // after which a subject that had its share is looked at again
	talliesMax  = 10_000
)

// tally is how many attempts of one subject the journal has. It is known from looking now and then and
// counting in between, so several engines on one database exceed the bounds by a few looks' credit.
type tally struct {
	kept   int
	askers map[string]int
	credit int
	looked time.Time
}

type tallies map[ref]*tally

// asker is who made an attempt: the source of its key, and where the caller gave none, the actor.
func (a *Attempt) asker() string { return askerOf(a.Key.Source, a.Actor) }

func askerOf(source, actor string) string {
	if source == sourceCall {
		return source + ":" + actor
	}
	return source
}

func (a *Attempt) ref() ref { return ref{a.Machine, a.Subject} }

func (t *tally) full(asker string) bool {
	return t.kept >= attemptsPerSubject || t.askers[asker] >= attemptsPerAsker
}

func (all tallies) of(r ref) *tally {
	t := all[r]
	if t == nil {
		if len(all) >= talliesMax {
			clear(all) // costs looking once more
		}
		t = &tally{askers: map[string]int{}, credit: tallyCredit}
		all[r] = t
	}
	return t
}

// place takes an attempt into its subject's share. Once that is used up, it returns the row that counts
// it instead.
func (all tallies) place(a *Attempt) *Attempt {
	t, asker := all.of(a.ref()), a.asker()
	if t.full(asker) {
		return a.rest(t.kept >= attemptsPerSubject)
	}
	t.kept++
	t.askers[asker]++
	t.credit--
	return a
}

// rest is the row that counts an attempt and others of the same outcome: those of one asker, or of
// everybody.
func (a *Attempt) rest(everybody bool) *Attempt {
	r := &Attempt{
		Machine: a.Machine, Subject: a.Subject, Outcome: a.Outcome, Detail: NotKept,
		Times: 1, FirstAt: a.FirstAt, LastAt: a.LastAt,
	}
	if !everybody {
		r.Key.Source = a.Key.Source
		if a.Key.Source == sourceCall {
			r.Actor = a.Actor
		}
	}
	r.id = r.identity()
	r.State, r.Version = a.State, a.Version // of the first; one row, however far the subject moves on
	return r
}

// due are the subjects of some attempts whose journal has to be looked at before these are added.
func (all tallies) due(attempts []*Attempt, now time.Time) []ref {
	need, asked := map[ref]int{}, map[ref]bool{}
	for _, a := range attempts {
		r := a.ref()
		t := all.of(r)
		if !t.full(a.asker()) {
			need[r]++
			asked[r] = asked[r] || need[r] > t.credit
		} else if now.Sub(t.looked) >= tallyAge {
			asked[r] = true
		}
	}
	var due []ref
	for r, yes := range asked {
		if yes {
			due = append(due, r)
		}
	}
	return due
}

// look counts what the journal has of the subjects that may have come near their share.
func (j *journal) look(ctx context.Context, from reader, attempts []*Attempt) error {
	now := j.e.cfg.Now()
	j.mu.Lock()
	due := j.tallies.due(attempts, now)
	j.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	found := make([]*tally, len(due))
	readings := make([]sqldb.Reading, len(due))
	for i, r := range due {
		t := &tally{askers: map[string]int{}, credit: tallyCredit, looked: now}
		found[i] = t
		readings[i] = sqldb.Reading{
			Query: `SELECT source, actor, COUNT(*) FROM (SELECT source, actor FROM engine_attempts
				WHERE machine = ? AND subject = ? LIMIT ` + strconv.Itoa(attemptsPerSubject) + `) AS kept GROUP BY source, actor`,
			Args: []any{r.machine, r.id},
			Row: func(rows *sql.Rows) error {
				var source, actor string
				var n int
				err := rows.Scan(&source, &actor, &n)
				t.kept += n
				t.askers[askerOf(source, actor)] += n
				return err
			},
		}
	}
	if err := from.Read(ctx, readings); err != nil {
		return fmt.Errorf("count attempts: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, r := range due {
		*j.tallies.of(r) = *found[i]
	}
	return nil
}
