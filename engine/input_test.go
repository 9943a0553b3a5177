package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// box takes an input of any type with its event "put".
type box struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func boxMachine(input any) (*engine.Machine[box], error) {
	return engine.NewMachine(engine.Definition[box]{
		Name: "box", Events: map[engine.Event]engine.Spec{"make": {}, "put": {Input: input, Repeatable: true}},
		Edges: []engine.Edge[box]{{Event: "make", To: "made"}, {Event: "put", From: []engine.State{"made"}, To: "made"}},
	})
}

type (
	raw      json.RawMessage
	inner    struct{ Data any }
	embedded struct{ inner }
	list     struct {
		Next *list
		Rest json.RawMessage
	}
	hidden   struct{ amount int64 } //nolint:unused // that nothing of it is told is the point
	rawAsOwn struct {
		json.RawMessage
		Amount int
	}
	timeAsOwn struct {
		time.Time
		Amount int
	}
	stringer struct{ Value fmt.Stringer }
	// ownJSON hides an any behind JSON of its own.
	ownJSON struct{ value any }
)

func (o ownJSON) MarshalJSON() ([]byte, error)     { return json.Marshal(fmt.Sprint(o.value)) }
func (o *ownJSON) UnmarshalJSON(text []byte) error { o.value = string(text); return nil }

func TestAnInputWithoutAFixedTypeIsRefused(t *testing.T) {
	for _, c := range []struct {
		input any
		want  string
	}{
		{json.RawMessage{}, "it is a json.RawMessage"},
		{map[string]any{}, "[] is of the interface type interface {}"},
		{[]any{}, "[] is of the interface type interface {}"},
		{new(any), "it is of the interface type interface {}"},
		{inner{}, "Data is of the interface type interface {}"},
		{&inner{}, "Data is of the interface type interface {}"},
		{embedded{}, "inner.Data is of the interface type interface {}"},
		{struct{ All []map[string]*inner }{}, "All[][].Data is of the interface type interface {}"},
		{struct{ Two [2]*json.RawMessage }{}, "Two[] is a json.RawMessage"},
		{list{}, "Rest is a json.RawMessage"},
		{stringer{}, "Value is of the interface type fmt.Stringer"},
		{struct{ Err error }{}, "Err is of the interface type error"},
		{rawAsOwn{}, "takes its MarshalJSON from an embedded json.RawMessage"},
		{struct{ json.Marshaler }{}, "takes its MarshalJSON from an embedded json.Marshaler"},
		{timeAsOwn{}, "takes its MarshalJSON from an embedded time.Time"},
		{struct{ At *timeAsOwn }{}, "At takes its MarshalJSON from an embedded time.Time"},
		{hidden{}, "of which JSON tells nothing"},
		{struct{ Price hidden }{}, "Price is a engine_test.hidden, of which JSON tells nothing"},
		{struct{ Price map[string]big.Int }{}, "of which JSON tells nothing"}, // its methods need a pointer
		{struct{ F func() }{}, "F is a func(), which JSON has not"},
		{struct{ C chan int }{}, "C is a chan int, which JSON has not"},
		{struct{ C complex128 }{}, "C is a complex128, which JSON has not"},
		{struct{ M map[bool]string }{}, "M has keys that JSON has not: bool"},
		{struct{ M map[any]string }{}, "M has keys that JSON has not"},
	} {
		_, err := boxMachine(c.input)
		if err == nil || !strings.Contains(err.Error(), `input of event "put": `) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: want %q, got %v", c.input, c.want, err)
		}
	}
	_, err := boxMachine(struct {
		A any
		B []json.RawMessage
	}{})
	if err == nil || !strings.Contains(err.Error(), "A is of the interface") || !strings.Contains(err.Error(), "B[] is a json.RawMessage") {
		t.Errorf("not all at once: %v", err)
	}
}

type tree struct {
	Leaves []*tree              `json:"leaves"`
	Named  map[string]time.Time `json:"named"`
	At     *time.Time           `json:"at"`
	Two    [2]time.Time         `json:"two"`
	note   string
}

func TestAnInputWithAFixedTypeIsTaken(t *testing.T) {
	for _, input := range []any{
		nil, 1, "", true, 1.5, []byte{}, json.Number(""), time.Time{}, &time.Time{}, big.Int{}, ownJSON{}, &tree{},
		map[string]int{}, map[int64][]string{}, map[time.Time]bool{}, struct{}{}, raw{},
		struct {
			Kept int
			Not  any `json:"-"`
			own  any
		}{},
		timeAsOwnFixed{}, struct{ T timeAsOwnFixed }{},
	} {
		if _, err := boxMachine(input); err != nil {
			t.Errorf("%T: %v", input, err)
		}
	}
}

