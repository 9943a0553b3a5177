package engine

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/seal"
	"example.com/orderd/engine/internal/sqldb"
)

// Table says where a machine's subjects are: their table and those of its columns that the engine
// drives, by their names in a database.
type Table struct {
	Name    string
	ID      string
	State   string
	Version string

	IntID bool // the key is an integer; history has it in decimal

	row *rowType
}

// TableOf returns the table of m's subjects under the naming strategy of db. It fails where New
// would: the row type cannot be used under that strategy.
func TableOf(db *gorm.DB, m AnyMachine) (Table, error) {
	if db == nil || db.Config == nil {
		return Table{}, sqldb.ErrNotOpen
	}
	plain, err := erased(m)
	if err != nil {
		return Table{}, err
	}
	bound, err := plain.bound(db.NamingStrategy)
	if err != nil {
		return Table{}, err
	}
	r := bound.row
	return Table{Name: r.table, ID: r.id.DBName, State: r.state.DBName, Version: r.version.DBName, IntID: r.ids.integer(),
		row: r}, nil
}

// Key is an id as the database is given it; false if no row can have it.
func (t Table) Key(id string) (any, bool) { return t.row.key(id) }

// KeyBytes reports whether keys are stored as bytes that are no text.
func (t Table) KeyBytes() bool { return t.row.ids.bytes }

// ReadID is the id for a key as it was read from the database.
func (t Table) ReadID(key any) (string, error) { return t.row.ids.read(key) }

// ReadState is the state for what the state column holds, read as text; false if it stands for none of the machine.
func (t Table) ReadState(text string, null bool) (State, bool) { return t.row.states.read(text, null) }

// StoredRow is a subject's row as it was read.
type StoredRow struct {
	Version int64

	row any
	of  *rowType
}

// Rows reads the rows of some subjects, by id.
func (t Table) Rows(ctx context.Context, db *sqldb.DB, ids []string) (map[string]StoredRow, error) {
	found, err := t.row.load(ctx, db, ids, lockNothing)
	if err != nil {
		return nil, fmt.Errorf("read rows of %s: %w", t.Name, err)
	}
	rows := make(map[string]StoredRow, len(found))
	for id, row := range found {
		rows[id] = StoredRow{Version: t.row.versionOf(row), row: row, of: t.row}
	}
	return rows, nil
}

// Hash is what a transition that left the row like this keeps as its hash. fields are those that its
// machine version covered (Description.Exclusive). known is false if the row type of today lacks one.
func (r StoredRow) Hash(fields []string) (sum [seal.Size]byte, known bool, err error) {
	h, known := r.of.hashed.only(fields)
	if !known {
		return sum, false, nil
	}
	hash, err := h.of(r.row)
	if err != nil {
		return sum, false, err
	}
	return [seal.Size]byte(hash), true, nil
}
