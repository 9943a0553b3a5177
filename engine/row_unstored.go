package engine

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm/schema"
)

// What a row type asks of gorm and the engine does not do is said where it matters: at construction where it is
// certain, otherwise to whoever fills such a field.

// skippedOf are the mistakes of a row type that has gorm do something on its updates, which transitions are not.
func skippedOf(parsed *schema.Schema) (mistakes []error) {
	var hooks []string
	for _, h := range []struct {
		name string
		has  bool
	}{
		{"BeforeSave", parsed.BeforeSave}, {"BeforeUpdate", parsed.BeforeUpdate},
		{"AfterUpdate", parsed.AfterUpdate}, {"AfterSave", parsed.AfterSave},
	} {
		if h.has {
			hooks = append(hooks, h.name)
		}
	}
	if len(hooks) > 0 {
		mistakes = append(mistakes, fmt.Errorf("transitions do not run its hooks %s, so what they do would be missing: do "+
			"it in a Set or an Exec, "+
			"by a serializer or a type with Value and Scan, in BeforeCreate or AfterCreate where it is for new rows; or say "+
			"Definition.SkipUpdateHooks",
			strings.Join(hooks, ", ")))
	}
	for _, f := range parsed.Fields {
		// A condition such as a soft delete's is also one of queries, from where the engine knows it.
		v := reflect.New(f.IndirectFieldType).Interface()
		_, updates := v.(schema.UpdateClausesInterface)
		if _, queries := v.(schema.QueryClausesInterface); updates && !queries && f.DBName != "" {
			mistakes = append(mistakes, fmt.Errorf("field %s: a %v adds to each update of gorm's (UpdateClauses), which "+
				"transitions are not: "+
				"use another type, or say Definition.SkipUpdateHooks", f.Name, f.FieldType))
		}
	}
	return mistakes
}

// relation is a field whose rows are of another table.
type relation struct {
	*schema.Field
	name string // in Go, embedded structs included
}

func relationsOf(parsed *schema.Schema) []relation {
	var all []relation
	var collect func(*schema.Relationships)
	collect = func(rs *schema.Relationships) {
		for _, r := range rs.Relations {
			all = append(all, relation{r.Field, strings.Join(r.Field.BindNames, ".")})
		}
		for _, inner := range rs.EmbeddedRelations {
			collect(inner)
		}
	}
	collect(&parsed.Relationships)
	slices.SortFunc(all, func(a, b relation) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b relation) bool { return a.name == b.name })
}

// size is how many rows the field of a row holds. A slice may have room for some without holding any.
func (r relation) size(row any) int {
	v := valueOf(row, r.Field)
	for v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Slice {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		return v.Len()
	case v.IsZero():
		return 0
	}
	return 1
}

// related names the first field of a row that holds rows of another table, and more of them than before if that is
// given; "" if there is none.
func (r *rowType) related(row, before any) string {
	for _, rel := range r.relations {
		had := 0
		if before != nil {
			had = rel.size(before)
		}
		if rel.size(row) > had {
			return rel.name
		}
	}
	return ""
}

// unstoredColumn is a column that its tag keeps from being written by creations or by transitions.
type unstoredColumn struct{ *schema.Field }

func (r *rowType) unstoredOf(parsed *schema.Schema) []unstoredColumn {
	var all []unstoredColumn
	for _, f := range parsed.Fields {
		driven := f == r.id || f == r.state || f == r.version
		if f.DBName != "" && !driven && f.AutoUpdateTime == 0 && (!f.Creatable || !f.Updatable) {
			all = append(all, unstoredColumn{f})
		}
	}
	return all
}

// lost says what of an action's writes would not be stored; nil if nothing.
func (r *rowType) lost(before, after any, creating bool) error {
	if name := r.related(after, before); name != "" {
		return fmt.Errorf("it put rows into %s, which are of another table and would not be saved: save them in an Exec", name)
	}
	for _, c := range r.unstored {
		written := c.Updatable
		if creating {
			written = c.Creatable
		}
		if written || c.same(before, after) {
			continue
		}
		what := "transitions"
		if creating {
			what = "creations"
		}
		return fmt.Errorf("it changed field %s, whose tag keeps column %s from being written by %s (%q): allow it there, or "+
			"leave the field alone",
			c.Name, c.DBName, what, c.Tag.Get("gorm"))
	}
	return nil
}

// same reports whether the column holds the same in two rows.
func (c unstoredColumn) same(before, after any) bool {
	had, there := in(before, c.Field)
	has, still := in(after, c.Field)
	if there == still && plainly(had, has) {
		return true
	}
	old, err := columnValue(c.Field, before)
	if err != nil {
		return true // it cannot be stored, and need not be
	}
	value, err := columnValue(c.Field, after)
	if err != nil {
		return true
	}
	return equalValues(old, value)
}
