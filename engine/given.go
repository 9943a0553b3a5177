package engine

import (
	"database/sql/driver"
	"encoding/json"
	"reflect"
	"time"

	"gorm.io/gorm/schema"
)

// tagDerived marks a column that whoever makes a row draws or looks up, such as a reference or today's
// price: it is no part of what makes two requests for a row the same.
const tagDerived = "derived"

// givenColumn is a column that a creation gives.
type givenColumn struct {
	*schema.Field
	shape  inputType // of what a serializer of gorm's turns into the column's value
	hidden bool      // the column's text may have times in it
}

// columnsGiven are the columns that say what a creation asks for: all that can be created but the key,
// the driven ones, the derived ones and the times that gorm fills in.
func (r *rowType) columnsGiven(parsed *schema.Schema) []givenColumn {
	var given []givenColumn
	for _, f := range parsed.Fields {
		driven := f == r.id || f == r.state || f == r.version
		driven = driven || f.Tag.Get("engine") == tagDerived
		if f.DBName == "" || !f.Creatable || driven || f.AutoCreateTime != 0 || f.AutoUpdateTime != 0 {
			continue
		}
		g := givenColumn{Field: f}
		if f.Serializer != nil {
			g.shape = inspect(f.FieldType)
		}
		g.hidden = f.FieldType != timeType && mayHoldTime(f.FieldType)
		given = append(given, g)
	}
	return given
}

// given is what the caller says with a new row, as JSON by column; nil if that is nothing. A column at
// its zero value is not given: the database's default or an action may fill it.
func (r *rowType) given(row any) ([]byte, error) {
	var content map[string]any
	for i := range r.creatable {
		f := &r.creatable[i]
		if valueOf(row, f.Field).IsZero() {
			continue
		}
		v, err := f.said(r, row)
		if err != nil {
			return nil, err
		}
		if at, is := v.(time.Time); is && f.FieldType == timeType && at.IsZero() {
			continue // the zero time has a zone, too
		}
		if content == nil {
			content = map[string]any{}
		}
		content[f.DBName] = v
	}
	if content == nil {
		return nil, nil
	}
	return json.Marshal(content) // sorts the columns
}

// said is what a row says by a column, which is what is stored but for the zones of its times.
func (f *givenColumn) said(r *rowType, row any) (driver.Value, error) {
	v, err := columnValue(f.Field, row)
	if err != nil {
		return nil, err
	}
	if f.shape.timed[f.FieldType] { // no circle has survived the serializer
		if row, err = r.copyRow(row); err != nil {
			return nil, err
		}
		own := reflect.New(f.FieldType).Elem()
		own.Set(valueOf(row, f.Field))
		f.shape.utc(own)
		made(row, f.Field).Set(own)
		if v, err = columnValue(f.Field, row); err != nil {
			return nil, err
		}
	}
	switch text := v.(type) {
	case time.Time:
		return canonicalTime(text), nil
	case string:
		if f.hidden {
			return string(instants([]byte(text))), nil
		}
	case []byte:
		if f.hidden {
			return instants(text), nil
		}
	}
	return v, nil
}
