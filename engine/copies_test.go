package engine_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// till has a column of each kind whose memory a plain copy of the row shares.
type till struct {
	ID      string  `gorm:"primaryKey;size:64" engine:"id"`
	Status  *string `gorm:"<-:create;size:16" engine:"state"`
	Version int64   `gorm:"<-:create" engine:"version"`

	Paid    *int64
	Raw     []byte
	Doc     json.RawMessage
	Digits  tillDigits            `gorm:"type:varbinary(64)"`
	Digest  *tillDigits           `gorm:"type:varbinary(64)"`
	Null    sql.Null[*tillDigits] `gorm:"serializer:json;type:varchar(64)"`
	Counts  map[string]int        `gorm:"serializer:json"`
	Lines   []tillLine            `gorm:"serializer:json"`
	Fixed   [2][]int              `gorm:"serializer:json"`
	Any     map[string]any        `gorm:"serializer:json"`
	Whole   *big.Int              `gorm:"serializer:json"`
	Tree    tillTree              `gorm:"serializer:json"`
	Gob     *tillLine             `gorm:"serializer:gob;type:blob"`
	Secret  tillSecret            `gorm:"serializer:json"`
	Mixed   tillMixed             `gorm:"serializer:json"`
	Inner   tillInner             `gorm:"embedded;embeddedPrefix:inner_"`
	Outer   *tillInner            `gorm:"embedded;embeddedPrefix:outer_"`
	Address netip.Addr            `gorm:"serializer:json"`
	At      *time.Time            `gorm:"precision:6"`
}

type (
	tillLine  struct{ Counts []int }
	tillTree  struct{ Kids []*tillTree }
	tillInner struct {
		Sum  int64
		Paid *int64
	}
	// tillMixed has a part that cannot be copied and is not stored.
	tillMixed struct {
		Counts []int
		Notify func() `json:"-"`
	}
	// tillDigits keeps what it shares to itself, as decimals do.
	tillDigits struct{ n *big.Int }
	// tillSecret has JSON of its own.
	tillSecret struct{ counts []int }
)

func (d tillDigits) Value() (driver.Value, error) {
	if d.n == nil {
		return "0", nil
	}
	return d.n.String(), nil
}

func (d *tillDigits) Scan(src any) error {
	if b, is := src.([]byte); is {
		src = string(b)
	}
	n, ok := new(big.Int).SetString(fmt.Sprint(src), 10) // SQLite gives an integer
	if !ok {
		return fmt.Errorf("%v is no number", src)
	}
	d.n = n
	return nil
}

func (d tillDigits) MarshalJSON() ([]byte, error) { return json.Marshal(d.n) }

func (d *tillDigits) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &d.n) }

func (d *tillDigits) add() {
	if d.n == nil {
		d.n = new(big.Int)
	}
	d.n.Add(d.n, big.NewInt(1))
}

func (s tillSecret) MarshalJSON() ([]byte, error)  { return json.Marshal(s.counts) }
func (s *tillSecret) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &s.counts) }

// tillColumns are what a Set writes in each column, in place, and how often it has done so.
var tillColumns = map[string]struct {
	write func(*till)
	count func(*till) int
}{
	"pointer":            {func(r *till) { *r.Paid++ }, func(r *till) int { return int(*r.Paid) }},
	"bytes":              {func(r *till) { r.Raw[0]++ }, func(r *till) int { return int(r.Raw[0]) }},
	"raw JSON":           {func(r *till) { r.Doc[0]++ }, func(r *till) int { return int(r.Doc[0] - '0') }},
	"opaque":             {func(r *till) { r.Digits.add() }, func(r *till) int { return int(r.Digits.n.Int64()) }},
	"pointer to opaque":  {func(r *till) { r.Digest.add() }, func(r *till) int { return int(r.Digest.n.Int64()) }},
	"null of opaque":     {func(r *till) { r.Null.V.add() }, func(r *till) int { return int(r.Null.V.n.Int64()) }},
	"map":                {func(r *till) { r.Counts["n"]++ }, func(r *till) int { return r.Counts["n"] }},
	"slice in a slice":   {func(r *till) { r.Lines[0].Counts[0]++ }, func(r *till) int { return r.Lines[0].Counts[0] }},
	"slices in an array": {func(r *till) { r.Fixed[1][0]++ }, func(r *till) int { return r.Fixed[1][0] }},
	"map of anything": {
		func(r *till) { r.Any["list"].([]any)[0] = r.Any["list"].([]any)[0].(float64) + 1 },
		func(r *till) int { return int(r.Any["list"].([]any)[0].(float64)) },
	},
	"big number": {func(r *till) { r.Whole.Add(r.Whole, big.NewInt(1)) }, func(r *till) int { return int(r.Whole.Int64()) }},
	"tree": {
		func(r *till) { r.Tree.Kids[0].Kids = append(r.Tree.Kids[0].Kids, &tillTree{}) },
		func(r *till) int { return len(r.Tree.Kids[0].Kids) },
	},
	"gob":                         {func(r *till) { r.Gob.Counts[0]++ }, func(r *till) int { return r.Gob.Counts[0] - 1 }},
	"JSON of its own":             {func(r *till) { r.Secret.counts[0]++ }, func(r *till) int { return r.Secret.counts[0] }},
	"beside a func":               {func(r *till) { r.Mixed.Counts[0]++ }, func(r *till) int { return r.Mixed.Counts[0] }},
	"pointer in an embedded":      {func(r *till) { *r.Inner.Paid++ }, func(r *till) int { return int(*r.Inner.Paid) }},
	"embedded pointer":            {func(r *till) { r.Outer.Sum++ }, func(r *till) int { return int(r.Outer.Sum) }},
	"pointer behind an embedded":  {func(r *till) { *r.Outer.Paid++ }, func(r *till) int { return int(*r.Outer.Paid) }},
	"pointer to a time":           {func(r *till) { *r.At = r.At.Add(time.Hour) }, func(r *till) int { return int(r.At.Sub(tillStart).Hours()) }},
	"address, which is no memory": {func(r *till) { r.Address = r.Address.Next() }, func(r *till) int { return int(r.Address.As4()[3]) }},
}

var tillStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newTill(id string) *till {
	zero := func() *int64 { return new(int64) }
	at := tillStart
	return &till{
		ID: id, Paid: zero(), Raw: []byte{0}, Doc: json.RawMessage("0"),
		Digits: tillDigits{new(big.Int)}, Digest: &tillDigits{new(big.Int)},
		Null:   sql.Null[*tillDigits]{V: &tillDigits{new(big.Int)}, Valid: true},
		Counts: map[string]int{"n": 0}, Lines: []tillLine{{Counts: []int{0}}}, Fixed: [2][]int{nil, {0}},
		Any: map[string]any{"list": []any{float64(0)}}, Whole: new(big.Int), Tree: tillTree{Kids: []*tillTree{{}}},
		Gob: &tillLine{Counts: []int{1}}, Secret: tillSecret{counts: []int{0}}, Mixed: tillMixed{Counts: []int{0}},
		Inner: tillInner{Paid: zero()}, Outer: &tillInner{Paid: zero()},
		Address: netip.MustParseAddr("10.0.0.0"), At: &at,
	}
}

// Whatever a Set writes in place is stored, and stays where it belongs: what a refused Set, a guard or a dry run has
// written is dropped, the next request of a batch sees what the one before it has left, and Create's caller keeps its
// memory to itself.
func TestWhatASetWritesInPlaceIsStored(t *testing.T) {
	for _, exclusive := range []bool{false, true} {
		t.Run(fmt.Sprint("exclusive=", exclusive), func(t *testing.T) {
			enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { writeInPlace(t, db, exclusive) })
		})
	}
}

type tillWrite struct {
	Column string
	Refuse bool
}