// timeAsOwnFixed embeds a type with JSON of its own, but has its own.
type timeAsOwnFixed struct {
	time.Time
	Amount int
}

func (f timeAsOwnFixed) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"%d"`, f.Amount), nil }
func (f *timeAsOwnFixed) UnmarshalJSON([]byte) error  { return nil }

// boxEngine also makes the box "a".
func boxEngine(t *testing.T, db *gorm.DB, input any) *engine.Engine {
	t.Helper()
	if err := db.AutoMigrate(&box{}); err != nil {
		t.Fatal(err)
	}
	m, err := boxMachine(input)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	if err := db.Exec("DELETE FROM boxes").Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("DELETE FROM engine_transitions").Error; err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Create(t.Context(), e, &box{ID: "a"}, engine.Request{Machine: "box"}); err != nil {
		t.Fatal(err)
	}
	return e
}

func put(t *testing.T, e *engine.Engine, input any) (engine.Outcome, engine.Detail) {
	t.Helper()
	r, err := e.Apply(t.Context(), engine.Request{
		Machine: "box", ID: "a", Event: "put", Input: input, Key: engine.Key{Source: "principal:a", Seq: "1"},
	})
	if r.Outcome == "" {
		t.Fatal(err)
	}
	return r.Outcome, r.Detail
}

func TestEqualInputsAreOneRequestAndOthersAreNot(t *testing.T) {
	type numbers struct {
		Exact int64       `json:"exact"`
		Big   big.Int     `json:"big"`
		Said  json.Number `json:"said"`
		Near  float64     `json:"near"`
	}
	const n = `{"exact":9007199254740993,"big":9007199254740993,"said":9007199254740993,"near":0.1}`
	type event struct {
		At    time.Time            `json:"at"`
		Ptr   *time.Time           `json:"ptr"`
		Named map[string]time.Time `json:"named"`
		Rest  []tree               `json:"rest"`
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)
	there := at.In(time.FixedZone("there", 5*3600+1800))
	utc := event{at, &at, map[string]time.Time{"a": at}, []tree{{Leaves: []*tree{{At: &at}}, Two: [2]time.Time{at, at}}}}
	same := event{
		there, &there, map[string]time.Time{"a": there},
		[]tree{{Leaves: []*tree{{At: &there}}, Two: [2]time.Time{there, there}}},
	}
	text, err := json.Marshal(same)
	if err != nil {
		t.Fatal(err)
	}
	later := utc
	later.Rest = []tree{{Leaves: []*tree{{At: &at}}, Two: [2]time.Time{at, at.Add(time.Microsecond)}}}

	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		for _, c := range []struct {
			first       any
			same, other []any
		}{
			{json.RawMessage(n), []any{json.RawMessage(strings.Replace(n, "0.1", "1e-1", 1))}, []any{
				json.RawMessage(strings.Replace(n, `"exact":9007199254740993`, `"exact":9007199254740992`, 1)),
				json.RawMessage(strings.Replace(n, `"big":9007199254740993`, `"big":9007199254740992`, 1)),
				json.RawMessage(strings.Replace(n, `"said":9007199254740993`, `"said":9007199254740992`, 1)),
			}},
			{utc, []any{same, &same, json.RawMessage(text)}, []any{later, event{}}},
		} {
			var typ any = numbers{}
			if _, ok := c.first.(event); ok {
				typ = event{}
			}
			e := boxEngine(t, db, typ)
			if o, _ := put(t, e, c.first); o != engine.Applied {
				t.Fatal(o)
			}
			for _, input := range c.same {
				if o, d := put(t, e, input); o != engine.Already || d != engine.Replayed {
					t.Errorf("%v: %s/%s", input, o, d)
				}
			}
			for _, input := range c.other {
				if o, d := put(t, e, input); o != engine.Conflict || d != engine.KeyReused {
					t.Errorf("%v: %s/%s", input, o, d)
				}
			}
		}
		for _, own := range []time.Time{same.At, *same.Ptr, same.Named["a"], *same.Rest[0].Leaves[0].At, same.Rest[0].Two[1]} {
			if !own.Equal(there) || own.Location() == time.UTC {
				t.Error("the caller's own value was changed")
			}
		}
	})
}

func TestAnInputThatHoldsItselfIsRefused(t *testing.T) {
	db := openSQLite(t)
	e := boxEngine(t, db, tree{})
	circle := &tree{note: "round"}
	circle.Leaves = []*tree{circle, circle}
	_, err := e.Apply(t.Context(), engine.Request{
		Machine: "box", ID: "a", Event: "put", Input: circle, Key: engine.Key{Source: "principal:a", Seq: "1"},
	})
	if !errors.Is(err, engine.ErrBadRequest) {
		t.Errorf("got %v", err)
	}
	if circle.Leaves[1] != circle {
		t.Error("it was changed")
	}
}
