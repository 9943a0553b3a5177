package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"time"

	"example.com/orderd/engine/dberr"
)

// Component is a part of the program with tables of its own. DDL is in the style that Derive
// knows. Version grows with every change of DDL.
type Component struct {
	Name    string
	Version int
	DDL     string
}

// SchemaDDL is the table in which Migrate keeps what is installed.
const SchemaDDL = `CREATE TABLE engine_schema (
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
// is refused with a *VersionError.
func Migrate(ctx context.Context, db *DB, c Component) error {
	if c.Name == "" || c.Version <= 0 {
		return fmt.Errorf("sqldb: the component %q with version %d needs a name and a version above 0", c.Name, c.Version)
	}
	statements, err := creating(db.dialect, SchemaDDL+"\n"+c.DDL)
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
	if db.dialect == SQLite {
		err = db.Retry(ctx, func(tx *Tx) error {
			for _, s := range statements {
				if _, err := tx.Exec(ctx, s); err != nil {
					return err
				}
			}
			return record(ctx, tx, c)
		})
	} else { // where every CREATE commits by itself
		for _, s := range statements {
			if _, err := db.Exec(ctx, s); err != nil {
				return fmt.Errorf("sqldb: creating the tables of %s: %w", c.Name, err)
			}
		}
		err = db.Retry(ctx, func(tx *Tx) error { return record(ctx, tx, c) })
	}
	if dberr.Classify(err) == dberr.Duplicate { // another program was faster
		return CheckVersion(ctx, db, c)
	}
	if err != nil {
		return fmt.Errorf("sqldb: installing %s: %w", c.Name, err)
	}
	return nil
}

// CheckVersion returns a *VersionError unless the recorded version of c is the one it has.
func CheckVersion(ctx context.Context, db *DB, c Component) error {
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
func installed(ctx context.Context, db *DB, c Component) (version int, err error) {
	tables := "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'engine_schema'"
	if db.dialect == SQLite {
		tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'engine_schema'"
	}
	scan := func(rows *sql.Rows) error { return rows.Scan(&version) }
	if err := db.Each(ctx, tables, nil, scan); err != nil || version == 0 {
		return 0, err
	}
	version = 0
	err = db.Each(ctx, "SELECT version FROM engine_schema WHERE component = ?", []any{c.Name}, scan)
	return version, err
}

func record(ctx context.Context, tx *Tx, c Component) error {
	_, err := tx.Exec(ctx, "INSERT INTO engine_schema (component, version, installed_at) VALUES (?, ?, ?)", c.Name, c.Version, time.Now())
	return err
}

var createTable = regexp.MustCompile(`(?i)^CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?`)

// creating returns the statements that create what is missing. Deriving them checks the text for
// the MySQL family, too.
func creating(d Dialect, ddl string) ([]string, error) {
	derived, err := Derive(ddl)
	if err != nil || d == SQLite {
		return derived, err
	}
	statements := Statements(ddl)
	for i, s := range statements {
		statements[i] = createTable.ReplaceAllLiteralString(s, "CREATE TABLE IF NOT EXISTS ")
	}
	return statements, nil
}
