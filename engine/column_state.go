package engine

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm/schema"
)

// stateNames are the states of a machine and what a user's own column holds for them.
type stateNames struct {
	states []State       // of the machine, in the order of the definition
	stored map[State]any // Definition.Stored
}

// stateColumn reads and writes the state of a row: the name of the state everywhere but in the user's own column.
type stateColumn struct {
	field  *schema.Field
	plain  bool                   // a text that holds the name itself, as most do
	args   map[State]driver.Value // what the column holds for each state, as it is given to the database
	states map[any]State          // the state for what the column holds: a string, or an int64
	texts  []string               // what the column holds, as errors name it
}

// newStateColumn checks that the field can hold every state, by having it hold each.
func newStateColumn(f *schema.Field, names stateNames, newRow func() any) (stateColumn, []error) {
	c := stateColumn{field: f, args: map[State]driver.Value{}, states: map[any]State{}}
	values, mistakes := names.values()
	if len(mistakes) > 0 {
		return c, mistakes
	}
	if why := cannotHold(f, "state", "string"); why != "" {
		return c, []error{errors.New(why)}
	}
	c.plain = len(names.stored) == 0 && f.FieldType.Kind() == reflect.String && !f.FieldType.Implements(valuerType)
	for _, s := range names.states {
		value, _ := values[s].(driver.Value)
		arg, err := c.hold(newRow(), value)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("field %s: a %v cannot hold state %q: %w", f.Name, f.FieldType, s, err))
			continue
		}
		c.args[s], c.states[value] = arg, s
		c.texts = append(c.texts, storedText(value))
	}
	return c, mistakes
}

// hold has a row hold a value and returns what the database is given for it.
func (c *stateColumn) hold(row any, value driver.Value) (driver.Value, error) {
	if err := hold(made(row, c.field), value); err != nil {
		if _, isText := value.(string); isText && wantsNumber(c.field) {
			err = fmt.Errorf("%w; say by Definition.Stored which number stands for each state", err)
		}
		return nil, err
	}
	arg, err := held(valueOf(row, c.field))
	if err != nil {
		return nil, err
	}
	if back := plainValue(arg); back != value {
		return nil, fmt.Errorf("it would be stored as %s, not as %s", storedText(back), storedText(value))
	}
	if _, zero := c.field.ValueOf(background, reflect.ValueOf(row)); zero && c.field.HasDefaultValue {
		return nil, fmt.Errorf("gorm would store the default of the column instead of %s: remove the default from the tag",
			storedText(value))
	}
	return arg, nil
}

// numbers reports whether the states are stored as numbers.
func (c *stateColumn) numbers() bool {
	for _, arg := range c.args {
		switch arg.(type) {
		case int64, uint64:
			return true
		}
		return false
	}
	return false
}

func wantsNumber(f *schema.Field) bool {
	zero := reflect.Zero(f.IndirectFieldType)
	return zero.CanInt() || zero.CanUint()
}

// values are what stands for each state, a string or an int64 for all of them.
func (n stateNames) values() (map[State]any, []error) {
	var mistakes []error
	mistake := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	values, owners := map[State]any{}, map[any]State{}
	var texts, numbers []State
	for _, s := range slices.Sorted(maps.Keys(n.stored)) {
		if !slices.Contains(n.states, s) {
			mistake("Stored: the machine has no state %q", s)
		}
	}
	for _, s := range n.states {
		var value any = string(s)
		if given, ok := n.stored[s]; ok {
			var err error
			if value, err = storable(given); err != nil {
				mistake("Stored: state %q: %w", s, err)
				continue
			}
		}
		if other, taken := owners[value]; taken {
			mistake("Stored: states %q and %q are both stored as %s", other, s, storedText(value))
		}
		values[s], owners[value] = value, s
		if _, isText := value.(string); isText {
			texts = append(texts, s)
		} else {
			numbers = append(numbers, s)
		}
	}
	if len(texts) > 0 && len(numbers) > 0 {
		mistake("Stored: some states are stored as numbers, such as %q, and some as text, such as %q (a state without an "+
			"entry is stored under its own name): "+
			"give all of them numbers, or all of them text", numbers[0], texts[0])
	}
	return values, mistakes
}

// storable is a value of Definition.Stored as a string or an int64.
func storable(value any) (any, error) {
	v := reflect.ValueOf(value)
	switch {
	case !v.IsValid():
		return nil, errors.New("nil is no value: want a string or an integer")
	case v.Kind() == reflect.String:
		if text := v.String(); strings.TrimRight(text, " ") != text {
			return nil, fmt.Errorf("%q ends with a space, which columns such as CHAR and ENUM do not keep", text)
		}
		return v.String(), nil
	case v.CanInt():
		return v.Int(), nil
	case v.CanUint() && v.Uint() <= 1<<63-1:
		return int64(v.Uint()), nil
	}
	return nil, fmt.Errorf("%v, a %T, is neither a string nor an integer of 64 bits", value, value)
}

func storedText(value any) string {
	switch v := value.(type) {
	case nil:
		return "NULL"
	case string:
		return strconv.Quote(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return fmt.Sprintf("%v (a %T)", value, value)
}

// of is the state of a row. What stands for no state of the machine comes back as a text that is the name of none.
func (c *stateColumn) of(row any) State {
	v := valueOf(row, c.field)
	if c.plain {
		return State(v.String())
	}
	value, err := held(v)
	if err != nil {
		return State(err.Error())
	}
	back := plainValue(value)
	if s, known := c.states[back]; known {
		return s
	}
	return State(storedText(back))
}

// read is the state for what was read from the column as text; false if it is none of the machine's.
func (c *stateColumn) read(text string, null bool) (State, bool) {
	if null {
		return State(storedText(nil)), false
	}
	if s, known := c.states[text]; known {
		return s, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if s, known := c.states[n]; known {
			return s, true
		}
	}
	if c.plain {
		return State(text), false
	}
	return State(strconv.Quote(text)), false
}

// arg is what the database is given for a state. Whoever calls knows that the machine has it.
func (c *stateColumn) arg(s State) driver.Value {
	if arg, known := c.args[s]; known {
		return arg
	}
	return string(s)
}

func (c *stateColumn) set(row any, s State) error {
	v := made(row, c.field)
	if c.plain {
		v.SetString(string(s))
		return nil
	}
	return hold(v, c.args[s])
}

// strange says what is wrong with a row that is in no state of the machine.
func (c *stateColumn) strange(row any) error {
	if c.plain {
		return fmt.Errorf("the row is in state %q, which the machine does not have", c.of(row))
	}
	return fmt.Errorf("column %s holds %s, which stands for no state of the machine: its states are stored as %s",
		c.field.DBName, c.of(row), strings.Join(c.texts, ", "))
}
