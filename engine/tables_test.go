package engine_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// The states of these tables are stored as their owners stored them before there was an engine.

type shipState int8

type shipTable struct {
	ID      string    `gorm:"primaryKey;size:64" engine:"id"`
	Status  shipState `gorm:"<-:create" engine:"state"`
	Version int64     `gorm:"<-:create" engine:"version"`
}

var shipStates = map[engine.State]any{"open": 0, "sailing": shipState(1), "sunk": uint16(7)}

// enumTable has what old PHP left behind.
type enumTable struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"<-:create;size:32" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
}

var enumStates = map[engine.State]any{"open": "PENDING", "sailing": "途中 In Transit", "sunk": "已付款"}

// coded is a type with a mind of its own: Go sees numbers, the database words.
type coded int

var codedWords = []string{"", "OPEN", "SAILING", "SUNK"}

func (c coded) Value() (driver.Value, error) { return codedWords[c], nil }

func (c *coded) Scan(src any) error {
	text, ok := src.(string)
	if b, is := src.([]byte); is {
		text, ok = string(b), true
	}
	for i, word := range codedWords {
		if ok && word == text {
			*c = coded(i)
			return nil
		}
	}
	return fmt.Errorf("coded: no such word: %v", src)
}

type codedTable struct {
	ID      uint64 `gorm:"primaryKey;autoIncrement:false" engine:"id"`
	Status  coded  `gorm:"<-:create;size:16" engine:"state"`
	Version uint32 `gorm:"<-:create" engine:"version"`
}

var codedStates = map[engine.State]any{"open": "OPEN", "sailing": "SAILING", "sunk": "SUNK"}

type pointerTable struct {
	ID      uuid.UUID `gorm:"primaryKey;type:char(36)" engine:"id"`
	Status  *string   `gorm:"<-:create;size:16" engine:"state"`
	Version int32     `gorm:"<-:create" engine:"version"`
}

type status string

// nullTable could have no state, says its column.
type nullTable struct {
	ID      sql.NullString `gorm:"primaryKey;size:64" engine:"id"`
	Status  sql.NullString `gorm:"<-:create;size:16" engine:"state"`
	Version uint64         `gorm:"<-:create" engine:"version"`
}

type namedTable struct {
	ID      int64  `gorm:"primaryKey;autoIncrement:false" engine:"id"`
	Status  status `gorm:"<-:create;size:16" engine:"state"`
	Version uint   `gorm:"<-:create" engine:"version"`
}

