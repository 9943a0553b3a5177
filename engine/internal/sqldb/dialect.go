// Package sqldb is the only door to gorm's internals and to SQL dialects. It gives the engine
// transactions that cannot be half done: one first error that sticks, a commit whose outcome has
// a name, error classes that are the same on every database, and the few many-row statements the
// engine needs, written once for the MySQL family and once for SQLite.
package sqldb

import (
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// Dialect is the family of SQL that a database speaks.
type Dialect uint8

// The dialects. MySQL stands for its whole family: MySQL, MariaDB, TiDB, Vitess, Galera.
const (
	MySQL Dialect = iota + 1
	SQLite
)

// String is the dialect's name in messages.
func (d Dialect) String() string {
	switch d {
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	default:
		return fmt.Sprintf("Dialect(%d)", uint8(d))
	}
}

// ErrNotOpen says that a handle is nil, or leads to no database.
var ErrNotOpen = errors.New("the gorm handle is nil or not open: give what mysqldb.Open, sqlitedb.Open or gorm.Open " +
	"has returned, and look at its error first")

func dialectOf(db *gorm.DB) (Dialect, error) {
	if db == nil || db.Config == nil || db.Dialector == nil {
		return 0, ErrNotOpen
	}
	switch name := db.Name(); name {
	case "mysql":
		return MySQL, nil
	case "sqlite":
		return SQLite, nil
	default:
		return 0, fmt.Errorf("sqldb: the dialect %q is not supported: use a MySQL family database or SQLite", name)
	}
}

// quote makes an identifier out of a name; "schema.table" becomes two. Backticks serve both
// dialects, and unlike double quotes they never let SQLite read a misspelt column as a string.
func quote(name string) string {
	if strings.IndexByte(name, '.') < 0 && strings.IndexByte(name, '`') < 0 { // nearly always
		return "`" + name + "`"
	}
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = "`" + strings.ReplaceAll(part, "`", "``") + "`"
	}
	return strings.Join(parts, ".")
}

func quoteAll(names []string) string {
	var b strings.Builder
	b.Grow(20 * len(names))
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}
