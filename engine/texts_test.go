package engine_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/batch"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/locked"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/timer"
	"example.com/orderd/engine/txn"
)

type (
	textRow struct {
		ID      string       `gorm:"primaryKey;size:64" engine:"id"`
		Status  engine.State `gorm:"<-:create;size:32" engine:"state"`
		Version int64        `gorm:"<-:create" engine:"version"`
		Number  *string      `gorm:"size:64;uniqueIndex"`
	}
	textModel struct {
		gorm.Model
		Status  string
		Version int64
	}
	textPay   struct{ Amount int64 }
	textOther struct{ Amount int64 }
)

func textDefinition() engine.Definition[textRow] {
	return engine.Definition[textRow]{
		Name: "parcel",
		Events: map[engine.Event]engine.Spec{
			"place": {}, "pay": {Input: textPay{}}, "ship": {}, "note": {Repeatable: true}, "ring": {CountsOther: true},
		},
		Edges: []engine.Edge[textRow]{
			{Event: "place", To: "placed"},
			{Event: "pay", From: []engine.State{"placed"}, To: "paid"},
			{Event: "note", From: []engine.State{"placed"}, To: "placed"},
			{Event: "ship", From: []engine.State{"paid"}, To: "shipped"},
			{Event: "ring", From: []engine.State{"shipped"}, To: "rung"},
		},
	}
}

// mistake is what somebody does wrong, and what the error has to say.
type mistake struct {
	name string
	do   func() error
	says []string
	is   error // may be nil
}