func ships[S any](t testing.TB, name string, stored map[engine.State]any, exclusive bool) *engine.Machine[S] {
	t.Helper()
	m, err := engine.NewMachine(shipsOf[S](name, stored, exclusive))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shipsOf[S any](name string, stored map[engine.State]any, exclusive bool) engine.Definition[S] {
	return engine.Definition[S]{
		Name: name, Stored: stored, Exclusive: exclusive,
		Events: map[engine.Event]engine.Spec{"build": {}, "leave": {}, "turn": {Repeatable: true}, "sink": {}},
		Edges: []engine.Edge[S]{
			{Event: "build", To: "open"},
			{Event: "leave", From: []engine.State{"open"}, To: "sailing"},
			{Event: "turn", From: []engine.State{"sailing"}, To: "sailing"},
			{Event: "sink", From: []engine.State{"sailing"}, To: "sunk"},
		},
	}
}

// fleet is one kind of table.
type fleet struct {
	name string
	ddl  string // for the MySQL family; AutoMigrate where it is empty, and on SQLite
	run  func(t *testing.T, db *gorm.DB, f fleet)
}

func fleets() []fleet {
	return []fleet{
		{"numbers", "", driveFleet(func(n int) *shipTable { return &shipTable{ID: fmt.Sprint("s", n)} }, shipStates, true)},
		{"words", "", driveFleet(func(n int) *enumTable { return &enumTable{ID: fmt.Sprint("s", n)} }, enumStates, false)},
		{
			"an ENUM", "CREATE TABLE %s (id VARCHAR(64) PRIMARY KEY, status ENUM('PENDING','途中 In Transit','已付款') NOT NULL, version BIGINT NOT NULL) CHARACTER SET utf8mb4",
			driveFleet(func(n int) *enumTable { return &enumTable{ID: fmt.Sprint("s", n)} }, enumStates, false),
		},
		{
			"another charset and CHAR", "CREATE TABLE %s (id VARCHAR(64) PRIMARY KEY, status CHAR(20) NOT NULL, version BIGINT NOT NULL) CHARACTER SET gbk",
			driveFleet(func(n int) *enumTable { return &enumTable{ID: fmt.Sprint("s", n)} }, enumStates, false),
		},
		{
			"a VARCHAR of numbers", "CREATE TABLE %s (id VARCHAR(64) PRIMARY KEY, status VARCHAR(20) NOT NULL, version BIGINT NOT NULL)",
			driveFleet(func(n int) *shipTable { return &shipTable{ID: fmt.Sprint("s", n)} }, shipStates, false),
		},
		{
			"Value and Scan, unsigned", "CREATE TABLE %s (id BIGINT UNSIGNED PRIMARY KEY, status VARCHAR(20) NOT NULL, version INT UNSIGNED NOT NULL)",
			driveFleet(func(n int) *codedTable { return &codedTable{ID: uint64(n)} }, codedStates, true),
		},
		{"NullString", "", driveFleet(func(n int) *nullTable { return &nullTable{ID: sql.NullString{String: fmt.Sprint(n), Valid: true}} }, enumStates, true)},
		{"a named type and names", "", driveFleet(func(n int) *namedTable { return &namedTable{ID: int64(n)} }, nil, true)},
		{"a pointer, UUID", "", driveFleet(func(n int) *pointerTable {
			return &pointerTable{ID: uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, n))}
		}, enumStates, false)},
	}
}

