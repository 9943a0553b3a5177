package engine

import (
	"database/sql"
	"database/sql/driver"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"gorm.io/gorm/schema"
)

// idColumn reads and writes the key of a row. Everywhere but in the user's own column a key is text: a number in
// decimal, and of a type with Value and Scan what it stores, or its MarshalText where that is bytes.
type idColumn struct {
	field *schema.Field
	kind  idKind
	bits  int
	bytes bool // what is stored is bytes
	auto  bool // the database makes the key of a row that comes without, says gorm
}

type idKind uint8

const (
	idText idKind = iota
	idSigned
	idUnsigned
	idValued // by Value and Scan
)

func newIDColumn(f *schema.Field) (idColumn, error) {
	c := idColumn{field: f}
	if f.FieldType.Kind() == reflect.Pointer || f.FieldType.Kind() == reflect.Slice && !f.FieldType.Implements(valuerType) {
		return c, fmt.Errorf("field %s: the key cannot be a %v: use a string, an integer, or a type with methods "+
			"Value and Scan", f.Name, f.FieldType)
	}
	if why := cannotHold(f, "key", "string"); why != "" {
		return c, errors.New(why)
	}
	zero := reflect.Zero(f.FieldType)
	switch {
	case f.FieldType.Implements(valuerType):
		c.kind = idValued
		value, err := zero.Interface().(driver.Valuer).Value()
		_, c.bytes = value.([]byte)
		if err == nil && c.bytes && !c.hasText() {
			return c, fmt.Errorf("field %s: %v stores bytes, and history names subjects by text: give it methods MarshalText "+
				"and UnmarshalText", f.Name, f.FieldType)
		}
	case zero.CanInt():
		c.kind, c.bits, c.auto = idSigned, f.FieldType.Bits(), f.AutoIncrement
	case zero.CanUint():
		c.kind, c.bits, c.auto = idUnsigned, f.FieldType.Bits(), f.AutoIncrement
	}
	return c, nil
}

func (c *idColumn) hasText() bool {
	return c.field.FieldType.Implements(reflect.TypeFor[encoding.TextMarshaler]()) &&
		reflect.PointerTo(c.field.FieldType).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// integer reports whether keys are numbers.
func (c *idColumn) integer() bool { return c.kind == idSigned || c.kind == idUnsigned }

// fixed reports whether a type of its own makes the keys, such as a UUID's, all of one length.
func (c *idColumn) fixed() bool { return c.kind == idValued }

// of is the key of a row; "" if it has none.
func (c *idColumn) of(row any) (string, error) {
	v := valueOf(row, c.field)
	switch {
	case c.kind == idText:
		return v.String(), nil
	case v.IsZero():
		return "", nil
	case c.kind == idSigned:
		return strconv.FormatInt(v.Int(), 10), nil
	case c.kind == idUnsigned:
		return strconv.FormatUint(v.Uint(), 10), nil
	}
	text, _, err := c.valued(v)
	return text, err
}

// valued is a key of a type with Value, as text and as the database is given it.
func (c *idColumn) valued(v reflect.Value) (text string, value driver.Value, err error) {
	if value, err = v.Interface().(driver.Valuer).Value(); err != nil {
		return "", nil, fmt.Errorf("key %s: %w", c.field.Name, err)
	}
	switch value := value.(type) {
	case nil:
		return "", nil, nil
	case string:
		return value, value, nil
	case int64:
		return strconv.FormatInt(value, 10), value, nil
	case []byte:
		if !c.hasText() {
			break
		}
		b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		return string(b), value, err
	}
	return "", nil, fmt.Errorf("key %s: its Value gives a %T, which is no name of a subject: let it give a string, or "+
		"give the type MarshalText and UnmarshalText",
		c.field.Name, value)
}

// key is an id as the database is given it; false if no row of the table can have it. What is not written as the
// engine writes it, such as 01, is nobody's key.
func (c *idColumn) key(id string) (any, bool) {
	if isUnborn(id) {
		return nil, false
	}
	switch c.kind {
	case idSigned:
		n, err := strconv.ParseInt(id, 10, c.bits)
		return n, err == nil && strconv.FormatInt(n, 10) == id
	case idUnsigned:
		n, err := strconv.ParseUint(id, 10, c.bits)
		return unsigned(n), err == nil && strconv.FormatUint(n, 10) == id
	case idValued:
		return c.valuedKey(id)
	}
	return id, id != ""
}

func (c *idColumn) valuedKey(id string) (any, bool) {
	reads := []func(any) error{
		func(p any) error { return p.(sql.Scanner).Scan(id) },
		func(p any) error {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return err
			}
			return p.(sql.Scanner).Scan(n)
		},
	}
	if c.hasText() {
		reads = append(reads, func(p any) error { return p.(encoding.TextUnmarshaler).UnmarshalText([]byte(id)) })
	}
	for _, read := range reads {
		p := reflect.New(c.field.FieldType)
		if read(p.Interface()) != nil || p.Elem().IsZero() {
			continue
		}
		if text, value, err := c.valued(p.Elem()); err == nil && text == id && text != "" {
			return value, true
		}
	}
	return nil, false
}

// read is the id for a key as it was read from the database.
func (c *idColumn) read(key any) (string, error) {
	if c.kind != idValued {
		switch key := key.(type) {
		case []byte:
			return string(key), nil
		default:
			return fmt.Sprint(key), nil // a string or a number
		}
	}
	p := reflect.New(c.field.FieldType)
	if err := p.Interface().(sql.Scanner).Scan(key); err != nil {
		return "", fmt.Errorf("key %s: %w", c.field.Name, err)
	}
	id, _, err := c.valued(p.Elem())
	return id, err
}
