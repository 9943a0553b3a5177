package engine_test

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// stampNamed tells its time by methods of its own; stampHidden lets nobody else see it.
type (
	stampNamed    time.Time
	stampEmbedded struct{ time.Time }
	stampHidden   struct{ at time.Time }
	stampPart     struct{ At time.Time }
	stampPointer  struct{ *stampInner }
	stampInner    struct{ At *time.Time }
	stampDay      struct{ time.Time } // is a day, in its own zone
)

func (s stampNamed) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(s).Format(time.RFC3339))
}
func (s *stampNamed) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*time.Time)(s)) }
func (s stampNamed) Value() (driver.Value, error)     { return time.Time(s), nil }
func (s *stampNamed) Scan(any) error                  { return nil }

func (s stampHidden) MarshalJSON() ([]byte, error)     { return json.Marshal(map[string]any{"at": s.at}) }
func (s *stampHidden) UnmarshalJSON(text []byte) error { return errors.ErrUnsupported }
func (s stampHidden) Value() (driver.Value, error) {
	return s.at.Format("2006-01-02 15:04:05.999999999Z07:00"), nil
}
func (s *stampHidden) Scan(any) error { return nil }

func (s stampPart) Value() (driver.Value, error) { return json.Marshal(s) }
func (s *stampPart) Scan(any) error              { return nil }

func (d stampDay) MarshalJSON() ([]byte, error)     { return json.Marshal(d.Format(time.DateOnly)) }
func (d *stampDay) UnmarshalJSON(text []byte) error { return errors.ErrUnsupported }
func (d stampDay) Value() (driver.Value, error)     { return d.Format(time.DateOnly), nil }
func (d *stampDay) Scan(any) error                  { return nil }

// instantIn is what of type T a time is put into.
type instantIn struct {
	input any
	of    func(time.Time) any
}

func instantInputs() map[string]instantIn {
	type nested struct{ All []map[string]stampInner }
	return map[string]instantIn{
		"a time":                         {time.Time{}, func(t time.Time) any { return t }},
		"a pointer":                      {new(time.Time), func(t time.Time) any { return &t }},
		"a nested time":                  {nested{}, func(t time.Time) any { return nested{[]map[string]stampInner{{"a": {&t}}}} }},
		"sql.NullTime":                   {sql.NullTime{}, func(t time.Time) any { return sql.NullTime{Time: t, Valid: true} }},
		"sql.Null":                       {sql.Null[time.Time]{}, func(t time.Time) any { return sql.Null[time.Time]{V: t, Valid: true} }},
		"gorm.DeletedAt":                 {gorm.DeletedAt{}, func(t time.Time) any { return gorm.DeletedAt{Time: t, Valid: true} }},
		"a struct of a time":             {stampEmbedded{}, func(t time.Time) any { return stampEmbedded{t} }},
		"a type of its own":              {stampNamed{}, func(t time.Time) any { return stampNamed(t) }},
		"one that hides it":              {[]stampHidden{}, func(t time.Time) any { return []stampHidden{{t}} }},
		"behind a pointer that is fixed": {stampPointer{}, func(t time.Time) any { return stampPointer{&stampInner{&t}} }},
		"keys of a map": {map[time.Time]int{}, func(t time.Time) any {
			return map[time.Time]int{t: 1, t.Add(time.Hour).UTC(): 2} // their texts sort otherwise in another zone
		}},
		"an array": {[2]time.Time{}, func(t time.Time) any { return [2]time.Time{t, t} }},
	}
}

var (
	instant  = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	farEast  = time.FixedZone("", 14*3600)
	sameTime = map[string]time.Time{"another zone": instant.In(farEast), "another name of the zone": instant.In(time.FixedZone("Z", 0)), "itself": instant}
)

// One instant with one key is one request, in whatever the input holds it and in whatever zone.
func TestAnInputsInstantIsTheSameInEveryZone(t *testing.T) {
	for name, in := range instantInputs() {
		t.Run(name, func(t *testing.T) {
			e := boxEngine(t, enginetest.SQLite(t), in.input)
			put := func(at time.Time, asText bool) string {
				input := in.of(at)
				if asText {
					text, err := json.Marshal(input)
					if err != nil {
						t.Fatal(err)
					}
					input = json.RawMessage(text)
				}
				r, err := e.Apply(t.Context(), engine.Request{
					Machine: "box", ID: "a", Event: "put", Input: input, Key: engine.Key{Source: "principal:a", Seq: "1"},
				})
				if r.Outcome == "" {
					return err.Error()
				}
				return fmt.Sprintf("%s/%s", r.Outcome, r.Detail)
			}
			if got := put(instant, false); got != "applied/" {
				t.Fatal(got)
			}
			for zone, at := range sameTime {
				if got := put(at, false); got != "already/replayed" {
					t.Errorf("%s: %s", zone, got)
				}
			}
			if got := put(instant.Add(time.Second), false); got != "conflict/key_reused" {
				t.Errorf("another time: %s", got)
			}
			_, hidden := in.of(instant).([]stampHidden)
			_, fixed := in.of(instant).(stampPointer) // JSON cannot be read into these
			if hidden || fixed {
				return
			}
			if got := put(instant.In(farEast), true); got != "already/replayed" {
				t.Errorf("as JSON: %s", got)
			}
		})
	}
}

