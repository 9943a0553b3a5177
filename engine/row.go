package engine

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// rowType is what the engine knows of a user's row: its table, the fields it drives, the others.
type rowType struct {
	table    string
	id       *schema.Field
	state    *schema.Field
	version  *schema.Field
	others   []*schema.Field // columns that actions may change
	settable []*schema.Field // columns that actions of a creation may set
	touched  []*schema.Field // columns that carry the time of the last change
	filled   []*schema.Field // columns that get a time or a value of their tag when a row is created without

	relations []relation       // fields whose rows are of other tables, which nothing saves
	unstored  []unstoredColumn // columns that are not written on creations or on transitions

	ids      idColumn // how the driven fields are read and written
	states   stateColumn
	versions versionColumn

	creatable  []givenColumn // columns that a creation gives
	createHook bool          // a hook may change a row on its way into the database
	afterHook  bool          // a hook may change a row that has come there

	nullableVersion bool     // the table's version may be NULL, which is 0; known once New has looked
	setByDatabase   []string // columns that the database sets with each update (ON UPDATE); known then

	selects selects
	hashed  hashed

	// What needs the row's Go type.
	pointer reflect.Type // *S
	newRow  func() any
	copyRow func(any) (any, error)  // shares no columns with what it is made of
	query   func(*gorm.DB) *gorm.DB // what gorm reads rows with, on a handle for dry runs
	create  func(*gorm.DB, []any) error

	rebind func(schema.Namer) (*rowType, error) // the same for another naming strategy
}

// newRowType reads the tags of S under gorm's default naming, for a machine of some states.
func newRowType[S any](names stateNames, skipHooks bool) (*rowType, error) {
	return bindRowType[S](schema.NamingStrategy{}, names, skipHooks)
}

func bindRowType[S any](namer schema.Namer, names stateNames, skipHooks bool) (*rowType, error) {
	if t := reflect.TypeFor[S](); t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("row type %v: it must be the struct that gorm makes rows of, no pointer to one and nothing else", t)
	}
	parsed, err := schema.Parse(new(S), &sync.Map{}, namer)
	if err != nil {
		return nil, fmt.Errorf("row type %v: %w", reflect.TypeFor[S](), err)
	}
	pointers := embeddedOf(parsed)
	shared, mistakes := sharedColumnsOf(parsed)
	if !skipHooks {
		mistakes = append(mistakes, skippedOf(parsed)...)
	}
	r := &rowType{
		table:   parsed.Table,
		selects: selects{columns: parsed.FieldsByDBName, hook: parsed.AfterFind},

		createHook: parsed.BeforeCreate || parsed.BeforeSave,
		afterHook:  parsed.AfterCreate || parsed.AfterSave,

		pointer: reflect.TypeFor[*S](),

		newRow: func() any { return new(S) },
		query:  func(db *gorm.DB) *gorm.DB { return db.Find(&[]*S{}) },
		copyRow: func(row any) (any, error) {
			c := *row.(*S)
			if len(pointers) == 0 && len(shared) == 0 {
				return &c, nil
			}
			own := reflect.ValueOf(&c).Elem()
			pointers.apart(own, false)
			for i := range shared {
				if err := shared[i].apart(own); err != nil {
					return nil, err
				}
			}
			return &c, nil
		},
		create: func(db *gorm.DB, rows []any) error {
			typed := make([]*S, len(rows))
			for i, row := range rows {
				typed[i] = row.(*S)
			}
			return db.Omit(clause.Associations).Create(typed).Error
		},
		rebind: func(namer schema.Namer) (*rowType, error) { return bindRowType[S](namer, names, skipHooks) },
	}
	if err := errors.Join(r.fields(parsed, names), errors.Join(mistakes...)); err != nil {
		return nil, fmt.Errorf("row type %v: %w", reflect.TypeFor[S](), err)
	}
	r.relations, r.unstored = relationsOf(parsed), r.unstoredOf(parsed)
	r.hashed, r.filled = hashedOf(parsed), r.filledOf(parsed)
	return r, nil
}

// tagExamples are what to write for a field that is missing.
var tagExamples = map[string]string{
	"id":      "ID string `gorm:\"primaryKey;size:64\" engine:\"id\"`",
	"state":   "Status string `gorm:\"<-:create;size:32\" engine:\"state\"`",
	"version": "Version int64 `gorm:\"<-:create;not null;default:0\" engine:\"version\"`",
}

