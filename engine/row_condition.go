package engine

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// learnCondition finds out what the row type has gorm add to each SELECT, such as that a soft-deleted
// row is none. An update must add the same: the row may have gone since it was read.
func (r *rowType) learnCondition(db *gorm.DB) error {
	q := r.query(db.Session(&gorm.Session{DryRun: true}).Table(r.table))
	if q.Error != nil {
		return q.Error
	}
	where, ok := q.Statement.Clauses["WHERE"].Expression.(clause.Where)
	if !ok {
		return nil
	}
	var b conditionBuilder
	where.Build(&b)
	if b.err != nil {
		return fmt.Errorf("table %s: the condition that its rows are read with cannot be put into an update: %w", r.table, b.err)
	}
	r.selects.where, r.selects.args = b.String(), b.args
	return nil
}

// conditionBuilder writes a condition for one table, whose name it leaves out: statements may give the
// table another one.
type conditionBuilder struct {
	strings.Builder
	args []any
	err  error
}

var _ clause.Builder = (*conditionBuilder)(nil)

// WriteQuoted writes the name of a column.
func (b *conditionBuilder) WriteQuoted(field any) {
	name, ok := field.(string)
	if column, is := field.(clause.Column); is {
		name, ok = column.Name, !column.Raw
	}
	if !ok {
		_ = b.AddError(fmt.Errorf("it compares a %T", field))
		return
	}
	_, _ = b.WriteString("`" + strings.ReplaceAll(name, "`", "``") + "`") // never fails
}

// AddVar writes places for values.
func (b *conditionBuilder) AddVar(w clause.Writer, values ...any) {
	for i, v := range values {
		if e, ok := v.(clause.Expression); ok {
			e.Build(b)
			continue
		}
		text := ", ?"
		if i == 0 {
			text = "?"
		}
		_, _ = w.WriteString(text)
		value, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			_ = b.AddError(err)
		}
		b.args = append(b.args, value)
	}
}

// AddError notes what cannot be written.
func (b *conditionBuilder) AddError(err error) error {
	b.err = errors.Join(b.err, err)
	return b.err
}
