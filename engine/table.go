package engine

import (
	"gorm.io/gorm"
)

// Table says where a machine's subjects are: their table and those of its columns that the engine
// drives, by their names in a database.
type Table struct {
	Name    string
	ID      string
	State   string
	Version string

	IntID bool // the key is a BIGINT; history has it in decimal
}

// TableOf returns the table of m's subjects under the naming strategy of db. It fails where New
// would: the row type cannot be used under that strategy.
func TableOf(db *gorm.DB, m AnyMachine) (Table, error) {
	bound, err := m.erased().bound(db.NamingStrategy)
	if err != nil {
		return Table{}, err
	}
	r := bound.row
	return Table{Name: r.table, ID: r.id.DBName, State: r.state.DBName, Version: r.version.DBName, IntID: r.intID}, nil
}
