package engine

import (
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm/schema"
)

// shapeOf says how the values of a field are written down. Two fields of the same name and shape make the
// same of the same stored value; of others nobody knows. The names of Go types are no part of it, unless
// their methods may have a say.
func shapeOf(f *schema.Field) string {
	s := shaper{seen: map[reflect.Type]int{}}
	if f.Serializer != nil {
		s.text.WriteString("serialized " + f.TagSettings["SERIALIZER"] + " ")
		if f.NotNull { // gorm's JSON writes nothing as an empty text then
			s.text.WriteString("not null ")
		}
	}
	s.add(f.FieldType)
	return s.text.String()
}

// shaper writes the shape of a type. Each type is taken apart once, so recursive ones end.
type shaper struct {
	text strings.Builder
	seen map[reflect.Type]int
}

func (s *shaper) add(t reflect.Type) {
	if t == timeType {
		s.text.WriteString("time")
		return
	}
	if t.Name() != "" && t.PkgPath() != "" && reflect.PointerTo(t).NumMethod() > 0 {
		s.text.WriteString(t.PkgPath() + "." + t.Name() + " ")
	}
	switch kind := t.Kind(); kind {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.text.WriteString("int")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.text.WriteString("uint")
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		if n, again := s.seen[t]; again {
			fmt.Fprintf(&s.text, "#%d", n)
			return
		}
		s.seen[t] = len(s.seen)
		s.compose(t)
	default:
		s.text.WriteString(kind.String())
	}
}

func (s *shaper) compose(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer:
		s.text.WriteString("*")
		s.add(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			s.text.WriteString("bytes")
			return
		}
		s.text.WriteString("[]")
		s.add(t.Elem())
	case reflect.Array:
		fmt.Fprintf(&s.text, "[%d]", t.Len())
		s.add(t.Elem())
	case reflect.Map:
		s.text.WriteString("map[")
		s.add(t.Key())
		s.text.WriteString("]")
		s.add(t.Elem())
	case reflect.Struct:
		s.text.WriteString("{")
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				s.text.WriteString("+") // its fields may be written as the struct's own
			}
			s.text.WriteString(f.Name + " ")
			s.add(f.Type)
			if f.Tag != "" {
				fmt.Fprintf(&s.text, " %q", f.Tag)
			}
			s.text.WriteString(";")
		}
		s.text.WriteString("}")
	}
}