// fields finds the driven fields by their tags and checks that the engine can trust them. Where no field is tagged as
// the key it is the primary key, which in a struct like gorm.Model nobody can tag.
func (r *rowType) fields(parsed *schema.Schema, names stateNames) error {
	var mistakes []error
	mistake := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	driven := map[string]**schema.Field{"id": &r.id, "state": &r.state, "version": &r.version}
	for _, f := range parsed.Fields {
		tag, tagged := f.Tag.Lookup("engine")
		derived := tag == tagDerived
		if derived && f.DBName == "" {
			mistake("field %s is tagged %q but has no column", f.Name, tag)
		}
		tagged = tagged && !derived && tag != tagShared
		switch place := driven[tag]; {
		case tagged && place == nil:
			mistake("field %s: engine tag %q: want id, state, version, derived or shared", f.Name, tag)
		case tagged && *place != nil:
			mistake("fields %s and %s are both tagged %q", (*place).Name, f.Name, tag)
		case tagged && f.DBName == "":
			mistake("field %s is tagged %q but has no column", f.Name, tag)
		case tagged:
			*place = f
		}
	}
	if r.id == nil && len(parsed.PrimaryFields) == 1 {
		r.id = parsed.PrimaryFields[0]
	}
	for _, tag := range []string{"id", "state", "version"} {
		if *driven[tag] == nil {
			mistake("no field is tagged `engine:%q`: tag one, such as\n\t%s", tag, tagExamples[tag])
		}
	}
	if len(mistakes) > 0 {
		return errors.Join(mistakes...)
	}
	for _, f := range parsed.Fields {
		if f.DBName == "" || f == r.id || f == r.state || f == r.version {
			continue
		}
		if f.Creatable && f.AutoUpdateTime == 0 {
			r.settable = append(r.settable, f)
		}
		switch {
		case !f.Updatable:
		case f.AutoUpdateTime > 0:
			r.touched = append(r.touched, f)
		default:
			r.others = append(r.others, f)
		}
	}
	r.creatable = r.columnsGiven(parsed)
	return r.trust(names)
}

func (r *rowType) trust(names stateNames) error {
	var mistakes []error
	mistake := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	var err error
	if r.ids, err = newIDColumn(r.id); err != nil {
		mistakes = append(mistakes, err)
	}
	if !r.id.PrimaryKey {
		mistake("field %s: the key must be the primary key", r.id.Name)
	}
	var wrong []error
	r.states, wrong = newStateColumn(r.state, names, r.newRow)
	mistakes = append(mistakes, wrong...)
	if r.versions, err = newVersionColumn(r.version); err != nil {
		mistakes = append(mistakes, err)
	}
	for _, f := range []*schema.Field{r.state, r.version} {
		if f.Updatable {
			mistake("field %s: Save could overwrite it past the engine; tag it `gorm:\"<-:create\"`", f.Name)
		}
	}
	return errors.Join(mistakes...)
}

// key is an id as the database's own type; false if it cannot be one.
func (r *rowType) key(id string) (any, bool) { return r.ids.key(id) }

var background = context.Background() // gorm's field accessors want a context and do not use it

// idOf is the key of a row whose key has been read before.
func (r *rowType) idOf(row any) string {
	id, _ := r.ids.of(row)
	return id
}

func (r *rowType) stateOf(row any) State { return r.states.of(row) }

func (r *rowType) versionOf(row any) int64 { return r.versions.of(row) }

// move writes state, version and time of change into a row in memory.
func (r *rowType) move(row any, to State, version int64, now time.Time) error {
	if err := r.states.set(row, to); err != nil {
		return err
	}
	if err := r.versions.set(row, version); err != nil {
		return err
	}
	for _, f := range r.touched {
		if err := f.Set(background, reflect.ValueOf(row), now); err != nil {
			return err
		}
	}
	return nil
}

// columnValue is what a column gets: nothing if its field is behind a nil pointer.
func columnValue(f *schema.Field, row any) (driver.Value, error) {
	if _, there := in(row, f); !there {
		return nil, nil
	}
	v, _ := f.ValueOf(background, reflect.ValueOf(row))
	if u := reflect.ValueOf(v); u.IsValid() && u.CanUint() && !u.Type().Implements(valuerType) {
		return unsigned(u.Uint()), nil
	}
	value, err := driver.DefaultParameterConverter.ConvertValue(v)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", f.DBName, err)
	}
	return value, nil
}

// changed is the columns whose values differ between two rows, with those of the time of change.
func (r *rowType) changed(before, after any) (columns []string, values []any, err error) {
	for _, f := range r.others {
		had, there := in(before, f)
		has, still := in(after, f)
		if there == still && plainly(had, has) {
			continue
		}
		old, err := columnValue(f, before)
		if err != nil {
			return nil, nil, err
		}
		v, err := columnValue(f, after)
		if err != nil {
			return nil, nil, err
		}
		if !equalValues(old, v) {
			columns, values = append(columns, f.DBName), append(values, v)
		}
	}
	for _, f := range r.touched {
		v, err := columnValue(f, after)
		if err != nil {
			return nil, nil, err
		}
		columns, values = append(columns, f.DBName), append(values, v)
	}
	return columns, values, nil
}

// plainly reports whether two values of a simple type are the same, which most are.
func plainly(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return a.Equal(b)
	}
	return false
}

func equalValues(a, b driver.Value) bool {
	switch x := a.(type) {
	case []byte:
		y, ok := b.([]byte)
		return ok && (x == nil) == (y == nil) && bytes.Equal(x, y)
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	}
	return a == b
}

// Load reads one subject's row as a value of its own. It matches ErrNotFound if there is none.
func Load[S any](ctx context.Context, e *Engine, machine, id string) (*S, error) {
	m, err := e.machine(machine)
	if err != nil {
		return nil, err
	}
	rows, err := m.row.load(ctx, e.db, []string{id}, lockNothing)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", machine, id, err)
	}
	row, ok := rows[id].(*S)
	switch {
	case rows[id] == nil:
		return nil, Result{Outcome: NotFound, Machine: machine, ID: id}.Err()
	case !ok:
		return nil, fmt.Errorf("read %s %s: the row is a %T, not a %T: write engine.Load[%v]", machine, id, rows[id], row,
			reflect.TypeOf(rows[id]).Elem())
	}
	return row, nil
}