func (f fleet) prepare(t *testing.T, db *gorm.DB, row any) {
	t.Helper()
	err := db.Table("fleet").AutoMigrate(row)
	if f.ddl != "" && db.Name() == "mysql" {
		if err = db.Migrator().DropTable("fleet"); err == nil {
			err = db.Exec(fmt.Sprintf(f.ddl, "fleet")).Error
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (shipTable) TableName() string    { return "fleet" }
func (enumTable) TableName() string    { return "fleet" }
func (codedTable) TableName() string   { return "fleet" }
func (pointerTable) TableName() string { return "fleet" }
func (nullTable) TableName() string    { return "fleet" }
func (namedTable) TableName() string   { return "fleet" }

func driveFleet[S any](row func(n int) *S, stored map[engine.State]any, exclusive bool) func(*testing.T, *gorm.DB, fleet) {
	return func(t *testing.T, db *gorm.DB, f fleet) {
		f.prepare(t, db, row(1))
		m := ships[S](t, "ship", stored, exclusive)
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		var ids []string
		for n := range 5 {
			r, err := engine.Create(t.Context(), e, row(n+1), engine.Request{Machine: "ship"})
			if err != nil || r.State != "open" {
				t.Fatalf("create: %+v %v", r, err)
			}
			ids = append(ids, r.ID)
		}
		apply := func(ids []string, event engine.Event, want engine.State) {
			t.Helper()
			var rs []engine.Request
			for _, id := range ids {
				rs = append(rs, engine.Request{Machine: "ship", ID: id, Event: event, Key: engine.Key{Source: "t", Seq: fmt.Sprint(event, id)}})
			}
			for _, r := range e.ApplyAll(t.Context(), rs) {
				if r.Outcome != engine.Applied || r.State != want {
					t.Errorf("%s: %+v", event, r)
				}
			}
		}
		apply(ids, "leave", "sailing") // many rows in one statement
		apply(ids[:3], "sink", "sunk")
		apply(ids[3:], "turn", "sailing") // a self-loop
		apply(ids[3:4], "sink", "sunk")   // one row

		r, err := e.Apply(t.Context(), engine.Request{Machine: "ship", ID: ids[0], Event: "sink"})
		if err != nil || r.Outcome != engine.Already || r.State != "sunk" {
			t.Errorf("again: %+v %v", r, err)
		}
		past, err := e.History(t.Context(), "ship", ids[0], engine.HistoryQuery{})
		if err != nil || len(past) != 3 || past[2].From != "sailing" || past[2].To != "sunk" {
			t.Errorf("history: %+v %v", past, err)
		}
		var counts []int64
		for _, s := range []engine.State{"open", "sailing", "sunk"} {
			var n int64
			var holds any = string(s)
			if value, mapped := stored[s]; mapped {
				holds = value
			}
			if err := db.Table("fleet").Where("status = ?", holds).Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			counts = append(counts, n)
		}
		if fmt.Sprint(counts) != "[0 1 4]" {
			t.Errorf("the column holds: %v", counts)
		}
		clean(t, db, m)
	}
}

// clean fails if verify finds anything.
func clean(t *testing.T, db *gorm.DB, machines ...engine.AnyMachine) {
	t.Helper()
	report, err := verify.Run(t.Context(), db, verify.Options{Machines: machines, MaxFindings: 10})
	if err != nil || len(report.Findings) > 0 || report.Subjects == 0 {
		t.Errorf("verify: %d subjects, %v %v", report.Subjects, report.Findings, err)
	}
}

func TestStatesAreStoredAsTheTableHasThem(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		for _, f := range fleets() {
			t.Run(f.name, func(t *testing.T) {
				for _, table := range []string{"fleet", "engine_transitions", "engine_messages", "engine_attempts", "engine_timers"} {
					if db.Migrator().HasTable(table) {
						if err := db.Exec("DELETE FROM " + table).Error; err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := db.Migrator().DropTable("fleet"); err != nil {
					t.Fatal(err)
				}
				f.run(t, db, f)
			})
		}
	})
}

// What stands for no state is told where somebody looks, and the good rows are adopted all the same. A name of a
// state is none of what the column holds.
func TestARowInNoStateIsNamed(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&enumTable{}); err != nil {
			t.Fatal(err)
		}
		for id, status := range map[string]string{"a": "PENDING", "b": "途中 In Transit", "c": "open", "d": "pending", "e": "已付款"} {
			if err := db.Create(&enumTable{ID: id, Status: status}).Error; err != nil {
				t.Fatal(err)
			}
		}
		m := ships[enumTable](t, "ship", enumStates, true)
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		for id, holds := range map[string]string{"c": `"open"`, "d": `"pending"`} {
			_, err := e.Apply(t.Context(), engine.Request{Machine: "ship", ID: id, Event: "leave"})
			want := "ship " + id + ": leave: column status holds " + holds + `, which stands for no state of the machine: its states are stored as "PENDING", "途中 In Transit", "已付款"`
			if err == nil || err.Error() != want {
				t.Errorf("%s: %v", id, err)
			}
		}
		r, err := e.Apply(t.Context(), engine.Request{Machine: "ship", ID: "a", Event: "leave"})
		if err != nil || r.Version != 2 { // adopted inside it
			t.Errorf("leave: %+v %v", r, err)
		}
		n, err := e.Adopt(t.Context(), "ship", 100)
		if n != 2 || err == nil || !strings.Contains(err.Error(), `adopt ship c: column status holds "open"`) || !strings.Contains(err.Error(), "adopt ship d") {
			t.Errorf("adopted %d, %v", n, err)
		}
		past, err := e.History(t.Context(), "ship", "e", engine.HistoryQuery{})
		if err != nil || len(past) != 1 || past[0].To != "sunk" {
			t.Errorf("history: %+v %v", past, err)
		}
		report, err := verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}, MaxFindings: 10})
		if err != nil || len(report.Findings) != 2 || !strings.Contains(fmt.Sprint(report.Findings), `"\"open\""`) {
			t.Errorf("verify: %+v %v", report.Findings, err)
		}
		if err := db.Exec("UPDATE fleet SET status = '途中 In Transit' WHERE id = 'e'").Error; err != nil {
			t.Fatal(err)
		}
		report, err = verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}, MaxFindings: 10})
		if err != nil || !strings.Contains(fmt.Sprint(report.Findings), `the row is in state "sailing" at version 1, history ends in "sunk"`) {
			t.Errorf("verify: %+v %v", report.Findings, err)
		}
	})
}

