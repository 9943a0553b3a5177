package engine

import (
	"reflect"
	"regexp"
	"time"
)

// One instant is one request in whatever zone it was written, and as precise as it is stored. Times that the engine can
// reach are made UTC microseconds themselves. What a type of the user's, or a serializer of gorm's, makes of a time is
// text, in which it is found by its form.

// writtenInstant is a time with its zone as time.Time writes it to JSON, or with a space in the middle.
var writtenInstant = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)

// instants is a text with its times as UTC microseconds; what only looks like one stays.
func instants(text []byte) []byte {
	return writtenInstant.ReplaceAllFunc(text, func(written []byte) []byte {
		layout := time.RFC3339Nano
		if written[len(time.DateOnly)] == ' ' {
			layout = "2006-01-02 15:04:05.999999999Z07:00"
		}
		at, err := time.Parse(layout, string(written))
		if err != nil {
			return written
		}
		return canonicalTime(at).AppendFormat(nil, layout)
	})
}

// canonicalTime is a time as it is stored.
func canonicalTime(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// mayHoldTime reports whether a value of a type may have a time somewhere, also where nobody but its own methods can see
// it.
func mayHoldTime(t reflect.Type) bool {
	seen := map[reflect.Type]bool{}
	var holds func(reflect.Type) bool
	holds = func(t reflect.Type) bool {
		if seen[t] {
			return false
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Interface:
			return true
		case reflect.Pointer, reflect.Slice, reflect.Array:
			return holds(t.Elem())
		case reflect.Map:
			return holds(t.Key()) || holds(t.Elem())
		case reflect.Struct:
			if t.ConvertibleTo(timeType) {
				return true
			}
			for i := range t.NumField() {
				if holds(t.Field(i).Type) {
					return true
				}
			}
		}
		return false
	}
	return holds(t)
}