func tillMachine(t *testing.T, exclusive bool) *engine.Machine[till] {
	t.Helper()
	write := func(c engine.Call[till, tillWrite]) { tillColumns[c.Input.Column].write(c.Subject) }
	m, err := engine.NewMachine(engine.Definition[till]{
		Name: "till", Exclusive: exclusive,
		Events: map[engine.Event]engine.Spec{"make": {Input: tillWrite{}}, "add": {Input: tillWrite{}, Repeatable: true}},
		Edges: []engine.Edge[till]{
			{Event: "make", To: "open", Actions: []engine.Action[till]{
				engine.Set("begin", func(c engine.Call[till, tillWrite], _ *engine.Effects) error { write(c); return nil }),
			}},
			{
				Event: "add", From: []engine.State{"open"}, To: "open",
				Guards: []engine.Guard[till]{
					engine.Check("meddle", func(c engine.Call[till, tillWrite]) error { write(c); return nil }),
				},
				Actions: []engine.Action[till]{
					engine.Set("write", func(c engine.Call[till, tillWrite], _ *engine.Effects) error { write(c); return nil }),
					engine.Set("refuse", func(c engine.Call[till, tillWrite], _ *engine.Effects) error {
						if c.Input.Refuse {
							return engine.Refuse("as asked")
						}
						return nil
					}),
				},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeInPlace(t *testing.T, db *gorm.DB, exclusive bool) {
	if err := db.AutoMigrate(&till{}); err != nil {
		t.Fatal(err)
	}
	m := tillMachine(t, exclusive)
	e, err := engine.New(db, engine.Config{}, m)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, e)
	for name, column := range tillColumns {
		row := newTill(name)
		mine := *row
		if _, err := engine.Create(t.Context(), e, row, engine.Request{Machine: "till", Input: tillWrite{Column: name}}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := column.count(row); n != 1 {
			t.Errorf("%s: Create gives a row with %d writes, want 1", name, n)
		}
		// An address is no memory, and Create changes what is in the row itself.
		if n := column.count(&mine); n != 0 && name != "embedded pointer" {
			t.Errorf("%s: %d writes reached what the caller had put into its row", name, n)
		}
		for i, w := range []tillWrite{{name, true}, {name, false}, {name, true}, {name, false}} {
			r := tillRequest(name, i, w)
			r.DryRun = w.Refuse && i > 0
			if result, _ := e.Apply(t.Context(), r); (result.Outcome == engine.Applied) == w.Refuse {
				t.Fatalf("%s: request %d: %v", name, i, result.Err())
			}
		}
		var all []engine.Request
		for i, refuse := range []bool{true, false, false, true, false} {
			all = append(all, tillRequest(name, 10+i, tillWrite{name, refuse}))
		}
		for i, r := range e.ApplyAll(t.Context(), all) {
			if (r.Outcome == engine.Applied) != (i == 1 || i == 2 || i == 4) {
				t.Fatalf("%s: request %d of the batch: %v", name, i, r.Err())
			}
		}
		stored, err := engine.Load[till](t.Context(), e, "till", name)
		if err != nil {
			t.Fatal(err)
		}
		if n := column.count(stored); n != 6 {
			t.Errorf("%s: %d writes are stored, want 6", name, n)
		}
	}
	clean(t, db, m)
}

func tillRequest(id string, n int, w tillWrite) engine.Request {
	return engine.Request{
		Machine: "till", ID: id, Event: "add", Input: w,
		Key: engine.Key{Source: "principal:a", Seq: strings.ReplaceAll(id, " ", "-") + fmt.Sprint(n)},
	}
}

type (
	uncopiedHandle struct{ n *int }
	uncopied       struct {
		HookBase
		Queue  uncopiedValuer  `gorm:"->:false;<-;size:8"`
		Handle *uncopiedHandle `gorm:"serializer:json"`
	}
	// uncopiedValuer can be stored and not read.
	uncopiedValuer struct{ c chan int }
	// anythingRow holds what its serializer makes of it.
	anythingRow struct {
		HookBase
		Any   any      `gorm:"serializer:json"`
		Tree  tillTree `gorm:"serializer:json"`
		Names byteName `gorm:"type:varchar(64)"`
	}
	// byteName scans bytes only, although its Value is a string, as MySQL's driver allows.
	byteName struct{ letters map[rune]bool }
)

func (v uncopiedValuer) Value() (driver.Value, error) { return fmt.Sprint(cap(v.c)), nil }

func (h *uncopiedHandle) MarshalJSON() ([]byte, error) { return json.Marshal(h.n) }

func (n byteName) Value() (driver.Value, error) {
	if len(n.letters) == 0 {
		return nil, nil
	}
	return string(slices.Sorted(maps.Keys(n.letters))), nil
}

func (n *byteName) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("want bytes, not a %T", src)
	}
	n.letters = map[rune]bool{}
	for _, r := range string(b) {
		n.letters[r] = true
	}
	return nil
}

func TestAColumnThatCannotBeCopiedIsRefused(t *testing.T) {
	_, err := hookedMachine[uncopied](false)
	if err == nil || !strings.Contains(err.Error(), "field Queue: a engine_test.uncopiedValuer cannot be copied") ||
		!strings.Contains(err.Error(), "give its type methods Value and Scan") || strings.Contains(err.Error(), "Handle") {
		t.Error(err)
	}
}

// What goes round in a circle, or fails to be stored, is an error of its request. What a scan knows only in another
// form is given in that.
func TestWhatCannotBeCopiedAfterAllIsToldToItsRequest(t *testing.T) {
	db := enginetest.MySQL(t)
	if err := db.AutoMigrate(&anythingRow{}); err != nil {
		t.Fatal(err)
	}
	m, err := hookedMachine[anythingRow](false)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, m)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, e)
	circle := &tillTree{}
	circle.Kids = []*tillTree{circle}
	for name, row := range map[string]*anythingRow{"tree": {Tree: *circle}, "any": {Any: circle}, "chan": {Any: make(chan int)}} {
		row.ID = name
		if r, err := engine.Create(t.Context(), e, row, engine.Request{Machine: "hooked"}); err == nil {
			t.Errorf("%s: %v", name, r.Outcome)
		}
	}
	row := &anythingRow{Any: big.NewFloat(1.5), Names: byteName{map[rune]bool{'a': true, 'b': true}}}
	row.ID = "fine"
	if _, err := engine.Create(t.Context(), e, row, engine.Request{Machine: "hooked"}); err != nil {
		t.Fatal(err)
	}
	if !row.Names.letters['b'] || fmt.Sprint(row.Any) != "1.5" {
		t.Errorf("%+v", row)
	}
	clean(t, db, m)
}
