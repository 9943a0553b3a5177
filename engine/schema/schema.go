// Package schema creates tables, brings them from version to version, and remembers which version a database has.
// Each part of a program that owns tables is a Component, with its tables in SQL for the MySQL family; those for
// SQLite are derived from the same text. Versions are kept in the table engine_schema, one row for each component, so
// several programs and libraries can share a database, each with components of its own.
//
// Tables go forwards only, by numbered steps. A usual step only adds, so programs of the version before run on beside
// those of the new one: first Migrate, then the programs, one after the other. A closing step ends that: it is taken
// by Finish, once no older program runs.
package schema

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// Component is a part of a program with tables of its own.
type Component struct {
	Name    string // at most 64 bytes, unique in the database
	Version int    // grows by one with every change of DDL; the first is 1

	// DDL is CREATE TABLE statements of this version for the MySQL family, in the style that SQLite can be derived
	// from; see SQLite. A fresh database gets it as it stands, without steps.
	DDL string

	// Oldest is the oldest version of the tables that the program runs on. Zero stands for Version.
	Oldest int

	// Steps lead from version to version, in order, without gaps, up to Version.
	Steps []Step
}

// DDL is the table in which Migrate keeps what is installed.
const DDL = `CREATE TABLE engine_schema (
  component    VARBINARY(64) NOT NULL COMMENT 'part of the program that owns tables',
  version      BIGINT        NOT NULL COMMENT 'version of these tables',
  oldest       BIGINT        NOT NULL DEFAULT 0 COMMENT 'oldest program that may use them, by the version it was made for; 0: that of the tables',
  installed_at DATETIME(6)   NOT NULL COMMENT 'when they got this version, UTC',
  PRIMARY KEY (component)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what is installed';`

// ownSteps lead to today's DDL of engine_schema itself, which has no version: each looks whether it is needed.
const ownSteps = `ALTER TABLE engine_schema ADD COLUMN oldest BIGINT NOT NULL DEFAULT 0
  COMMENT 'oldest program that may use them, by the version it was made for; 0: that of the tables' AFTER version;`

// VersionError says that a component's tables are not those that the program needs.
type VersionError struct {
	Component string
	Have      int  // version of the tables; 0 when the component is not installed
	Want      int  // version of the program, which Migrate and Finish lead to
	Oldest    int  // oldest version of the tables that the program runs on; 0 stands for Want
	Closing   int  // the closing step that comes next, by the version it leads to; 0 if another or none does
	Stuck     bool // no step leads from Have to Want
}

// Error names both versions and what to do.
func (e *VersionError) Error() string {
	tables := fmt.Sprintf("the tables of %s have version %d", e.Component, e.Have)
	switch {
	case e.Have == 0:
		return fmt.Sprintf("the tables of %s are not installed (version %d is needed): run \"orderd migrate\", or "+
			"Migrate in Go", e.Component, e.Want)
	case e.Have > e.Want:
		return fmt.Sprintf("%s and no longer serve a program of version %d: run a newer program", tables, e.Want)
	case e.Stuck:
		return fmt.Sprintf("%s, this program needs %d and knows no step that leads there: follow the upgrade notes "+
			"of its release", tables, e.Want)
	case e.Closing != 0:
		return fmt.Sprintf("%s, this program needs %d: once no program of a version before %d runs, run \"orderd migrate "+
			"--finish\", or Finish in Go",
			tables, max(e.Oldest, e.Closing), e.Closing-1)
	default:
		return fmt.Sprintf("%s, this program needs %d: run \"orderd migrate\", or Migrate in Go; running programs of "+
			"version %d may go on meanwhile",
			tables, e.needed(), e.Have)
	}
}

func (e *VersionError) needed() int {
	if e.Oldest != 0 {
		return e.Oldest
	}
	return e.Want
}

// Migrate makes the tables of c ready for this program: it creates what is missing, or takes the steps from the
// version that is there, up to the first closing one. It is safe to run again, in several programs at once, beside
// programs of the version before, and after one that died half-way: each step looks at what is there already.
//
// Tables that this program can use are left as they are. A *VersionError says that those which are there cannot be
// made so. A database whose settings would lose or twist data is refused.
func Migrate(ctx context.Context, db *gorm.DB, c Component) error { return migrate(ctx, db, c, false) }