// tell makes each mistake and holds its error to what it should say. No text may have a hole: two spaces, a colon
// behind nothing.
func tell(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			err := m.do()
			if err == nil {
				t.Fatal("no error")
			}
			text := err.Error()
			for _, want := range m.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q\ndoes not say %q", text, want)
				}
			}
			for _, hole := range []string{" :", "  ", "::", ": :", "0x"} {
				if strings.Contains(text, hole) || strings.HasPrefix(text, ":") {
					t.Errorf("%q has a hole or an address", text)
				}
			}
			if m.is != nil && !errors.Is(err, m.is) {
				t.Errorf("%q does not match %q", text, m.is)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestConstructionSaysWhatToWriteInstead(t *testing.T) {
	ctx := context.Background()
	machine, err := engine.NewMachine(textDefinition())
	if err != nil {
		t.Fatal(err)
	}
	empty, err := sqlitedb.Open(filepath.Join(t.TempDir(), "empty.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = must(empty.DB()).Close() })
	db := enginetest.SQLite(t)
	one := func(db *gorm.DB, m ...engine.AnyMachine) error { return second(engine.New(db, engine.Config{}, m...)) }
	var none *engine.Machine[textRow]
	notOpen, noMachine := []string{"nil or not open", "sqlitedb.Open"}, []string{"a machine is nil", "NewMachine"}
	notInstalled := []string{"the tables of engine are not installed", "Migrate"}
	misspelt := textDefinition()
	misspelt.Edges[1].Event = "payy"
	tell(t, []mistake{
		{name: "gorm.Model without tags", do: func() error {
			return second(engine.NewMachine(engine.Definition[textModel]{
				Name: "m", Events: map[engine.Event]engine.Spec{"a": {}}, Edges: []engine.Edge[textModel]{{Event: "a", To: "b"}},
			}))
		}, says: []string{`engine:"state"`, `engine:"version"`, "tag one, such as"}},
		{name: "a row that is no struct", do: func() error {
			return second(engine.NewMachine(engine.Definition[int]{
				Name: "m", Events: map[engine.Event]engine.Spec{"a": {}}, Edges: []engine.Edge[int]{{Event: "a", To: "b"}},
			}))
		}, says: []string{"row type int: it must be the struct"}},
		{name: "a pointer to the row", do: func() error {
			return second(engine.NewMachine(engine.Definition[*textRow]{
				Name: "m", Events: map[engine.Event]engine.Spec{"a": {}}, Edges: []engine.Edge[*textRow]{{Event: "a", To: "b"}},
			}))
		}, says: []string{"it must be the struct", "no pointer"}},
		{name: "an edge with a misspelt event", do: func() error { return second(engine.NewMachine(misspelt)) },
			says: []string{`event "payy" of an edge is not declared in Events`, `did you mean "pay"?`}},
		{name: "no handle", do: func() error { return one(nil, machine) }, says: notOpen},
		{name: "a handle that is not open", do: func() error { return one(&gorm.DB{}, machine) }, says: notOpen},
		{name: "Migrate without a handle", do: func() error { return engine.Migrate(ctx, nil) }, says: notOpen},
		{name: "Inspect without a handle", do: func() error { return second(engine.Inspect(ctx, nil, machine)) }, says: notOpen},
		{name: "TableOf without a handle", do: func() error { return second(engine.TableOf(nil, machine)) }, says: notOpen},
		{name: "AddVersion without a handle", do: func() error { return engine.AddVersion(ctx, nil, machine) }, says: notOpen},
		{name: "CheckDatabase without a handle", do: func() error { return second(engine.CheckDatabase(ctx, nil)) }, says: notOpen},
		{name: "New without Migrate", do: func() error { return one(empty, machine) }, says: notInstalled},
		{name: "a relay without Migrate", do: func() error { return second(outbox.NewRelay(ctx, empty, outbox.Config{})) }, says: notInstalled},
		{name: "timers without Migrate", do: func() error {
			return second(timer.New(ctx, empty, batchless{}, timer.Config{}))
		}, says: notInstalled},
		{name: "tokens without Migrate", do: func() error { return second(once.NewTokens(ctx, empty, 0, once.Config{})) }, says: []string{"engine.Migrate"}},
		{name: "an inbox without Migrate", do: func() error { return second(once.NewInbox(ctx, empty, "a", once.Config{})) }, says: []string{"engine.Migrate"}},
		{name: "jobs without Migrate", do: func() error { return second(once.NewJobs(ctx, empty, once.Config{})) }, says: []string{"engine.Migrate"}},
		{name: "no table", do: func() error { return one(db, machine) }, says: []string{"table text_rows", "does not exist", "db.AutoMigrate"}},
		{name: "AddVersion without a table", do: func() error { return engine.AddVersion(ctx, db, machine) }, says: []string{"text_rows does not exist", "create it"}},
		{name: "no machine", do: func() error { return one(db, nil) }, says: noMachine},
		{name: "a machine that NewMachine refused", do: func() error { return one(db, none) }, says: noMachine},
		{name: "a machine of nobody", do: func() error { return one(db, &engine.Machine[textRow]{}) }, says: noMachine},
		{name: "Inspect without a machine", do: func() error { return second(engine.Inspect(ctx, db, none)) }, says: noMachine},
		{name: "TableOf without a machine", do: func() error { return second(engine.TableOf(db, none)) }, says: noMachine},
		{name: "AddVersion without a machine", do: func() error { return engine.AddVersion(ctx, db, none) }, says: noMachine},
		{name: "settings out of bounds", do: func() error {
			return second(engine.New(db, engine.Config{Tries: 200, Settle: -1}, machine))
		}, says: []string{"engine.Config.Settle is negative", "engine.Config.Tries is more than 100"}},
		{name: "a batcher in front of nothing", do: func() error { return second(batch.New(nil, batch.Config{})) }, says: []string{"the Applier is nil"}},
		{name: "timers in front of nothing", do: func() error { return second(timer.New(ctx, db, nil, timer.Config{})) }, says: []string{"the Applier is nil"}},
		{name: "a lock in front of nothing", do: func() error {
			return second(locked.New(nil, nil, locked.Config{}).Apply(ctx, engine.Request{Machine: "parcel", ID: "1", Event: "pay"}))
		}, says: []string{"the Applier or the Locker is nil"}},
		{name: "a sink that is nil", do: func() error { return second(outbox.NewRelay(ctx, db, outbox.Config{}, nil)) }, says: []string{"sink 1 of 1 is nil"}},
		{name: "a transaction of nothing", do: func() error { return txn.Run(ctx, db, nil) }, says: []string{"the function is nil"}},
	})
	if err := db.AutoMigrate(&textRow{}); err != nil {
		t.Fatal(err)
	}
	tell(t, []mistake{{name: "the same machine twice", do: func() error { return one(db, machine, machine) }, says: []string{`two machines are called "parcel"`, "give each once"}}})
}

// batchless answers nothing.
type batchless struct{ engine.Applier }

func TestRequestsSayWhatToWriteInstead(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		ctx := t.Context()
		machine, err := engine.NewMachine(textDefinition())
		if err != nil {
			t.Fatal(err)
		}
		if err := db.AutoMigrate(&textRow{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, machine)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		number, other := "N1", "N2"
		create := func(row *textRow, r engine.Request) error {
			r.Machine = "parcel"
			return second(engine.Create(ctx, e, row, r))
		}
		apply := func(r engine.Request) error { return second(e.Apply(ctx, r)) }
		of := func(id string, event engine.Event, input any) engine.Request {
			return engine.Request{Machine: "parcel", ID: id, Event: event, Input: input}
		}
		key := engine.Key{Source: "principal:1", Seq: "1"}
		if err := create(&textRow{ID: "1", Number: &number}, engine.Request{Key: key}); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("INSERT INTO text_rows (id, status, version) VALUES ('old', 'placed', 0), ('odd', 'weird', 0)").Error; err != nil {
			t.Fatal(err)
		}
		keyed := of("1", "pay", nil)
		keyed.Key = key
		pinned := of("1", "pay", nil)
		pinned.IfState = "plcaed"
		half, otherHalf := of("1", "pay", nil), of("1", "pay", nil)
		half.Key.Seq, otherHalf.Key.Source = "1", "a"
		unknown := []string{`"parcels" was not given to engine.New`, `did you mean "parcel"?`}
		want := []string{"but the event takes a engine_test.textPay", "json.RawMessage"}
		tell(t, []mistake{
			{name: "Create without a row", do: func() error { return create(nil, engine.Request{}) }, says: []string{"parcel: Row is nil"}, is: engine.ErrBadRequest},
			{name: "Create without an engine", do: func() error {
				return second(engine.Create(ctx, nil, &textRow{ID: "x"}, engine.Request{Machine: "parcel"}))
			}, says: []string{"Applier is nil", "Engine"}, is: engine.ErrBadRequest},
			{name: "Create without an id", do: func() error { return create(&textRow{}, engine.Request{}) },
				says: []string{"parcel: place: ID is empty: set field ID of the row", "BeforeCreate"}, is: engine.ErrBadRequest},
			{name: "Create with another id", do: func() error { return create(&textRow{ID: "a"}, engine.Request{ID: "b"}) }, says: []string{"leave ID empty"}, is: engine.ErrBadRequest},
			{name: "Create with a row of another type", do: func() error {
				return second(engine.Create(ctx, e, &textModel{}, engine.Request{Machine: "parcel"}))
			}, says: []string{"Row is a *engine_test.textModel", "rows are *engine_test.textRow"}, is: engine.ErrBadRequest},
			{name: "Create with an event that does not", do: func() error { return create(&textRow{ID: "a"}, engine.Request{Event: "pay"}) },
				says: []string{`"pay" does not create a parcel`, "Apply"}, is: engine.ErrBadRequest},
			{name: "Create with a taken id", do: func() error { return create(&textRow{ID: "1", Number: &other}, engine.Request{}) },
				says: []string{"conflict/input_differs", "a row with this id exists", "take a new id"}, is: engine.ErrConflict},
			{name: "Create over a row of old", do: func() error { return create(&textRow{ID: "old"}, engine.Request{}) }, says: []string{"a row with this id exists", "take a new id"}},
			{name: "Create with a taken number", do: func() error { return create(&textRow{ID: "2", Number: &number}, engine.Request{}) },
				says: []string{"parcel 2: place: write: the unique key", "number", "is taken"}},
			{name: "CreateTx without a row", do: func() error {
				return db.Transaction(func(tx *gorm.DB) error {
					return second(engine.CreateTx[textRow](ctx, e, tx, nil, engine.Request{Machine: "parcel"}))
				})
			}, says: []string{"Row is nil"}, is: engine.ErrBadRequest},
			{name: "CreateTx with a taken number", do: func() error {
				return db.Transaction(func(tx *gorm.DB) error {
					return second(engine.CreateTx(ctx, e, tx, &textRow{ID: "2", Number: &number}, engine.Request{Machine: "parcel"}))
				})
			}, says: []string{"the unique key", "number", "is taken"}},
			{name: "an empty request", do: func() error { return apply(engine.Request{}) }, says: []string{"Machine is empty", "known: parcel"}, is: engine.ErrBadRequest},
			{name: "no id", do: func() error { return apply(of("", "pay", nil)) }, says: []string{"parcel: pay: ID is empty"}, is: engine.ErrBadRequest},
			{name: "no event", do: func() error { return apply(of("1", "", nil)) }, says: []string{"Request.Event is empty", "known: note, pay, place, ring, ship"}, is: engine.ErrIllegal},
			{name: "a misspelt event", do: func() error { return apply(of("1", "Shipp", nil)) }, says: []string{"illegal/unknown_event", `did you mean "ship"?`}, is: engine.ErrIllegal},
			{name: "an event like none", do: func() error { return apply(of("1", "teleport", nil)) }, says: []string{"the machine has no such event: known: note, pay"}},
			{name: "an event longer than any", do: func() error { return apply(of("1", engine.Event(strings.Repeat("x", 5000)), nil)) }, says: []string{`xx"…`, "known: note"}},
			{name: "an event with control characters", do: func() error { return apply(of("1", "a\x1bb", nil)) }, says: []string{`"a\x1bb"`}},
			{name: "a misspelt machine", do: func() error { return apply(engine.Request{Machine: "parcels", ID: "1", Event: "pay"}) }, says: unknown, is: engine.ErrBadRequest},
			{name: "a creating event without Create", do: func() error { return apply(of("7", "place", nil)) }, says: []string{"not_found", "engine.Create"}, is: engine.ErrNotFound},
			{name: "input of another type", do: func() error { return apply(of("1", "pay", textOther{3})) }, says: want, is: engine.ErrBadRequest},
			{name: "a nil pointer as input", do: func() error { return apply(of("1", "pay", (*textPay)(nil))) }, says: append(want, "is a nil *"), is: engine.ErrBadRequest},
			{name: "JSON in a string", do: func() error { return apply(of("1", "pay", `{"Amount":3}`)) }, says: want, is: engine.ErrBadRequest},
			{name: "input that is not taken", do: func() error { return apply(of("1", "ship", 3)) }, says: []string{"leave it nil", "Spec.Input"}, is: engine.ErrBadRequest},
			{name: "half a key", do: func() error { return apply(half) }, says: []string{"Key.Source must be", "such as principal:42"}, is: engine.ErrBadRequest},
			{name: "the other half", do: func() error { return apply(otherHalf) }, says: []string{"Key.Seq must be", "number for the request"}, is: engine.ErrBadRequest},
			{name: "no identity", do: func() error { return apply(of("1", "note", nil)) }, says: []string{"identity_required", "Request.Key", "IfVersion"}, is: engine.ErrIllegal},
			{name: "a reused key", do: func() error { return apply(keyed) }, says: []string{"key_reused", "a new request takes a new key"}, is: engine.ErrConflict},
			{name: "a pinned state that is none", do: func() error { return apply(pinned) }, says: []string{"stale/version", `no state "plcaed"`, `did you mean "placed"?`}, is: engine.ErrStale},
			{name: "a row in no state", do: func() error { return apply(of("odd", "pay", nil)) }, says: []string{`"weird"`}},
			{name: "Adopt of no machine", do: func() error { return second(e.Adopt(ctx, "parcels", 10)) }, says: unknown, is: engine.ErrBadRequest},
			{name: "Adopt of fewer than none", do: func() error { return second(e.Adopt(ctx, "parcel", -1)) }, says: []string{"Limit is negative", "AdoptAll"}, is: engine.ErrBadRequest},
			{name: "Load from no machine", do: func() error { return second(engine.Load[textRow](ctx, e, "parcels", "1")) }, says: unknown, is: engine.ErrBadRequest},
			{name: "Load into another type", do: func() error { return second(engine.Load[textModel](ctx, e, "parcel", "1")) }, says: []string{"write engine.Load[engine_test.textRow]"}},
			{name: "Load of nobody", do: func() error { return second(engine.Load[textRow](ctx, e, "parcel", "9")) }, says: []string{"parcel 9: not_found"}, is: engine.ErrNotFound},
			{name: "Allowed on no machine", do: func() error { return second(e.Allowed(ctx, "parcels", "1")) }, says: unknown, is: engine.ErrBadRequest},
			{name: "At for nobody", do: func() error { return second(e.At(ctx, "parcel", "9", time.Now())) }, says: []string{"parcel 9: not_found"}, is: engine.ErrNotFound},
			{name: "ByKey without one", do: func() error { return second(e.ByKey(ctx, engine.Key{})) }, says: []string{"Key is empty"}, is: engine.ErrBadRequest},
			{name: "ApplyTx without a handle", do: func() error { return second(e.ApplyTx(ctx, nil, of("1", "pay", nil))) }, says: []string{"nil or not open"}, is: engine.ErrBadRequest},
			{name: "ApplyTx outside of a transaction", do: func() error { return second(e.ApplyTx(ctx, db, of("1", "pay", nil))) },
				says: []string{"in no transaction", "Begin"}, is: engine.ErrBadRequest},
			{name: "InTx outside of an action", do: func() error { return second(engine.InTx(db).Apply(ctx, of("1", "pay", nil))) },
				says: []string{"ApplyTx"}, is: engine.ErrBadRequest},
		})
	})
}
