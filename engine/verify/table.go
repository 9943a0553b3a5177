package verify

import (
	"slices"
	"strconv"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// table is where the subjects of a machine are, with its names quoted for SQL.
type table struct {
	machine                  engine.Description
	name, id, state, version string
	intID                    bool
	of                       engine.Table
}

func tableOf(db *gorm.DB, m engine.AnyMachine) (*table, error) {
	t, err := engine.TableOf(db, m)
	if err != nil {
		return nil, err
	}
	quote := db.Statement.Quote
	return &table{
		machine: m.Describe(), name: quote(t.Name), id: quote(t.ID), state: quote(t.State), version: quote(t.Version), intID: t.IntID, of: t,
	}, nil
}

func (t *table) hasState(name string) bool {
	return slices.ContainsFunc(t.machine.States, func(s engine.DescribedState) bool { return string(s.Name) == name })
}

// keys are ids as the table's own type, so that its index serves; what cannot be a key there is left
// out.
func (t *table) keys(ids []string) []any {
	if !t.intID {
		return texts(ids)
	}
	var all []any
	for _, id := range ids {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && strconv.FormatInt(n, 10) == id {
			all = append(all, n)
		}
	}
	return all
}
