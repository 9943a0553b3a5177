package engine

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"sync"
	"time"

	"gorm.io/gorm/schema"
)

// Guards and actions get a row of their own, and so does each decision. A plain copy of a struct is not that where
// its fields share memory: behind pointers, in slices and maps, in interfaces. Columns of such fields are copied
// deeply, in one of two ways:
//
//   - as Go sees them, where everything that they share can be seen;
//   - otherwise by being stored and read, by the column's serializer or its type's Value and Scan. A decimal keeps its
//     digits behind a field of its package, and nobody else knows what may be shared there.
//
// Fields that are no columns are not copied: nothing of them is stored.

// copyDepthMax is how deep a value may be to be copied as Go sees it. What is deeper goes round in a circle, most
// likely, and its serializer says so.
const copyDepthMax = 1000

// ownFunc has v, which is settable and holds a plain copy, share no memory with what it is a copy of; false if it
// cannot. Then it may have done a part.
type ownFunc func(v reflect.Value, depth int) bool

// copyPlan says how values of one type come to share no memory.
type copyPlan struct {
	own    ownFunc // nil where a plain copy shares nothing that can be written
	opaque string  // why it cannot be copied as Go sees it, "" if it can: what an interface holds shows later
}

var copyPlans sync.Map // reflect.Type to *copyPlan

// planCopies is the plan for a type, made once.
func planCopies(t reflect.Type) *copyPlan {
	if p, known := copyPlans.Load(t); known {
		return p.(*copyPlan)
	}
	maker := planMaker{}
	p := maker.plan(t)
	p.opaque = maker.opaque(t, map[reflect.Type]bool{})
	stored, _ := copyPlans.LoadOrStore(t, p)
	return stored.(*copyPlan)
}

// planMaker holds plans that are being made, because types may contain themselves.
type planMaker map[reflect.Type]*copyPlan

func (m planMaker) plan(t reflect.Type) *copyPlan {
	if p, known := m[t]; known {
		return p
	}
	p := &copyPlan{}
	m[t] = p
	if isImmutable(t) {
		return p
	}
	if known, ok := knownCopies[t]; ok {
		p.own = known
		return p
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map: // share for certain, also where a type contains itself
		p.own = cannotOwn
	}
	switch t.Kind() {
	case reflect.Pointer:
		p.own = m.pointer(t)
	case reflect.Slice:
		p.own = m.slice(t)
	case reflect.Map:
		p.own = m.hashmap(t)
	case reflect.Array:
		if elem := m.plan(t.Elem()); elem.own != nil {
			p.own = func(v reflect.Value, depth int) bool { return ownElements(v, elem, depth) }
		}
	case reflect.Struct:
		p.own = m.structure(t)
	case reflect.Interface:
		p.own = ownInterface
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		p.own = cannotOwn
	}
	return p
}

func cannotOwn(v reflect.Value, _ int) bool { return v.IsZero() }

func (m planMaker) pointer(t reflect.Type) ownFunc {
	elem := m.plan(t.Elem())
	return func(v reflect.Value, depth int) bool {
		if v.IsNil() {
			return true
		}
		own := reflect.New(t.Elem())
		own.Elem().Set(v.Elem())
		if depth > copyDepthMax || elem.own != nil && !elem.own(own.Elem(), depth+1) {
			return false
		}
		v.Set(own.Convert(t))
		return true
	}
}

func (m planMaker) slice(t reflect.Type) ownFunc {
	elem := m.plan(t.Elem())
	return func(v reflect.Value, depth int) bool {
		if v.IsNil() {
			return true
		}
		own := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(own, v)
		if depth > copyDepthMax || elem.own != nil && !ownElements(own, elem, depth+1) {
			return false
		}
		v.Set(own)
		return true
	}
}

func ownElements(v reflect.Value, elem *copyPlan, depth int) bool {
	for i := range v.Len() {
		if !elem.own(v.Index(i), depth) {
			return false
		}
	}
	return true
}

func (m planMaker) hashmap(t reflect.Type) ownFunc {
	key, elem := m.plan(t.Key()), m.plan(t.Elem())
	return func(v reflect.Value, depth int) bool {
		if v.IsNil() {
			return true
		}
		if depth > copyDepthMax || key.own != nil {
			return false
		}
		own := reflect.MakeMapWithSize(t, v.Len())
		for all := v.MapRange(); all.Next(); {
			value := all.Value()
			if elem.own != nil {
				value = reflect.New(t.Elem()).Elem()
				value.Set(all.Value())
				if !elem.own(value, depth+1) {
					return false
				}
			}
			own.SetMapIndex(all.Key(), value)
		}
		v.Set(own)
		return true
	}
}

