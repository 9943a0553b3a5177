package engine

import (
	"reflect"
	"slices"

	"gorm.io/gorm/schema"
)

// embedded are the ways to the embedded pointers of a row type, the outer ones first. gorm makes a struct
// behind each when it asks for a field there, also to read it, so the engine reads by itself.
type embedded [][]int

func embeddedOf(parsed *schema.Schema) embedded {
	var e embedded
	for _, f := range parsed.Fields {
		for n, i := range f.StructField.Index {
			way := f.StructField.Index[:n+1]
			if i < 0 && !slices.ContainsFunc(e, func(known []int) bool { return slices.Equal(known, way) }) {
				e = append(e, slices.Clone(way))
			}
		}
	}
	slices.SortStableFunc(e, func(a, b []int) int { return len(a) - len(b) })
	return e
}

// apart gives a copy of a row structs of its own, so that a change of one is not a change of both. whole
// makes those that are missing.
func (e embedded) apart(row reflect.Value, whole bool) {
	for _, way := range e {
		last := len(way) - 1
		outer, there := reach(row, way[:last])
		if !there {
			continue
		}
		p := outer.Field(-way[last] - 1)
		if p.IsNil() && !whole {
			continue
		}
		own := reflect.New(p.Type().Elem())
		if !p.IsNil() {
			own.Elem().Set(p.Elem())
		}
		p.Set(own)
	}
}

// whole is row with a struct behind each embedded pointer; row itself if it has none.
func (e embedded) whole(row any) any {
	if len(e) == 0 {
		return row
	}
	c := reflect.New(reflect.TypeOf(row).Elem())
	c.Elem().Set(reflect.ValueOf(row).Elem())
	e.apart(c.Elem(), true)
	return c.Interface()
}

// reach goes to a field on gorm's way, where a negative step is one through a pointer; false if that is nil.
func reach(v reflect.Value, way []int) (reflect.Value, bool) {
	for _, i := range way {
		if i >= 0 {
			v = v.Field(i)
			continue
		}
		if v = v.Field(-i - 1); v.IsNil() {
			return v, false
		}
		v = v.Elem()
	}
	return v, true
}

// in is a field of a row, to be read. Behind a nil embedded pointer it is a zero value, and there is false.
func in(row any, f *schema.Field) (v reflect.Value, there bool) {
	if v, there = reach(reflect.ValueOf(row).Elem(), f.StructField.Index); !there {
		v = reflect.Zero(f.FieldType)
	}
	return v, there
}

// valueOf is a field of a row, to be read.
func valueOf(row any, f *schema.Field) reflect.Value {
	v, _ := in(row, f)
	return v
}

// made is a field of a row, to be written: gorm makes what it is in.
func made(row any, f *schema.Field) reflect.Value {
	return f.ReflectValueOf(background, reflect.ValueOf(row))
}
