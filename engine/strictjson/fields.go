package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// exactNames refuses names that encoding/json matched to a field of v by ignoring case.
func exactNames(data []byte, v any) error {
	return exact(data, reflect.TypeOf(v))
}

func exact(data []byte, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		if t.Implements(unmarshaler) {
			return nil // the type reads itself
		}
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) || string(data) == "null" {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return exactStruct(data, t)
	case reflect.Slice, reflect.Array:
		if !holdsStruct(t.Elem()) {
			return nil
		}
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return decodeError(err)
		}
		for _, item := range items {
			if err := exact(item, t.Elem()); err != nil {
				return err
			}
		}
	case reflect.Map:
		if !holdsStruct(t.Elem()) {
			return nil
		}
		var values map[string]json.RawMessage
		if err := json.Unmarshal(data, &values); err != nil {
			return decodeError(err)
		}
		for _, value := range values {
			if err := exact(value, t.Elem()); err != nil {
				return err
			}
		}
	}
	return nil
}

func exactStruct(data []byte, t reflect.Type) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return decodeError(err)
	}
	fields := fieldsOf(t)
	for name, value := range values {
		field, known := fields[name]
		if !known {
			return &Error{Problem: fmt.Sprintf("unknown field %q", name), Offset: -1}
		}
		if !holdsStruct(field) {
			continue
		}
		if err := exact(value, field); err != nil {
			return err
		}
	}
	return nil
}

// holdsStruct reports whether values of type t can have fields whose names need checking.
func holdsStruct(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsStruct(t.Elem())
	case reflect.Struct:
		return true
	}
	return false
}

var fieldCache sync.Map // reflect.Type → map[string]reflect.Type

// fieldsOf lists the fields that encoding/json fills in t, by their exact names.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if cached, ok := fieldCache.Load(t); ok {
		return cached.(map[string]reflect.Type)
	}
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Tag.Get("json") == "-" || f.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[name] = f.Type
	}
	fieldCache.Store(t, fields)
	return fields
}