func (m planMaker) structure(t reflect.Type) ownFunc {
	type part struct {
		index int
		plan  *copyPlan
	}
	var parts []part
	for i := range t.NumField() {
		f := t.Field(i)
		p := m.plan(f.Type)
		switch {
		case p.own == nil:
		case hidden(f):
			return cannotOwn
		default:
			parts = append(parts, part{i, p})
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return func(v reflect.Value, depth int) bool {
		for _, p := range parts {
			if !p.plan.own(v.Field(p.index), depth) {
				return false
			}
		}
		return true
	}
}

// hidden reports whether other packages cannot set a field. Those of an embedded struct they can.
func hidden(f reflect.StructField) bool {
	return !f.IsExported() && (!f.Anonymous || f.Type.Kind() != reflect.Struct)
}

// ownInterface copies what an interface holds.
func ownInterface(v reflect.Value, depth int) bool {
	if v.IsNil() {
		return true
	}
	held := v.Elem()
	p := planCopies(held.Type())
	if p.own == nil {
		return true
	}
	own := reflect.New(held.Type()).Elem()
	own.Set(held)
	if depth > copyDepthMax || !p.own(own, depth+1) {
		return false
	}
	v.Set(own)
	return true
}

// opaque says why values of a type cannot be copied as Go sees them, "" if they can.
func (m planMaker) opaque(t reflect.Type, met map[reflect.Type]bool) string {
	if met[t] || m.plan(t).own == nil || knownCopies[t] != nil {
		return ""
	}
	met[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return m.opaque(t.Elem(), met)
	case reflect.Map:
		if m.plan(t.Key()).own != nil {
			return fmt.Sprintf("keys of a %v may share memory", t)
		}
		return m.opaque(t.Elem(), met)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if m.plan(f.Type).own != nil && hidden(f) {
				return fmt.Sprintf("field %s of %v shares memory that only its package sees", f.Name, t)
			}
			if why := m.opaque(f.Type, met); why != "" {
				return why
			}
		}
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return fmt.Sprintf("a %v cannot be copied", t)
	}
	return ""
}

// isImmutable reports whether nobody writes to what values of a type share: places on earth, and handles, of which
// addresses of networks are made.
func isImmutable(t reflect.Type) bool {
	return t == reflect.TypeFor[*time.Location]() || t.PkgPath() == "unique"
}

// sharedColumn is a column whose field may share memory with a plain copy of its row.
type sharedColumn struct {
	*schema.Field
	own ownFunc // nil where it is always copied by being stored and read
}

// sharedColumnsOf finds such columns, and those that cannot be copied at all.
func sharedColumnsOf(parsed *schema.Schema) (columns []sharedColumn, mistakes []error) {
	for _, f := range parsed.Fields {
		if f.DBName == "" {
			continue
		}
		p := planCopies(f.FieldType)
		switch {
		case p.own == nil:
		case p.opaque == "":
			columns = append(columns, sharedColumn{f, p.own})
		case restorable(f):
			columns = append(columns, sharedColumn{f, nil})
		default:
			mistakes = append(mistakes, fmt.Errorf("field %s: a %v cannot be copied, so one decision could write into another's row: %s; "+
				"give its type methods Value and Scan, or the field a serializer", f.Name, f.FieldType, p.opaque))
		}
	}
	return columns, mistakes
}

// restorable reports whether a field can be stored and read again without a database.
func restorable(f *schema.Field) bool {
	return f.Serializer != nil ||
		f.FieldType.Implements(valuerType) && reflect.PointerTo(f.IndirectFieldType).Implements(scannerType)
}

// apart gives the field in row, which is a plain copy, memory of its own.
func (c sharedColumn) apart(row reflect.Value) error {
	v, there := reach(row, c.StructField.Index)
	if !there || v.IsZero() || c.own != nil && c.own(v, 0) {
		return nil
	}
	if !restorable(c.Field) {
		return fmt.Errorf("field %s holds what cannot be copied: keep plain values in it, or give it a serializer", c.Name)
	}
	err := panicAsError("copying field "+c.Name, func() error { return c.restore(row, v) })
	if err != nil {
		return fmt.Errorf("column %s cannot be copied by being stored and read: %w", c.DBName, err)
	}
	return nil
}

// restore replaces the field by what comes back when it is stored and read. Drivers give text as bytes or as a
// string, and what scans may know one of them only.
func (c sharedColumn) restore(row, v reflect.Value) error {
	value, err := columnValue(c.Field, row.Addr().Interface())
	if err != nil {
		return err
	}
	var other driver.Value
	switch text := value.(type) {
	case []byte:
		value, other = bytes.Clone(text), string(text)
	case string:
		other = []byte(text)
	}
	if err = c.scan(row, v, value); err != nil && other != nil && c.scan(row, v, other) == nil {
		return nil
	}
	return err
}

// scan sets the field as if value had been read from the database.
func (c sharedColumn) scan(row, v reflect.Value, value driver.Value) error {
	if c.Serializer == nil {
		own := reflect.New(c.FieldType).Elem()
		if err := hold(own, value); err != nil {
			return err
		}
		v.Set(own)
		return nil
	}
	place := c.NewValuePool.Get()
	defer c.NewValuePool.Put(place)
	scanner, ok := place.(sql.Scanner)
	if !ok {
		return fmt.Errorf("gorm reads it into a %T", place)
	}
	if err := scanner.Scan(value); err != nil {
		return err
	}
	return c.Set(background, row, place)
}
