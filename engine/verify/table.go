package verify

import (
	"encoding/hex"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// table is where the subjects of a machine are, with its names quoted for SQL.
type table struct {
	machine                  engine.Description
	name, id, state, version string
	of                       engine.Table
}

func tableOf(db *gorm.DB, m engine.AnyMachine) (*table, error) {
	t, err := engine.TableOf(db, m)
	if err != nil {
		return nil, err
	}
	quote := db.Statement.Quote
	return &table{
		machine: m.Describe(), name: quote(t.Name), id: quote(t.ID), state: quote(t.State),
		version: `COALESCE(` + quote(t.Version) + `, 0)`, of: t,
	}, nil
}

// keys are ids as the table's own type, so that its index serves; what cannot be a key there is left
// out.
func (t *table) keys(ids []string) []any {
	all := make([]any, 0, len(ids))
	for _, id := range ids {
		if key, ok := t.of.Key(id); ok {
			all = append(all, key)
		}
	}
	return all
}

// idText is the key in SQL as text that fits among the subjects of history.
func (t *table) idText() string {
	if t.of.KeyBytes() {
		return `HEX(` + t.id + `)`
	}
	return `CAST(` + t.id + ` AS CHAR)`
}

// byText are the ids by what idText makes of their keys.
func (t *table) byText(ids []string) map[string]string {
	all := make(map[string]string, len(ids))
	for _, id := range ids {
		switch key, ok := t.of.Key(id); key := key.(type) {
		case []byte:
			all[strings.ToUpper(hex.EncodeToString(key))] = id
		default:
			if ok {
				all[fmt.Sprint(key)] = id
			}
		}
	}
	return all
}
