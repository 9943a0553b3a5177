// Package schema creates tables and remembers which version of them a database has. Each part of a program that owns
// tables is a Component, with its tables in SQL for the MySQL family; those for SQLite are derived from the same
// text. Versions are kept in the table engine_schema, one row for each component, so several programs and libraries
// can share a database, each with components of its own.
package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/internal/sqldb"
)

// Component is a part of a program with tables of its own.
type Component struct {
	Name    string // at most 64 bytes, unique in the database
	Version int    // grows by one with every change of DDL; the first is 1

	// DDL is CREATE TABLE statements for the MySQL family, in the style that SQLite can be derived from; see SQLite.
	DDL string
}

// DDL is the table in which Migrate keeps what is installed.
const DDL = `CREATE TABLE engine_schema (
  component    VARBINARY(64) NOT NULL COMMENT 'part of the program that owns tables',
  version      BIGINT        NOT NULL COMMENT 'version of these tables',
  installed_at DATETIME(6)   NOT NULL COMMENT 'when they were created, UTC',
  PRIMARY KEY (component)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='what is installed';`

// VersionError says that a component's tables are not those that the program needs.
type VersionError struct {
	Component  string
	Have, Want int // Have is 0 when the component is not installed
}

// Error names both versions and what to do.
func (e *VersionError) Error() string {
	switch {
	case e.Have == 0:
		return fmt.Sprintf("the tables of %s are not installed (version %d is needed): run \"orderd migrate\", or Migrate in Go", e.Component, e.Want)
	case e.Have > e.Want:
		return fmt.Sprintf("the tables of %s have version %d, newer than the %d that this program needs: run a newer program", e.Component, e.Have, e.Want)
	default:
		return fmt.Sprintf("the tables of %s have version %d, this program needs %d: follow the upgrade notes of its release", e.Component, e.Have, e.Want)
	}
}

// Migrate creates the tables of c and records its version. Running it again does nothing, two
// programs may run it at once, and one that died half-way is completed. Another recorded version
// is refused with a *VersionError. So is a database whose settings would lose or twist data.
func Migrate(ctx context.Context, db *gorm.DB, c Component) error {
	if c.Name == "" || len(c.Name) > 64 || c.Version <= 0 {
		return fmt.Errorf("schema: the component %q with version %d needs a name of at most 64 bytes and a version above 0", c.Name, c.Version)
	}
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return err
	}
	statements, err := creating(d.Dialect(), DDL+"\n"+c.DDL)
	if err != nil {
		return err
	}
	have, err := installed(ctx, db, c)
	if err != nil {
		return err
	}
	if have != 0 {
		return compare(c, have)
	}
	if d.Dialect() == sqldb.SQLite {
		err = d.Retry(ctx, func(tx *sqldb.Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(ctx, s); err != nil {
					return err
				}
			}
			return record(ctx, tx, c)
		})
	} else { // where every CREATE commits by itself
		for _, s := range statements {
			if _, err := d.Exec(ctx, s); err != nil {
				return fmt.Errorf("schema: creating the tables of %s: %w", c.Name, err)
			}
		}
		err = d.Retry(ctx, func(tx *sqldb.Tx) error { return record(ctx, tx, c) })
	}
	if dberr.Classify(err) == dberr.Duplicate { // another program was faster
		return Check(ctx, db, c)
	}
	if err != nil {
		return fmt.Errorf("schema: installing %s: %w", c.Name, err)
	}
	return nil
}

// Check returns a *VersionError unless the recorded version of c is the one it has. It only reads, and may be called
// inside a transaction.
func Check(ctx context.Context, db *gorm.DB, c Component) error {
	have, err := installed(ctx, db, c)
	if err != nil {
		return err
	}
	return compare(c, have)
}

func compare(c Component, have int) error {
	if have != c.Version {
		return &VersionError{Component: c.Name, Have: have, Want: c.Version}
	}
	return nil
}

// installed returns the recorded version of c, 0 if there is none.
func installed(ctx context.Context, db *gorm.DB, c Component) (version int, err error) {
	if db == nil || db.Config == nil || db.ConnPool == nil {
		return 0, errors.New("schema: the gorm handle is not open")
	}
	there, err := tableExists(ctx, db, "engine_schema")
	if err != nil || !there {
		return 0, err
	}
	_, err = one(ctx, db, &version, "SELECT version FROM engine_schema WHERE component = ?", c.Name)
	return version, err
}

func tableExists(ctx context.Context, db *gorm.DB, name string) (there bool, err error) {
	query := "SELECT COUNT(*) > 0 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
	if db.Name() == "sqlite" {
		query = "SELECT COUNT(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = ?"
	}
	_, err = one(ctx, db, &there, query, name)
	return there, err
}

// one reads the one value of a query into dest, and says whether there was a row.
func one(ctx context.Context, db *gorm.DB, dest any, query string, args ...any) (bool, error) {
	rows, err := db.Statement.ConnPool.QueryContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, errors.Join(rows.Scan(dest), rows.Err())
}

func record(ctx context.Context, tx *sqldb.Tx, c Component) error {
	_, err := tx.Exec(ctx, "INSERT INTO engine_schema (component, version, installed_at) VALUES (?, ?, ?)", c.Name, c.Version, time.Now())
	return err
}

var createTable = regexp.MustCompile(`(?i)^CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?`)

// creating returns the statements that create what is missing. Deriving them checks the text for
// the MySQL family, too.
func creating(d sqldb.Dialect, ddl string) ([]string, error) {
	derived, err := SQLite(ddl)
	if err != nil || d == sqldb.SQLite {
		return derived, err
	}
	statements := Statements(ddl)
	for i, s := range statements {
		statements[i] = createTable.ReplaceAllLiteralString(s, "CREATE TABLE IF NOT EXISTS ")
	}
	return statements, nil
}
