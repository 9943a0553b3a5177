package engine

import (
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm/schema"
)

// filledOf are the columns that gorm fills in. The engine gives the driven ones their values itself.
func (r *rowType) filledOf(parsed *schema.Schema) []*schema.Field {
	var filled []*schema.Field
	for _, f := range parsed.Fields {
		if f == r.id || f == r.state || f == r.version {
			continue
		}
		if f.DBName != "" && f.Creatable && (f.DefaultValueInterface != nil || f.AutoCreateTime > 0) {
			filled = append(filled, f)
		}
	}
	return filled
}

// isNew reports whether a call is one of those whose last makes the row.
func (s *subject) isNew(c *call) bool {
	return c.from == "" || len(s.moves) > 0 && s.moves[0].call.from == ""
}

// fill gives a new row what gorm would give it when it is created: so each transition of the first
// commit knows the row as it is stored.
func (r *rowType) fill(row any, now time.Time) error {
	for _, f := range r.filled {
		if !valueOf(row, f).IsZero() {
			continue
		}
		var value any = now
		if f.DefaultValueInterface != nil {
			value = f.DefaultValueInterface
		}
		if err := f.Set(background, reflect.ValueOf(row), value); err != nil {
			return fmt.Errorf("column %s: %w", f.DBName, err)
		}
	}
	return nil
}
