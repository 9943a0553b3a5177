package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/internal/sqldb/sqltext"
	"example.com/orderd/engine/retry"
)

// Step leads a component's tables from one version to the next.
type Step struct {
	To int // the version it leads to, from the one before

	// SQL is statements for the MySQL family; those for SQLite are derived. It has CREATE TABLE; ALTER TABLE with
	// ADD COLUMN, ADD KEY, DROP KEY and DROP COLUMN; and UPDATE and INSERT … SELECT, which both databases must
	// understand, and which run in the transaction that records the version.
	//
	// A usual step only adds: columns that may be null or have a default, tables, and keys that are not unique. A key
	// may be exchanged for one of the same name.
	SQL string

	// Closing marks a step that programs made for versions before To-1 do not survive. Finish takes it, Migrate does not.
	Closing bool
}

// step is a Step whose SQL has been read.
type step struct {
	to      int
	closing bool
	changes []change // in their order
	data    []string // statements that change rows, last
}

// parsed reads the steps and refuses what a component may not say.
func (c *Component) parsed() ([]step, error) {
	if c.Name == "" || len(c.Name) > 64 || c.Version <= 0 {
		return nil, fmt.Errorf("schema: the component %q with version %d needs a name of at most 64 bytes and a "+
			"version above 0", c.Name, c.Version)
	}
	if c.Oldest < 0 || c.Oldest > c.Version {
		return nil, fmt.Errorf("schema: %s runs on tables of version %d and later, but its own is %d", c.Name, c.Oldest, c.Version)
	}
	if _, err := SQLite(c.DDL); err != nil {
		return nil, fmt.Errorf("schema: %s: %w", c.Name, err)
	}
	steps := make([]step, len(c.Steps))
	var mistakes []error
	for i, s := range c.Steps {
		if want := c.Version - len(c.Steps) + 1 + i; s.To != want || s.To < 2 {
			mistakes = append(mistakes, fmt.Errorf("schema: %s: step %d leads to version %d, but it has to be %d: steps lead "+
				"to %d without gaps, the first to 2 at least",
				c.Name, i+1, s.To, want, c.Version))
		}
		one, err := parseStep(s)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("schema: %s: the step to version %d: %w", c.Name, s.To, err))
		}
		steps[i] = one
	}
	return steps, errors.Join(mistakes...)
}

func parseStep(s Step) (step, error) {
	one := step{to: s.To, closing: s.Closing}
	for _, text := range Statements(s.SQL) {
		if first := strings.ToUpper(strings.Fields(text)[0]); first == "UPDATE" || first == "INSERT" {
			one.data = append(one.data, sqltext.OneLine(text))
			continue
		}
		if len(one.data) > 0 {
			return one, fmt.Errorf("rows are changed last, in the transaction that records the version: move %.60q up", text)
		}
		ch, err := parseChange(text)
		if err != nil {
			return one, err
		}
		if err := ch.additive(); err != nil && !s.Closing {
			return one, fmt.Errorf("%w: programs of the version before would not survive it; do it in a closing step", err)
		}
		one.changes = append(one.changes, ch)
	}
	return one, nil
}

// take takes the step, unless another program has.
func (s *step) take(ctx context.Context, d *sqldb.DB, c Component, have record) error {
	if d.Dialect() == sqldb.MySQL { // where every change of a table commits by itself
		for _, ch := range s.changes {
			if err := alter(ctx, d, ch); err != nil {
				return err
			}
		}
	}
	return d.Retry(ctx, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE engine_schema SET version = ?, oldest = ?, installed_at = ? WHERE component = ? AND version = ?",
			s.to, c.program(s.to), time.Now(), c.Name, have.Version)
		if err != nil || n == 0 { // another program has taken it
			return err
		}
		if d.Dialect() == sqldb.SQLite {
			for _, ch := range s.changes {
				if err := alterSQLite(ctx, tx, ch); err != nil {
					return err
				}
			}
		}
		for _, statement := range s.data {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

func alterSQLite(ctx context.Context, tx *sqldb.Tx, ch change) error {
	statements, err := ch.needed(ctx, tx.Gorm(ctx))
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

const (
	// tableWait is how long a change waits for the transactions that use its table, in seconds. All that come after
	// it wait behind it meanwhile, so it rather gives way and tries again.
	tableWait  = 2
	tableTries = 600
	tablePause = 200 * time.Millisecond
)

// alter makes one change in the MySQL family, where nothing rolls it back. Whether it has been made already, by a
// program that died, by another that is at it, or by a statement whose answer was lost, is seen in the tables.
func alter(ctx context.Context, d *sqldb.DB, ch change) error {
	var last error
	for range tableTries {
		statements, err := ch.needed(ctx, d.Gorm(ctx))
		if err != nil || len(statements) == 0 {
			return err
		}
		last = withTableWait(ctx, d.Gorm(ctx), func(conn gorm.ConnPool) error {
			for _, statement := range statements {
				if _, err := conn.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
		switch class := dberr.Classify(last); {
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), last)
		case last == nil, class.Transient(), dberr.AnswerLost(last): // look
		default: // another may have been faster
			if rest, err := ch.needed(ctx, d.Gorm(ctx)); err != nil || len(rest) == len(statements) {
				return errors.Join(last, err)
			}
		}
		if last != nil {
			_ = retry.Sleep(ctx, tablePause) // the next try tells that ctx has ended
		}
	}
	return fmt.Errorf("the table %s is in use: %w", ch.table, last)
}

// withTableWait runs f on a connection that waits for tables in use only briefly, and leaves the connection as it was.
func withTableWait(ctx context.Context, db *gorm.DB, f func(gorm.ConnPool) error) error {
	if _, err := db.DB(); err != nil { // a pool of the user's own kind, which lends no connections
		return f(db.Statement.ConnPool)
	}
	return db.Connection(func(on *gorm.DB) error {
		conn := on.Statement.ConnPool
		var usual int64
		if err := conn.QueryRowContext(ctx, "SELECT @@SESSION.lock_wait_timeout").Scan(&usual); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("SET SESSION lock_wait_timeout = %d", tableWait)); err != nil {
			return err
		}
		err := f(conn)
		_, after := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("SET SESSION lock_wait_timeout = %d", usual))
		if err == nil {
			return after
		}
		return err // a connection that is gone takes its settings along
	})
}

// upgradeOwn brings engine_schema itself to its newest form.
func upgradeOwn(ctx context.Context, d *sqldb.DB) error {
	if d.Dialect() == sqldb.SQLite {
		return d.Retry(ctx, func(tx *sqldb.Tx) error { return takeOwn(ctx, tx) })
	}
	ch, err := parseChange(Statements(ownSteps)[0])
	if err != nil {
		return err
	}
	return alter(ctx, d, ch)
}

func takeOwn(ctx context.Context, tx *sqldb.Tx) error {
	ch, err := parseChange(Statements(ownSteps)[0])
	if err != nil {
		return err
	}
	return alterSQLite(ctx, tx, ch)
}
