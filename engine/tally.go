package engine

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// Bounds of what the journal keeps of one subject's attempts, and of those by which one asker found no
// subject of a machine. Further ones are counted, by outcome.
const (
	attemptsPerSubject = 1000
	attemptsPerAsker   = 250 // so that one cannot crowd out the others

	tallyCredit = 32        // attempts written between two looks at what the journal has
	tallyAge    = time.Hour // after which a share that was used up is looked at again
	talliesMax  = 10_000
)

// tally is how many attempts of one share the journal has. It is known from looking now and then and
// counting in between, so several engines on one database exceed the bounds by a few looks' credit.
type tally struct {
	kept   int
	askers map[string]int
	credit int
	looked time.Time
}

// share is what some attempts have of the journal together: those on one subject, or those by which one
// asker found none. Each of these may name another subject, as creations do, so it is not that which
// bounds them.
type share struct {
	ref
	source, actor string // of the asker where there is no subject; the actor if the source tells nobody
}

func (s share) unfound() bool { return s.source != "" }

type tallies map[share]*tally

// asker is who made an attempt: the source of its key, and where the caller gave none, the actor.
func (a *Attempt) asker() string { return askerOf(a.Key.Source, a.Actor) }

func askerOf(source, actor string) string {
	if source == sourceCall {
		return source + ":" + actor
	}
	return source
}

// unfound reports whether there was no such subject. Every one there is is in a state.
func (a *Attempt) unfound() bool { return a.State == "" }

func (a *Attempt) share() share {
	if !a.unfound() {
		return share{ref: ref{a.Machine, a.Subject}}
	}
	s := share{ref: ref{a.Machine, ""}, source: a.Key.Source}
	if s.source == sourceCall {
		s.actor = a.Actor
	}
	return s
}

func (t *tally) full(asker string) bool {
	return t.kept >= attemptsPerSubject || t.askers[asker] >= attemptsPerAsker
}

func (all tallies) of(s share) *tally {
	t := all[s]
	if t == nil {
		if len(all) >= talliesMax {
			clear(all) // costs looking once more
		}
		t = &tally{askers: map[string]int{}, credit: tallyCredit}
		all[s] = t
	}
	return t
}

// admit takes an attempt into its share. Once that is used up, it returns the row that counts
// it instead.
func (all tallies) admit(a *Attempt) *Attempt {
	t, asker := all.of(a.share()), a.asker()
	if t.full(asker) {
		return a.rest(t.kept >= attemptsPerSubject)
	}
	t.kept++
	t.askers[asker]++
	t.credit--
	return a
}

// rest is the row that counts an attempt and others of the same outcome: those of one asker, or of
// everybody. Those that found no subject name none.
func (a *Attempt) rest(everybody bool) *Attempt {
	r := &Attempt{
		Machine: a.Machine, Subject: a.share().id, Outcome: a.Outcome, Detail: NotKept,
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

// due are the shares of some attempts that have to be looked at before these are added.
func (all tallies) due(attempts []*Attempt, now time.Time) []share {
	need, asked := map[share]int{}, map[share]bool{}
	for _, a := range attempts {
		s := a.share()
		t := all.of(s)
		if !t.full(a.asker()) {
			need[s]++
			asked[s] = asked[s] || need[s] > t.credit
		} else if now.Sub(t.looked) >= tallyAge {
			asked[s] = true
		}
	}
	var due []share
	for s, yes := range asked {
		if yes {
			due = append(due, s)
		}
	}
	return due
}

// kept is the query for the askers of what the journal has of a share, up to its bound.
func (s share) kept() (query string, args []any) {
	query, args = `SELECT source, actor FROM engine_attempts WHERE machine = ?`, []any{s.machine}
	limit := attemptsPerSubject
	switch {
	case !s.unfound():
		query, args = query+` AND subject = ?`, append(args, s.id)
	case s.source == sourceCall:
		query, args = query+` AND status = '' AND source = ? AND actor = ?`, append(args, s.source, s.actor)
		limit = attemptsPerAsker
	default:
		query, args = query+` AND status = '' AND source = ?`, append(args, s.source)
		limit = attemptsPerAsker
	}
	return query + ` LIMIT ` + strconv.Itoa(limit), args
}

// look counts what the journal has of the shares that may have come near their bound.
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
	for i, s := range due {
		kept, args := s.kept()
		t := &tally{askers: map[string]int{}, credit: tallyCredit, looked: now}
		found[i] = t
		readings[i] = sqldb.Reading{
			Query: `SELECT source, actor, COUNT(*) FROM (` + kept + `) AS kept GROUP BY source, actor`,
			Args:  args,
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
	for i, s := range due {
		*j.tallies.of(s) = *found[i]
	}
	return nil
}
