// Package verify walks a live database and reports every row that no history of requests can explain.
// It only reads. Each part of the walk is one statement, which every supported database answers from
// one moment; what changes between two statements therefore raises no false alarm, the daemon may go
// on working, and no snapshot is held for long. Memory does not grow with the database.
package verify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/schema"
)

// bounds of one part of the walk.
type bounds struct {
	subjects int // looked at in one statement
	rows     int // their transitions; a longer history is looked at piece by piece
	attempts int
}

var usual = bounds{subjects: 1_000, rows: 10_000, attempts: 1_000}

const findingsMax = 1_000

// Options says what to look at. The zero value checks all history, but no rows of subjects.
type Options struct {
	Machines    []engine.AnyMachine
	MaxFindings int // how many findings a report lists; default 1,000
	Extra       []Check

	// Progress, if set, is called after each part with the transitions seen so far and roughly how
	// many there are.
	Progress func(done, about int64)

	bounds bounds // usual unless a test sets them
}

// Check is an invariant of tables that the engine does not know, such as those of a shop. Run reads
// on db, in bounded parts, and tells found of every row concerned. To raise no false alarm while others
// write, it compares only what one statement has read.
type Check struct {
	Name string // what has to hold; the invariant of findings that name none
	Run  func(ctx context.Context, db *gorm.DB, found func(Finding)) error
}

// Run checks every invariant. An error means that it could not finish; the report then tells how far
// it came and what it found until there. Findings are no error.
func Run(ctx context.Context, db *gorm.DB, opts Options) (Report, error) {
	began := time.Now()
	v := &verifier{limit: opts.MaxFindings, progress: opts.Progress, bounds: opts.bounds, tables: map[string]*table{}}
	if v.bounds == (bounds{}) {
		v.bounds = usual
	}
	if v.limit <= 0 {
		v.limit = findingsMax
	}
	err := v.open(ctx, db, opts.Machines)
	if err == nil {
		err = v.run(ctx, opts.Extra)
	}
	v.report.Took = time.Since(began)
	return v.report, err
}

// verifier is one walk.
type verifier struct {
	db       *sqldb.DB
	tables   map[string]*table // by machine
	versions versions
	report   Report
	limit    int
	progress func(done, about int64)
	about    int64
	bounds   bounds

	before mark  // of retention, when the walk began
	gone   int64 // messages that retention may have removed
	marked bool  // a transition of that time was seen

	unhashed unhashed
}

func (v *verifier) open(ctx context.Context, db *gorm.DB, machines []engine.AnyMachine) error {
	var err error
	if v.db, err = sqldb.Wrap(ctx, db); err != nil {
		return err
	}
	if err := schema.Check(ctx, db, engine.Schema); err != nil {
		return err
	}
	for _, m := range machines {
		if v.tables[m.Describe().Name], err = tableOf(db, m); err != nil {
			return err
		}
	}
	if err := v.readUnhashed(ctx, db); err != nil {
		return fmt.Errorf("read how many rows lack a hash: %w", err)
	}
	v.versions = versions{v: v, known: map[versionKey]*version{}}
	return nil
}

func (v *verifier) run(ctx context.Context, extra []Check) error {
	v.estimate(ctx)
	if err := v.catalog(ctx); err != nil {
		return fmt.Errorf("check the keys of the engine's tables: %w", err)
	}
	if err := v.versions.loadAll(ctx); err != nil {
		return fmt.Errorf("read machine versions: %w", err)
	}
	var err error
	if v.before, err = v.readMark(ctx); err != nil {
		return fmt.Errorf("read the mark of retention: %w", err)
	}
	machines, err := v.machines(ctx)
	if err != nil {
		return fmt.Errorf("list machines: %w", err)
	}
	for _, name := range machines {
		if err := v.machine(ctx, name); err != nil {
			return fmt.Errorf("check %s: %w", name, err)
		}
	}
	if err := v.retention(ctx); err != nil {
		return fmt.Errorf("check retention: %w", err)
	}
	if err := v.fired(ctx); err != nil {
		return fmt.Errorf("check timers that have fired: %w", err)
	}
	if err := v.attempts(ctx); err != nil {
		return fmt.Errorf("check the journal of refusals: %w", err)
	}
	v.unhashedInAll()
	for _, c := range extra {
		found := func(f Finding) {
			if f.Invariant == "" {
				f.Invariant = c.Name
			}
			v.found(f)
		}
		if err := c.Run(ctx, v.db.Gorm(ctx), found); err != nil {
			return fmt.Errorf("check %s: %w", c.Name, err)
		}
	}
	return nil
}

func (v *verifier) found(f Finding) { v.report.add(f, v.limit) }

func (v *verifier) advance() {
	if v.progress != nil {
		v.progress(v.report.Transitions, max(v.about, v.report.Transitions))
	}
}

// estimate asks for the number of transitions in a way that costs nothing. Not to know it is no harm.
func (v *verifier) estimate(ctx context.Context) {
	query := `SELECT COALESCE(MAX(rowid), 0) FROM engine_transitions`
	if v.db.Dialect() == sqldb.MySQL {
		query = `SELECT COALESCE(MAX(table_rows), 0) FROM information_schema.tables
			WHERE table_schema = DATABASE() AND table_name = 'engine_transitions'`
	}
	_ = v.db.Each(ctx, query, nil, func(rows *sql.Rows) error { return rows.Scan(&v.about) })
}