// stamps has a time in a column of every sort.
type stamps struct {
	ID      string         `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State   `gorm:"size:16;<-:create" engine:"state"`
	Version int64          `gorm:"<-:create" engine:"version"`
	Pointer *time.Time     `gorm:"precision:6"`
	Null    sql.NullTime   `gorm:"precision:6"`
	Named   stampNamed     `gorm:"type:datetime(6);default:null"`
	Hidden  stampHidden    `gorm:"type:varchar(64);default:null"`
	Part    stampPart      `gorm:"type:varchar(200);default:null"`
	Day     stampDay       `gorm:"type:varchar(64);default:null"`
	Listed  []time.Time    `gorm:"type:varchar(200);serializer:json"`
	Loose   map[string]any `gorm:"type:varchar(200);serializer:json"`
	Packed  stampInner     `gorm:"type:blob;serializer:gob"`
	Seconds int64          `gorm:"type:datetime;serializer:unixtime"`
	Inner   stampColumns   `gorm:"embedded;embeddedPrefix:inner_"`
	Behind  *stampColumns  `gorm:"embedded;embeddedPrefix:behind_"`
}

type stampColumns struct {
	At time.Time `gorm:"precision:6;default:null"`
}

// A column of a creation says the same in every zone, whatever makes its value of the time.
func TestAColumnsInstantIsTheSameInEveryZone(t *testing.T) {
	columns := map[string]func(*stamps, time.Time){
		"Pointer": func(s *stamps, at time.Time) { s.Pointer = &at },
		"Null":    func(s *stamps, at time.Time) { s.Null = sql.NullTime{Time: at, Valid: true} },
		"Named":   func(s *stamps, at time.Time) { s.Named = stampNamed(at) },
		"Hidden":  func(s *stamps, at time.Time) { s.Hidden = stampHidden{at} },
		"Part":    func(s *stamps, at time.Time) { s.Part = stampPart{at} },
		"Listed":  func(s *stamps, at time.Time) { s.Listed = []time.Time{at, at} },
		"Loose":   func(s *stamps, at time.Time) { s.Loose = map[string]any{"at": at} },
		"Packed":  func(s *stamps, at time.Time) { s.Packed = stampInner{&at} },
		"Seconds": func(s *stamps, at time.Time) { s.Seconds = at.Unix() },
		"Inner":   func(s *stamps, at time.Time) { s.Inner.At = at },
		"Behind":  func(s *stamps, at time.Time) { s.Behind = &stampColumns{at} },
	}
	m, err := engine.NewMachine(engine.Definition[stamps]{
		Name: "stamps", Events: map[engine.Event]engine.Spec{"make": {}}, Edges: []engine.Edge[stamps]{{Event: "make", To: "made"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(columns)+4, reflect.TypeFor[stamps]().NumField(); got != want { // key, state, version, Day
		t.Fatalf("%d columns are tried of %d", got, want)
	}
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&stamps{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		create := func(key string, change func(*stamps)) string {
			row := stamps{ID: "of " + key}
			change(&row)
			r, err := engine.Create(t.Context(), e, &row, engine.Request{Machine: "stamps", Key: engine.Key{Source: "principal:a", Seq: key}})
			if r.Outcome == "" {
				return err.Error()
			}
			return fmt.Sprintf("%s/%s", r.Outcome, r.Detail)
		}
		for name, set := range columns {
			if got := create(name, func(s *stamps) { set(s, instant) }); got != "applied/" {
				t.Errorf("%s: %s", name, got)
			}
			for zone, at := range sameTime {
				if got := create(name, func(s *stamps) { set(s, at) }); got != "already/replayed" {
					t.Errorf("%s, %s: %s", name, zone, got)
				}
			}
			if got := create(name, func(s *stamps) { set(s, instant.Add(time.Second)) }); got != "conflict/key_reused" {
				t.Errorf("%s, another time: %s", name, got)
			}
		}
		day := instant.Add(20 * time.Hour)
		if got := create("Day", func(s *stamps) { s.Day = stampDay{day} }); got != "applied/" {
			t.Error(got)
		}
		if got := create("Day", func(s *stamps) { s.Day = stampDay{day.In(farEast)} }); got != "conflict/key_reused" {
			t.Errorf("a type that stores a day means it in its own zone: %s", got)
		}
		if got := create("none", func(*stamps) {}); got != "applied/" {
			t.Error(got)
		}
		if got := create("none", func(s *stamps) { s.Inner.At = time.Time{}.In(farEast) }); got != "already/replayed" {
			t.Errorf("no time at all, in a zone: %s", got)
		}
	})
}
