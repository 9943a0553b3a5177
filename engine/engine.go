package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// Applier is what callers need of an engine. An Engine is one; so is a batcher in front of it.
type Applier interface {
	// Apply answers one request. Its error is the result's Err.
	Apply(ctx context.Context, r Request) (Result, error)

	// ApplyAll answers many requests, one result each, in order. It is not atomic across them: each
	// stands or falls alone, and one that fails does not disturb the others.
	ApplyAll(ctx context.Context, rs []Request) []Result
}

// Config tunes an Engine. The zero value works.
type Config struct {
	Now     func() time.Time  // default time.Now
	NewID   func() string     // unique ids for calls without a key; default the time and 128 random bits
	Rand    func() uint64     // for jitter and nonces; default crypto/rand
	Logger  *slog.Logger      // default slog.Default
	Observe func(Observation) // called after the answer is certain, never inside a transaction; must be quick

	Tries            int           // of one transaction before lost_race or unavailable; default 8, at most 100
	Backoff          time.Duration // longest wait before the second try, doubling up to 100 ms; default 2 ms
	Settle           time.Duration // how long an unknown COMMIT is settled before the answer is unknown; default 10 s
	AttemptRetention time.Duration // which attempts TrimAttempts leaves; default 90 days
}

// Observation tells of one answered request.
type Observation struct {
	Request Request
	Result  Result
	Took    time.Duration
}

// Engine drives the subjects of its machines in one database. It is safe for concurrent use.
type Engine struct {
	db       *sqldb.DB
	cfg      Config
	machines map[string]*machine
	journal  *journal
	contest  contest
	life     life
}

// New makes an engine for some machines on a database, whose settings and schema version it checks. It looks at the
// machines' tables as Inspect does: what it cannot drive safely is an *InspectionError, with all findings at once, and
// the rest is logged. It records the machines' descriptions. Close ends it; the database stays the caller's.
func New(db *gorm.DB, cfg Config, machines ...AnyMachine) (*Engine, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	if err := checkTables(ctx, db); err != nil {
		return nil, err
	}
	e := &Engine{db: d, cfg: cfg.withDefaults(), machines: map[string]*machine{}}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e.journal = newJournal(e)
	var in Inspection
	for _, any := range machines {
		plain, err := erased(any)
		if err != nil {
			return nil, err
		}
		m, err := plain.bound(db.NamingStrategy)
		if err != nil {
			return nil, err
		}
		if err := m.row.learnCondition(d.Gorm(ctx)); err != nil {
			return nil, fmt.Errorf("machine %s: %w", m.name, err)
		}
		if e.machines[m.name] != nil {
			return nil, fmt.Errorf("two machines are called %q: give each once, and each Definition a Name of its own", m.name)
		}
		found, info, err := look(ctx, d, m)
		if err != nil {
			return nil, err
		}
		in.Findings = append(in.Findings, found...)
		m.row.learnTable(info)
		e.machines[m.name] = m
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	for _, f := range in.Findings {
		e.cfg.Logger.Warn("a table has something to know", "machine", f.Machine, "table", f.Table, "column", f.Column,
			"problem", f.Problem, "remedy", f.Remedy)
	}
	for _, m := range e.machines {
		if err := e.remember(ctx, m.desc); err != nil {
			return nil, fmt.Errorf("record machine %s: %w", m.name, err)
		}
	}
	return e, nil
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	now := c.Now
	c.Now = func() time.Time { return now().UTC().Truncate(time.Microsecond) }
	if c.NewID == nil {
		// Led by the time, so that neighbours in time are neighbours in the index of keys.
		c.NewID = func() string { return fmt.Sprintf("%012x%s", c.Now().UnixMilli(), rand.Text()) }
	}
	if c.Rand == nil {
		c.Rand = func() uint64 {
			var b [8]byte
			_, _ = rand.Read(b[:]) // never fails, says its documentation
			return binary.LittleEndian.Uint64(b[:])
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Tries = cmp.Or(c.Tries, 8)
	c.Backoff = cmp.Or(c.Backoff, 2*time.Millisecond)
	c.Settle = cmp.Or(c.Settle, 10*time.Second)
	c.AttemptRetention = cmp.Or(c.AttemptRetention, 90*24*time.Hour)
	return c
}

func (c Config) validate() error {
	var mistakes []error
	for name, v := range map[string]int64{
		"Tries": int64(c.Tries), "Backoff": int64(c.Backoff),
		"Settle": int64(c.Settle), "AttemptRetention": int64(c.AttemptRetention),
	} {
		if v < 0 {
			mistakes = append(mistakes, fmt.Errorf("engine.Config.%s is negative", name))
		}
	}
	if c.Tries > 100 {
		mistakes = append(mistakes, errors.New("engine.Config.Tries is more than 100"))
	}
	return errors.Join(mistakes...)
}

// bound is the machine with its row type read under a database's own naming strategy.
func (m *machine) bound(namer schema.Namer) (*machine, error) {
	row, err := m.row.rebind(namer)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.name, err)
	}
	b := *m
	b.row = row
	return &b, nil
}

// remember stores a description under its hash, so that history decided by it stays checkable.
func (e *Engine) remember(ctx context.Context, d Description) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	known := false
	err = e.db.Each(ctx, `SELECT 1 FROM engine_machines WHERE name = ? AND hash = ?`, []any{d.Name, d.Hash},
		func(*sql.Rows) error { known = true; return nil })
	if err != nil || known {
		return err
	}
	err = e.db.Retry(ctx, func(tx *sqldb.Tx) error {
		return tx.Insert(ctx, sqldb.Insert{
			Table:   "engine_machines",
			Columns: []string{"name", "hash", "description", "first_seen"},
			Rows:    [][]any{{d.Name, d.Hash, string(text), e.cfg.Now()}},
		})
	})
	if dberr.Classify(err) == dberr.Duplicate {
		return nil // another process was faster
	}
	return err
}

// Machines describes the engine's machines, sorted by name.
func (e *Engine) Machines() []Description {
	if e.made() != nil {
		return nil
	}
	var all []Description
	for _, m := range e.machines {
		all = append(all, m.desc)
	}
	slices.SortFunc(all, func(a, b Description) int { return strings.Compare(a.Name, b.Name) })
	return all
}