func TestMistakesInStoredStatesAreNamedAtOnce(t *testing.T) {
	refusal := func(err error, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		}
	}
	of := func(stored map[engine.State]any) error {
		_, err := engine.NewMachine(shipsOf[enumTable]("ship", stored, false))
		return err
	}
	refusal(of(map[engine.State]any{"opne": "PENDING", "sailing": "X", "sunk": "X", "open": nil}),
		`Stored: the machine has no state "opne"`, `states "sailing" and "sunk" are both stored as "X"`, `state "open": nil is no value`)
	refusal(of(map[engine.State]any{"open": "sunk"}), `states "open" and "sunk" are both stored as "sunk"`)
	refusal(of(map[engine.State]any{"open": 1, "sunk": 2}), `such as "open", and some as text, such as "sailing"`)
	refusal(of(map[engine.State]any{"open": true}), `neither a string nor an integer`)
	refusal(of(map[engine.State]any{"open": "NEW "}), `ends with a space`)
	refusal(of(map[engine.State]any{"open": 1, "sailing": 2, "sunk": 3}), "field Status: a string cannot hold state \"open\": 1 does not fit")

	_, err := engine.NewMachine(shipsOf[shipTable]("ship", map[engine.State]any{"open": 1, "sailing": 2, "sunk": 300}, false))
	refusal(err, `a engine_test.shipState cannot hold state "sunk": 300 does not fit`)
	_, err = engine.NewMachine(shipsOf[shipTable]("ship", nil, false))
	refusal(err, "say by Definition.Stored which number stands for each state")
	_, err = engine.NewMachine(shipsOf[codedTable]("ship", map[engine.State]any{"open": "OPEN", "sailing": "AWAY", "sunk": "SUNK"}, false))
	refusal(err, `state "sailing": coded: no such word: AWAY`)

	type defaulted struct {
		ID      string `gorm:"primaryKey" engine:"id"`
		Status  int    `gorm:"<-:create;default:1" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	_, err = engine.NewMachine(shipsOf[defaulted]("ship", map[engine.State]any{"open": 0, "sailing": 1, "sunk": 2}, false))
	refusal(err, `state "open": gorm would store the default of the column instead of 0`)
}

// How states are stored changes the meaning of no history, so it is no part of a machine's version.
func TestTheHashDoesNotDependOnHowStatesAreStored(t *testing.T) {
	names := ships[enumTable](t, "ship", nil, false).Hash()
	if words := ships[enumTable](t, "ship", enumStates, false).Hash(); words != names {
		t.Error("the hash differs")
	}
}

type bareModel struct {
	gorm.Model
	Title string
}

type noScan string

func (noScan) Value() (driver.Value, error) { return "x", nil }

type bytesID [16]byte

func (b bytesID) Value() (driver.Value, error) { return b[:], nil }

func (b *bytesID) Scan(src any) error {
	if s, ok := src.([]byte); ok && len(s) == 16 {
		copy(b[:], s)
		return nil
	}
	return errors.New("bytesID: want 16 bytes")
}

func TestFieldsThatCannotBeDrivenAreRefusedWithTheWayOut(t *testing.T) {
	refuse[bareModel](t, "no field is tagged `engine:\"state\"`: tag one, such as\n\tStatus string `gorm:\"<-:create;size:32\" engine:\"state\"`",
		"Version int64 `gorm:\"<-:create;not null;default:0\" engine:\"version\"`")
	type noKey struct {
		Name    string
		Status  string `gorm:"<-:create" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	refuse[noKey](t, "no field is tagged `engine:\"id\"`: tag one, such as\n\tID string `gorm:\"primaryKey;size:64\" engine:\"id\"`")
	type strange struct {
		ID      *uint          `gorm:"primaryKey" engine:"id"`
		Status  map[string]int `gorm:"<-:create;serializer:json" engine:"state"`
		Version *int64         `gorm:"<-:create" engine:"version"`
	}
	refuse[strange](t, "field ID: the key cannot be a *uint", "field Status: the state must not be written by a serializer",
		"field Version: the version must be an integer that is never NULL, not a *int64: make it an int64 and its column BIGINT NOT NULL DEFAULT 0")
	type small struct {
		ID      []byte `gorm:"primaryKey" engine:"id"`
		Status  bool   `gorm:"<-:create" engine:"state"`
		Version int8   `gorm:"<-:create" engine:"version"`
	}
	refuse[small](t, "field ID: the key cannot be a []uint8", "field Status: the state cannot be a bool", "field Version: a int8 has no room")
	type half struct {
		ID      bytesID `gorm:"primaryKey" engine:"id"`
		Status  noScan  `gorm:"<-:create" engine:"state"`
		Version int     `gorm:"<-:create;default:1" engine:"version"`
	}
	refuse[half](t, "field ID: engine_test.bytesID stores bytes, and history names subjects by text: give it methods MarshalText and UnmarshalText",
		"field Status: engine_test.noScan has Value but no Scan", "the default of the version must be 0")
	type array struct {
		ID      [16]byte `gorm:"primaryKey" engine:"id"`
		Status  string   `gorm:"<-:create" engine:"state"`
		Version int      `gorm:"<-:create" engine:"version"`
	}
	refuse[array](t, "field ID: the key cannot be a [16]uint8: use a string, an integer, or a type with methods Value and Scan")
}

