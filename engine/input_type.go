package engine

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// inputType is what the engine has learnt of the type of an event's input.
type inputType struct {
	timed    map[reflect.Type]bool // the types that hold times, which are made UTC
	hidden   bool                  // there may be times that only a type's own JSON shows
	mistakes []string

	seen map[occurrence]bool
}

// occurrence is a type where it occurs: in a map, methods with a pointer receiver are not called.
type occurrence struct {
	t           reflect.Type
	addressable bool
}

var (
	rawMessage    = reflect.TypeFor[json.RawMessage]()
	timeType      = reflect.TypeFor[time.Time]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// inspect looks whether equal values of a type, and only these, have equal JSON, because it is by their
// JSON that requests are told apart. What has no fixed type has not: in an any, numbers above 2^53
// collapse, and in raw JSON the order of names counts. A type with a MarshalJSON of its own is trusted.
func inspect(t reflect.Type) inputType {
	in := inputType{timed: map[reflect.Type]bool{}}
	if t == nil {
		return in
	}
	for known := -1; known < len(in.timed); { // types may hold each other
		known = len(in.timed)
		in.seen, in.mistakes = map[occurrence]bool{}, nil
		in.walk(occurrence{t, true}, "")
	}
	return in
}

func (in *inputType) mistake(path, format string, args ...any) {
	if path == "" {
		path = "it"
	}
	in.mistakes = append(in.mistakes, strings.TrimPrefix(path, ".")+" "+fmt.Sprintf(format, args...))
}

func (in *inputType) walk(p occurrence, path string) {
	t := p.t
	if in.seen[p] {
		return
	}
	in.seen[p] = true
	switch kind := t.Kind(); {
	case t == timeType:
		in.timed[t] = true
	case t == rawMessage:
		in.mistake(path, "is a json.RawMessage, in which spelling counts: give it a type")
	case kind == reflect.Interface:
		in.mistake(path, "is of the interface type %v, which keeps no number exactly: give it a type", t)
	case p.marshals():
		in.hidden = in.hidden || mayHoldTime(t)
		if from := promoted(t); from != nil {
			in.mistake(path, "takes its MarshalJSON from an embedded %v and so tells nothing else: give it one of its own", from)
		}
	case kind == reflect.Pointer, kind == reflect.Slice:
		in.holds(t, occurrence{t.Elem(), true}, path)
	case kind == reflect.Array:
		in.holds(t, occurrence{t.Elem(), p.addressable}, path)
	case kind == reflect.Map:
		if k := t.Key(); !keyKind(k.Kind()) && (k.Kind() == reflect.Interface || !k.Implements(textMarshaler)) {
			in.mistake(path, "has keys that JSON has not: %v", k)
		}
		if t.Key() == timeType {
			in.timed[t], in.timed[timeType] = true, true
		}
		in.holds(t, occurrence{t.Elem(), false}, path)
	case kind == reflect.Struct:
		in.fields(p, path)
	case kind == reflect.Func, kind == reflect.Chan, kind == reflect.Complex64, kind == reflect.Complex128,
		kind == reflect.UnsafePointer:
		in.mistake(path, "is a %v, which JSON has not", t)
	}
}

// holds walks on to what a type holds.
func (in *inputType) holds(t reflect.Type, inner occurrence, path string) {
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Struct {
		path += "[]"
	}
	in.walk(inner, path)
	if in.timed[inner.t] {
		in.timed[t] = true
	}
}

func (in *inputType) fields(p occurrence, path string) {
	told := 0
	for i := range p.t.NumField() {
		if f := p.t.Field(i); encoded(f) {
			told++
			if f.Anonymous && !f.IsExported() && f.Type.Kind() == reflect.Pointer { // which cannot be set
				in.hidden = in.hidden || mayHoldTime(f.Type)
			}
			in.holds(p.t, occurrence{f.Type, p.addressable}, path+"."+f.Name)
		}
	}
	if told == 0 && p.t.NumField() > 0 {
		in.mistake(path, "is a %v, of which JSON tells nothing: export its fields, or give it a MarshalJSON", p.t)
	}
}

// encoded tells whether a field is in its struct's JSON.
func encoded(f reflect.StructField) bool {
	if f.Tag.Get("json") == "-" {
		return false
	}
	if f.IsExported() {
		return true
	}
	inner := f.Type
	if inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	return f.Anonymous && inner.Kind() == reflect.Struct
}

// marshals tells whether a type writes its own JSON.
func (p occurrence) marshals() bool {
	if p.t.Kind() == reflect.Pointer {
		return false
	}
	writes := func(t reflect.Type) bool { return t.Implements(jsonMarshaler) || t.Implements(textMarshaler) }
	return writes(p.t) || p.addressable && writes(reflect.PointerTo(p.t))
}

// promoted is an embedded field from which a struct with others has its JSON. That cannot be asked, so
// it is tried; what is tried may panic.
func promoted(t reflect.Type) (from reflect.Type) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		inner, whole := f.Type, reflect.New(t)
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
			if field := whole.Elem().Field(i); field.CanSet() {
				field.Set(reflect.New(inner))
			}
		}
		switch {
		case !f.Anonymous:
		case inner == rawMessage, inner.Kind() == reflect.Interface && inner.Implements(jsonMarshaler):
			return f.Type
		case t.NumField() > 1 && occurrence{inner, true}.marshals():
			err := panicAsError(f.Name, func() error {
				all, err := json.Marshal(whole.Interface())
				one, errOne := json.Marshal(reflect.New(inner).Interface())
				if err == nil && errOne == nil && string(all) == string(one) {
					from = f.Type
				}
				return nil
			})
			if err == nil && from != nil {
				return from
			}
		}
	}
	return nil
}

// instants is canonical JSON of the type as requests are compared by it.
func (in *inputType) instants(canonical []byte) []byte {
	if !in.hidden {
		return canonical
	}
	return instants(canonical)
}

func keyKind(k reflect.Kind) bool {
	return k == reflect.String || k >= reflect.Int && k <= reflect.Uintptr
}

// utc makes all times in a value UTC microseconds, so that one instant is one request in whatever zone
// it was written. What the value points to may be the caller's, so it is copied on the way.
func (in *inputType) utc(v reflect.Value) {
	t := v.Type()
	if !in.timed[t] || !v.CanSet() && t.Kind() != reflect.Struct { // an embedded struct is not set, its fields are
		return
	}
	switch {
	case t == timeType:
		if v.CanSet() {
			v.Set(reflect.ValueOf(canonicalTime(v.Interface().(time.Time))))
		}
	case t.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if encoded(t.Field(i)) {
				in.utc(v.Field(i))
			}
		}
	case t.Kind() == reflect.Array:
		for i := range v.Len() {
			in.utc(v.Index(i))
		}
	case v.IsNil():
	case t.Kind() == reflect.Pointer:
		own := reflect.New(t.Elem())
		own.Elem().Set(v.Elem())
		in.utc(own.Elem())
		v.Set(own)
	case t.Kind() == reflect.Slice:
		own := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(own, v)
		for i := range own.Len() {
			in.utc(own.Index(i))
		}
		v.Set(own)
	case t.Kind() == reflect.Map:
		own := reflect.MakeMapWithSize(t, v.Len())
		for key, value := range v.Seq2() {
			name, one := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			name.Set(key)
			in.utc(name)
			one.Set(value)
			in.utc(one)
			own.SetMapIndex(name, one)
		}
		if own.Len() == v.Len() { // else two keys are one instant: which of them counts is not for the engine to say
			v.Set(own)
		}
	}
}