// Finish is Migrate that takes closing steps, too. From then on programs of versions before them must not run.
func Finish(ctx context.Context, db *gorm.DB, c Component) error { return migrate(ctx, db, c, true) }

func migrate(ctx context.Context, db *gorm.DB, c Component, closing bool) error {
	steps, err := c.parsed()
	if err != nil {
		return err
	}
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return err
	}
	for {
		have, err := installed(ctx, db, c.Name)
		if err != nil {
			return err
		}
		if have.Version > 0 && !have.current {
			if err := upgradeOwn(ctx, d); err != nil {
				return fmt.Errorf("schema: changing engine_schema: %w", err)
			}
			continue
		}
		if have.Version == 0 {
			if err := install(ctx, d, c); err != nil && dberr.Classify(err) != dberr.Duplicate { // another program was faster
				return fmt.Errorf("schema: installing %s: %w", c.Name, err)
			}
			continue
		}
		next := c.next(have.Version)
		if next < 0 || c.Steps[next].Closing && !closing {
			return c.accept(have)
		}
		s := &steps[next]
		if err := s.take(ctx, d, c, have); err != nil {
			return fmt.Errorf("schema: bringing %s to version %d: %w", c.Name, s.to, err)
		}
	}
}

// Check returns a *VersionError unless the program of c may use the tables that are there. It only reads, and may be
// called inside a transaction.
func Check(ctx context.Context, db *gorm.DB, c Component) error {
	have, err := installed(ctx, db, c.Name)
	if err != nil {
		return err
	}
	return c.accept(have)
}

// accept decides whether tables and program fit: older tables by what the program says, newer ones by what they say.
func (c *Component) accept(have record) error {
	oldestTables, oldestProgram := c.Oldest, have.Oldest
	if oldestTables == 0 {
		oldestTables = c.Version
	}
	if oldestProgram == 0 {
		oldestProgram = have.Version
	}
	switch {
	case have.Version == c.Version,
		have.Version > c.Version && c.Version >= oldestProgram,
		have.Version > 0 && have.Version < c.Version && have.Version >= oldestTables:
		return nil
	}
	e := &VersionError{Component: c.Name, Have: have.Version, Want: c.Version, Oldest: c.Oldest}
	if have.Version > 0 && have.Version < c.Version {
		next := c.next(have.Version)
		e.Stuck = next < 0
		if next >= 0 && c.Steps[next].Closing {
			e.Closing = c.Steps[next].To
		}
	}
	return e
}

// next is the index of the step that leads on from a version, -1 if there is none.
func (c *Component) next(version int) int {
	for i := range c.Steps {
		if c.Steps[i].To == version+1 {
			return i
		}
	}
	return -1
}

// program is the oldest version of a program that may use tables of a version: each closing step ends the time of all
// before the step in front of it.
func (c *Component) program(version int) int {
	oldest := c.Version
	if len(c.Steps) > 0 {
		oldest = c.Steps[0].To - 1
	}
	for _, s := range c.Steps {
		if s.To <= version && s.Closing {
			oldest = s.To - 1
		}
	}
	return min(oldest, version)
}

// install creates the tables as they are today.
func install(ctx context.Context, d *sqldb.DB, c Component) error {
	statements, err := creating(d.Dialect(), DDL+"\n"+c.DDL)
	if err != nil {
		return err
	}
	insert := func(tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO engine_schema (component, version, oldest, installed_at) VALUES (?, ?, ?, ?)",
			c.Name, c.Version, c.program(c.Version), time.Now())
		return err
	}
	if d.Dialect() == sqldb.SQLite {
		return d.Retry(ctx, func(tx *sqldb.Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(ctx, s); err != nil {
					return err
				}
			}
			if err := takeOwn(ctx, tx); err != nil {
				return err
			}
			return insert(tx)
		})
	}
	for _, s := range statements { // each commits by itself
		if _, err := d.Exec(ctx, s); err != nil {
			return err
		}
	}
	if err := upgradeOwn(ctx, d); err != nil {
		return err
	}
	return d.Retry(ctx, insert)
}