// binaryID is stored as 16 bytes, and called by its text.
type binaryID struct{ uuid.UUID }

func (b binaryID) Value() (driver.Value, error) { return b.UUID[:], nil }

func (b *binaryID) Scan(src any) error {
	bytes, ok := src.([]byte)
	if !ok || len(bytes) != 16 {
		return fmt.Errorf("binaryID: %v", src)
	}
	copy(b.UUID[:], bytes)
	return nil
}

type orderNumber string

type (
	unsignedKey struct {
		Number  uint64 `gorm:"primaryKey;autoIncrement:false;column:no" engine:"id"`
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	smallKey struct {
		ID      int16  `gorm:"primaryKey;autoIncrement:false" engine:"id"`
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	namedKey struct {
		ID      orderNumber `gorm:"primaryKey;size:32" engine:"id"`
		Status  string      `gorm:"<-:create;size:16" engine:"state"`
		Version int         `gorm:"<-:create" engine:"version"`
	}
	binaryKey struct {
		ID      binaryID `gorm:"primaryKey;type:binary(16)" engine:"id"`
		Status  string   `gorm:"<-:create;size:16" engine:"state"`
		Version uint64   `gorm:"<-:create" engine:"version"`
	}
	uuidKey struct {
		ID      uuid.UUID `gorm:"primaryKey;type:varchar(36)" engine:"id"`
		Status  string    `gorm:"<-:create;size:16" engine:"state"`
		Version int64     `gorm:"<-:create" engine:"version"`
	}
	modelKey struct {
		gorm.Model
		Status  string `gorm:"<-:create;size:16" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
)

func TestKeysOfAllKinds(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		const text = "0190163d-8694-739b-aea5-966c26f8ad91"
		id, other := uuid.MustParse(text), uuid.MustParse("0190163d-8694-739b-aea5-966c26f8ad92")
		driveKeys(t, db, "bytes", &binaryKey{ID: binaryID{id}}, &binaryKey{ID: binaryID{other}}, text, strings.ToUpper(text), "x", "0123456789abcdef")
		driveKeys(t, db, "uuid", &uuidKey{ID: id}, &uuidKey{ID: other}, text, strings.ToUpper(text), "{"+text+"}", "x")
		driveKeys(t, db, "small", &smallKey{ID: -7}, &smallKey{ID: 7}, "-7", "-07", "32768", "x", "0")
		driveKeys(t, db, "named", &namedKey{ID: "A-7"}, &namedKey{ID: "A-8"}, "A-7", "a-7", "A-9")
		driveKeys(t, db, "model", &modelKey{Model: gorm.Model{ID: 42}}, &modelKey{Model: gorm.Model{ID: 43}}, "42", "-42", "042", "18446744073709551615")
		if db.Name() == "mysql" { // an integer of SQLite has 63 bits
			driveKeys(t, db, "unsigned", &unsignedKey{Number: 1<<64 - 1}, &unsignedKey{Number: 1<<64 - 2}, "18446744073709551615", "18446744073709551616", "-1")
		} else {
			driveKeys(t, db, "unsigned", &unsignedKey{Number: 1<<63 - 1}, &unsignedKey{Number: 1<<63 - 2}, "9223372036854775807", "9223372036854775808", "-1")
		}
	})
}

// driveKeys drives two rows, the first of which is called id, and asks for some that nobody is called.
func driveKeys[S any](t *testing.T, db *gorm.DB, name string, row, other *S, id string, nobody ...string) {
	t.Run(name, func(t *testing.T) {
		if err := db.AutoMigrate(new(S)); err != nil {
			t.Fatal(err)
		}
		m := ships[S](t, name, nil, false)
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		again := *row
		key := engine.Key{Source: "t", Seq: name}
		if r, err := engine.Create(t.Context(), e, row, engine.Request{Machine: name, Key: key}); err != nil || r.ID != id {
			t.Fatalf("create: %+v %v", r, err)
		}
		if r, err := engine.Create(t.Context(), e, &again, engine.Request{Machine: name, Key: key}); err != nil || r.Detail != engine.Replayed || r.ID != id {
			t.Errorf("create again: %+v %v", r, err)
		}
		table, err := engine.TableOf(db, m)
		if err != nil {
			t.Fatal(err)
		}
		// An old row.
		if err := db.Create(other).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("UPDATE " + table.Name + " SET status = 'open' WHERE version = 0").Error; err != nil {
			t.Fatal(err)
		}
		if n, err := e.Adopt(t.Context(), name, 10); n != 1 || err != nil {
			t.Errorf("adopted %d: %v", n, err)
		}
		second, err := engine.Create(t.Context(), e, other, engine.Request{Machine: name})
		if second.ID == id || second.State != "open" {
			t.Fatalf("create what is there: %+v %v", second, err)
		}
		rs := []engine.Request{{Machine: name, ID: id, Event: "leave"}, {Machine: name, ID: second.ID, Event: "leave"}}
		for _, r := range e.ApplyAll(t.Context(), rs) {
			if r.Outcome != engine.Applied {
				t.Errorf("leave: %+v", r)
			}
		}
		loaded, err := engine.Load[S](t.Context(), e, name, id)
		if err != nil || loaded == nil {
			t.Fatal(err)
		}
		for _, id := range nobody {
			if _, err := e.Apply(t.Context(), engine.Request{Machine: name, ID: id, Event: "leave"}); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("id %q: %v", id, err)
			}
		}
		clean(t, db, m)
	})
}
