// Package timer fires the timers that transitions have armed: each at most once, and only while its
// subject is still in the visit of the state that armed it.
package timer

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/retry"
	"example.com/orderd/engine/schema"
)

// Config tunes Timers. The zero value works.
type Config struct {
	Batch  int                                    // timers per step; default 500, at most 1,000
	Tries  int                                    // before a timer is parked; default 100, which takes about four days
	Now    func() time.Time                       // default time.Now
	Rand   func() float64                         // jitter in [0,1); default math/rand
	Logger *slog.Logger                           // default slog.Default
	Fired  func(event string, late time.Duration) // called after the transition is certain
}

// Name is the name of the lease under which timers are fired, and the part of the system that asks for
// their events.
const Name = "timer"

// Timers fires what is due. Its Step is a worker's: one process at a time does it, under the lease
// Name. Should two do it all the same, the key of each timer lets its event happen once.
type Timers struct {
	db    *sqldb.DB
	apply engine.Applier
	cfg   Config
	rule  retry.Rule
}

// Pauses between tries double from the first to the longest.
const (
	pauseMin = time.Second
	pauseMax = time.Hour
)

// New makes Timers that ask apply for the events.
func New(ctx context.Context, db *gorm.DB, apply engine.Applier, cfg Config) (*Timers, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	if apply == nil {
		return nil, errors.New("timer: the Applier is nil: give New the Engine or Batcher that answers the timers' events")
	}
	if err := schema.Check(ctx, db, engine.Schema); err != nil {
		return nil, err
	}
	cfg.Batch = cmp.Or(cfg.Batch, 500)
	if cfg.Batch < 1 || cfg.Batch > 1000 {
		return nil, fmt.Errorf("timer: batch %d, want 1 to 1000", cfg.Batch)
	}
	rule := retry.Rule{Pauses: retry.Doubling(pauseMin, pauseMax), Tries: cmp.Or(cfg.Tries, 100), Rand: cfg.Rand}
	if err := rule.Check(); err != nil {
		return nil, fmt.Errorf("timer: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Fired == nil {
		cfg.Fired = func(string, time.Duration) {}
	}
	return &Timers{db: d, apply: apply, cfg: cfg, rule: rule}, nil
}

// timer is one row.
type timer struct {
	machine, subject string
	entered          int64
	name             string
	event            engine.Event
	due              time.Time
	arming           int64
	tries            int
}

// key is that of the one transition that this arming of the timer may cause.
func (t timer) key() engine.Key {
	return engine.TimerKey(t.machine, t.subject, t.entered, t.name, t.arming)
}

// subject names a row of a machine.
type subject struct{ machine, id string }

func (t timer) of() subject { return subject{t.machine, t.subject} }

// visit is where a subject stands: its version, and the one with which it entered its state.
type visit struct{ version, entered int64 }

// Step fires one batch of due timers. more says that there may be another.
func (t *Timers) Step(ctx context.Context, fence int64) (more bool, err error) {
	due, err := t.due(ctx)
	if err != nil || len(due) == 0 {
		return false, err
	}
	visits, err := t.visits(ctx, due)
	if err != nil {
		return false, err
	}
	var live, over []timer
	for _, one := range due {
		if visits[one.of()].entered == one.entered {
			live = append(live, one)
		} else {
			over = append(over, one)
		}
	}
	fired, err := t.happened(ctx, over)
	if err != nil {
		return false, err
	}
	n := notes{now: t.now()}
	for _, one := range over {
		n.end(one, fired[one.key().Seq])
	}
	undone := t.fire(ctx, live, visits, &n)
	if err := t.write(ctx, fence, n); err != nil {
		return false, fmt.Errorf("timer: note what was fired: %w", err)
	}
	return len(due) == t.cfg.Batch && undone == nil, undone
}

func (t *Timers) now() time.Time { return t.cfg.Now().UTC().Truncate(sqldb.Precision) }

func (t *Timers) due(ctx context.Context) ([]timer, error) {
	var due []timer
	err := t.db.Each(ctx, `SELECT machine, subject, entered, name, event, due_at, arming, tries FROM engine_timers
		WHERE status = 'armed' AND next_at <= ? ORDER BY next_at, machine, subject, entered, name LIMIT `+strconv.Itoa(t.cfg.Batch),
		[]any{t.now()}, func(rows *sql.Rows) error {
			var one timer
			err := rows.Scan(&one.machine, &one.subject, &one.entered, &one.name, &one.event, &one.due, &one.arming, &one.tries)
			due = append(due, one)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("timer: read what is due: %w", err)
	}
	return due, nil
}

// queryChunk is how many rows one condition names.
const queryChunk = 250

// visits asks history where the subjects stand. A self-loop moves the version and not the visit.
func (t *Timers) visits(ctx context.Context, due []timer) (map[subject]visit, error) {
	visits := map[subject]visit{}
	var all []subject
	for _, one := range due {
		if _, known := visits[one.of()]; !known {
			visits[one.of()] = visit{}
			all = append(all, one.of())
		}
	}
	for part := range slices.Chunk(all, queryChunk) {
		var args []any
		for _, s := range part {
			args = append(args, s.machine, s.id)
		}
		err := t.db.Each(ctx, `SELECT machine, subject, MAX(version), COALESCE(MAX(CASE WHEN from_status <> to_status THEN version END), 0)
			FROM engine_transitions WHERE `+"(machine, subject) IN ((?, ?)"+strings.Repeat(", (?, ?)", len(part)-1)+")"+
			` GROUP BY machine, subject`, args,
			func(rows *sql.Rows) error {
				var s subject
				var v visit
				err := rows.Scan(&s.machine, &s.id, &v.version, &v.entered)
				visits[s] = v
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("timer: ask where subjects stand: %w", err)
		}
	}
	return visits, nil
}

// happened tells which of the timers have fired, though that was not noted.
func (t *Timers) happened(ctx context.Context, over []timer) (map[string]bool, error) {
	fired := map[string]bool{}
	for part := range slices.Chunk(over, queryChunk) {
		args := []any{engine.SourceSystem + Name}
		for _, one := range part {
			args = append(args, one.key().Seq)
		}
		err := t.db.Each(ctx, "SELECT seq FROM engine_transitions WHERE source = ? AND seq IN (?"+
			strings.Repeat(", ?", len(part)-1)+")", args,
			func(rows *sql.Rows) error {
				var seq string
				err := rows.Scan(&seq)
				fired[seq] = true
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("timer: ask which have fired: %w", err)
		}
	}
	return fired, nil
}

// fire asks for the events, each pinned to the version at which its timer was seen to belong to the
// subject's visit: should the subject move meanwhile, the timer is looked at again. It returns why some
// could not be asked for.
func (t *Timers) fire(ctx context.Context, live []timer, visits map[subject]visit, n *notes) error {
	if len(live) == 0 {
		return nil
	}
	requests := make([]engine.Request, len(live))
	for i, one := range live {
		requests[i] = engine.Request{
			Machine: one.machine, ID: one.subject, Event: one.event, Key: one.key(), IfVersion: visits[one.of()].version,
			Actor: engine.SourceSystem + Name, Reason: "the timer " + one.name + " was due",
		}
	}
	var undone error
	for i, result := range t.apply.ApplyAll(ctx, requests) {
		one, err := live[i], result.Err()
		switch {
		case result.Outcome == engine.Applied, result.Outcome == engine.Already && result.Detail == engine.Replayed:
			n.end(one, true)
			if result.Outcome == engine.Applied {
				t.cfg.Fired(string(one.event), n.now.Sub(one.due))
			}
		case result.Outcome == engine.Already: // by somebody else
			n.end(one, false)
		case result.Detail == engine.VersionMoved:
			n.moved = append(n.moved, one)
		case !answered(result) && errors.Is(ctx.Err(), context.Canceled): // the step was told to end
			undone = cmp.Or(undone, err)
		case ctx.Err() == nil && (errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrUnknown)): // nobody could be asked
			n.failed = append(n.failed, failure{one, t.rule.Waits(n.now, one.tries, err)})
			undone = cmp.Or(undone, err)
		default: // a step whose time was up has this timer, or one beside it, to blame
			t.failed(ctx, n, one, err)
		}
	}
	return undone
}

// answered reports whether a result is an answer about the subject.
func answered(r engine.Result) bool {
	return r.Outcome != "" && r.Outcome != engine.Unavailable && r.Outcome != engine.Unknown
}

func (t *Timers) failed(ctx context.Context, n *notes, one timer, err error) {
	note := t.rule.Failed(n.now, one.tries, err)
	n.failed = append(n.failed, failure{one, note})
	level, text := slog.LevelWarn, "a timer's event was asked for in vain, it is tried again later"
	if note.Parked {
		level, text = slog.LevelError, "a timer is parked, its event was asked for in vain too often"
	}
	t.cfg.Logger.Log(ctx, level, text, "machine", one.machine, "subject", one.subject, "timer", one.name, "event", one.event,
		"tries", note.Tries, "problem", err)
}
