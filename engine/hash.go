package engine

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm/schema"

	"example.com/orderd/engine/internal/seal"
)

// tagShared marks a field whose column others write as well, by SQL of their own.
const tagShared = "shared"

// hashed is the fields of a row that row hashes cover, by name.
type hashed struct {
	fields   []hashedField
	pointers embedded
	head     []byte  // hash of the names, which goes before the values
	mistakes []error // why the engine cannot foresee what is stored
}

type hashedField struct {
	*schema.Field
	name  string // in Go, embedded structs included, as other databases may name the column otherwise; and its shape
	index []int
	kind  hashedKind
}

// hashedKind is how the value of a field is taken. Most are taken without gorm, which is faster.
type hashedKind uint8

const (
	hashedStored hashedKind = iota // as gorm would store it
	hashedText
	hashedInt
	hashedUint
	hashedBool
	hashedTime
)

var valuerType = reflect.TypeFor[driver.Valuer]()

func hashedKindOf(f *schema.Field) hashedKind {
	for _, i := range f.StructField.Index {
		if i < 0 { // behind a pointer, says gorm
			return hashedStored
		}
	}
	t := f.FieldType
	switch {
	case f.Serializer != nil, t.Implements(valuerType):
	case t == timeType:
		return hashedTime
	case t.Kind() == reflect.String:
		return hashedText
	case t.Kind() == reflect.Bool:
		return hashedBool
	case reflect.Zero(t).CanInt():
		return hashedInt
	case reflect.Zero(t).CanUint():
		return hashedUint
	}
	return hashedStored
}

func hashedOf(parsed *schema.Schema) hashed {
	h := hashed{pointers: embeddedOf(parsed)}
	mistake := func(format string, args ...any) { h.mistakes = append(h.mistakes, fmt.Errorf(format, args...)) }
	for _, f := range parsed.Fields {
		if f.DBName == "" || !f.Creatable || !f.Readable || f.Tag.Get("engine") == tagShared || parsed.FieldsByDBName[f.DBName] != f {
			continue
		}
		name := strings.Join(f.BindNames, ".") + " " + shapeOf(f)
		h.fields = append(h.fields, hashedField{f, name, f.StructField.Index, hashedKindOf(f)})
		if f.HasDefaultValue && f.DefaultValueInterface == nil && !f.PrimaryKey {
			mistake("field %s: its default is the database's, which the engine does not see", f.Name)
		}
		if kind := f.IndirectFieldType.Kind(); kind == reflect.Float32 || kind == reflect.Complex64 || kind == reflect.Complex128 {
			mistake("field %s: a %v may be stored as another number", f.Name, kind)
		}
	}
	for hook, has := range map[string]bool{
		"BeforeCreate": parsed.BeforeCreate, "AfterCreate": parsed.AfterCreate, "BeforeSave": parsed.BeforeSave,
		"AfterSave": parsed.AfterSave, "AfterFind": parsed.AfterFind,
	} {
		if has {
			mistake("%s may change what is stored or read", hook)
		}
	}
	slices.SortFunc(h.fields, func(a, b hashedField) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(h.mistakes, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return h.named()
}

// named is h with the hash of its names.
func (h hashed) named() hashed {
	s := seal.New()
	for _, f := range h.fields {
		s.Text(f.name)
	}
	sum := s.Sum()
	h.head = sum[:]
	return h
}

// names are the covered fields, for the description.
func (h hashed) names() ([]string, error) {
	var names []string
	for _, f := range h.fields {
		names = append(names, f.name)
	}
	return names, errors.Join(h.mistakes...)
}

// only is h with just the fields of these names; false if it lacks one, or has it in another shape.
func (h hashed) only(names []string) (hashed, bool) {
	if slices.EqualFunc(h.fields, names, func(f hashedField, name string) bool { return f.name == name }) {
		return h, true
	}
	part := hashed{pointers: h.pointers}
	for _, name := range names {
		i := slices.IndexFunc(h.fields, func(f hashedField) bool { return f.name == name })
		if i < 0 {
			return hashed{}, false
		}
		part.fields = append(part.fields, h.fields[i])
	}
	return part.named(), true
}

// of is the hash of a row: of its values as they are stored, in the order of their names. A nil embedded
// pointer counts as a struct of zero values: gorm may read its nulls as one.
func (h *hashed) of(row any) ([]byte, error) {
	row = h.pointers.whole(row)
	s := seal.New()
	s.Bytes(h.head)
	v := reflect.ValueOf(row).Elem()
	for i := range h.fields {
		if err := h.fields[i].add(s, v, row); err != nil {
			return nil, err
		}
	}
	sum := s.Sum()
	return sum[:], nil
}

// add adds the value of a field of a row, which v is as well.
func (f *hashedField) add(s *seal.Sealer, v reflect.Value, row any) error {
	if f.kind != hashedStored {
		for _, i := range f.index {
			v = v.Field(i)
		}
	}
	switch f.kind {
	case hashedText:
		s.Text(v.String())
	case hashedInt:
		s.Int(v.Int())
	case hashedUint:
		s.Uint(v.Uint())
	case hashedBool:
		s.Bool(v.Bool())
	case hashedTime:
		s.Time(*v.Addr().Interface().(*time.Time))
	case hashedStored:
		value, err := columnValue(f.Field, row)
		if err != nil {
			return err
		}
		addStored(s, value)
	}
	return nil
}

func addStored(s *seal.Sealer, value driver.Value) {
	switch value := value.(type) {
	case nil:
		s.Null()
	case bool:
		s.Bool(value)
	case int64:
		s.Int(value)
	case float64:
		s.Bits(math.Float64bits(value + 0)) // there is one zero
	case string:
		s.Text(value)
	case []byte:
		if len(value) == 0 {
			value = nil // SQLite's driver does not tell no bytes from none
		}
		s.Maybe(value)
	case time.Time:
		s.Time(value)
	}
}

// rowHashes are the hashes of a subject's row that a transition keeps; nil where there is none.
type rowHashes struct{ found, left []byte }

// hash takes the hashes of the row before and after a move. found is the row as it was read, or as an
// earlier move of the round has left it.
func (mv *move) hash(s *subject, found any) (err error) {
	m := mv.item.m
	if len(m.desc.Exclusive) == 0 {
		return nil
	}
	switch {
	case mv.call.from == "":
	case len(s.moves) > 0:
		mv.hashes.found = s.moves[len(s.moves)-1].hashes.left
	case mv.adopted != nil:
		if mv.adoptedHashes, err = m.adoptionHashes(found); err != nil {
			return err
		}
		mv.hashes.found = mv.adoptedHashes.left
	default:
		if mv.hashes.found, err = m.row.hashed.of(found); err != nil {
			return err
		}
	}
	mv.hashes.left, err = m.row.hashed.of(mv.call.subject)
	return err
}

// adoptionHashes are those of an adoption, which changes nothing of a row but its version.
func (m *machine) adoptionHashes(row any) (h rowHashes, err error) {
	if len(m.desc.Exclusive) == 0 {
		return h, nil
	}
	adopted, err := m.row.copyRow(row)
	if err != nil {
		return h, err
	}
	if err := m.row.versions.set(adopted, 1); err != nil {
		return h, err
	}
	h.left, err = m.row.hashed.of(adopted)
	return h, err
}
