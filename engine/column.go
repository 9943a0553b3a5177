package engine

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"

	"gorm.io/gorm/schema"
)

// The key, the state and the version of a row are read and written by the engine itself, each through a type of its
// own: idColumn, stateColumn, versionColumn. What they share is here: a field is held to what database/sql would
// do with it, because gorm sets fields of a plain kind past their Scan.

// cannotHold says why a field cannot be what it is tagged as; "" if it can.
func cannotHold(f *schema.Field, what, instead string) string {
	if f.Serializer != nil {
		return fmt.Sprintf("field %s: the %s must not be written by a serializer: give its type methods Value and "+
			"Scan, or use a %s", f.Name, what, instead)
	}
	t := f.FieldType
	for t.Kind() == reflect.Pointer && !t.Implements(valuerType) {
		t = t.Elem()
	}
	values, scans := t.Implements(valuerType), reflect.PointerTo(f.IndirectFieldType).Implements(scannerType)
	zero := reflect.Zero(f.IndirectFieldType)
	switch basic := zero.Kind() == reflect.String || zero.CanInt() || zero.CanUint(); {
	case values && !scans:
		return fmt.Sprintf("field %s: %v has Value but no Scan, so what it stores cannot be read: give it both, or use a %s",
			f.Name, f.FieldType, instead)
	case scans && !values:
		return fmt.Sprintf("field %s: %v has Scan but no Value (methods on the pointer do not count, because gorm stores "+
			"the value itself): give it both, or use a %s",
			f.Name, f.FieldType, instead)
	case !basic && !values:
		return fmt.Sprintf("field %s: the %s cannot be a %v: use a %s, an integer, or a type with methods Value and Scan",
			f.Name, what, f.FieldType, instead)
	}
	return ""
}

var scannerType = reflect.TypeFor[sql.Scanner]()

// held is what the database is given for a field.
func held(v reflect.Value) (driver.Value, error) {
	if v.Type().Implements(valuerType) {
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return nil, nil
		}
		return v.Interface().(driver.Valuer).Value()
	}
	switch {
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return held(v.Elem())
	case v.Kind() == reflect.String:
		return v.String(), nil
	case v.CanInt():
		return v.Int(), nil
	case v.CanUint():
		return unsigned(v.Uint()), nil
	}
	return nil, fmt.Errorf("a %v is no value of a database", v.Type())
}

// unsigned is a number as databases are given it: those that only a BIGINT UNSIGNED holds as they are.
func unsigned(n uint64) driver.Value {
	if n <= 1<<63-1 {
		return int64(n)
	}
	return n
}

// hold has a field hold a value that held returns. What it held before is not touched, because copies of the row
// may share it.
func hold(v reflect.Value, value driver.Value) error {
	v.SetZero()
	if value == nil {
		return nil
	}
	for v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if scanner, ok := v.Addr().Interface().(sql.Scanner); ok {
		return scanner.Scan(value)
	}
	switch value := value.(type) {
	case string:
		if v.Kind() == reflect.String {
			v.SetString(value)
			return nil
		}
	case int64:
		switch {
		case v.CanInt() && !v.OverflowInt(value):
			v.SetInt(value)
			return nil
		case v.CanUint() && value >= 0 && !v.OverflowUint(uint64(value)):
			v.SetUint(uint64(value))
			return nil
		}
	case uint64:
		if v.CanUint() && !v.OverflowUint(value) {
			v.SetUint(value)
			return nil
		}
	}
	return fmt.Errorf("%s does not fit into it", storedText(value))
}

// plainValue is a value of a database in the one form in which two of them are compared: text is a string.
func plainValue(value driver.Value) any {
	if b, ok := value.([]byte); ok {
		return string(b)
	}
	return value
}

// versionColumn reads and writes the version of a row.
type versionColumn struct {
	field    *schema.Field
	unsigned bool
}

func newVersionColumn(f *schema.Field) (versionColumn, error) {
	zero := reflect.Zero(f.FieldType)
	switch {
	case !zero.CanInt() && !zero.CanUint(), f.FieldType.Implements(valuerType), f.Serializer != nil,
		reflect.PointerTo(f.FieldType).Implements(scannerType):
		return versionColumn{}, fmt.Errorf("field %s: the version must be an integer that is never NULL, not a %v: make it "+
			"an int64 and its column "+
			"BIGINT NOT NULL DEFAULT 0", f.Name, f.FieldType)
	case f.FieldType.Bits() < 32:
		return versionColumn{}, fmt.Errorf("field %s: a %v has no room for the versions of a row that moves often: "+
			"make it an int64", f.Name, f.FieldType)
	case f.DefaultValueInterface != nil && !reflect.ValueOf(f.DefaultValueInterface).IsZero():
		return versionColumn{}, fmt.Errorf("field %s: the default of the version must be 0, which marks rows that the "+
			"engine has not seen, not %v",
			f.Name, f.DefaultValueInterface)
	}
	return versionColumn{field: f, unsigned: zero.CanUint()}, nil
}

func (c *versionColumn) of(row any) int64 {
	v := valueOf(row, c.field)
	if c.unsigned {
		return int64(v.Uint()) //nolint:gosec // no version comes near the end of an int64
	}
	return v.Int()
}

func (c *versionColumn) set(row any, version int64) error {
	if err := hold(made(row, c.field), version); err != nil {
		return fmt.Errorf("version in field %s: %w", c.field.Name, err)
	}
	return nil
}
