package engine_test

import (
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

type size struct {
	Width  int64 `gorm:"<-:create"`
	Height int64
}

// chest has a column of every sort that its maker can give.
type chest struct {
	ID        string       `gorm:"primaryKey;size:64" engine:"id"`
	Status    engine.State `gorm:"size:16;<-:create" engine:"state"`
	Version   int64        `gorm:"<-:create" engine:"version"`
	Amount    int64        `gorm:"<-:create"`
	Label     string       `gorm:"size:64"`
	Owner     *string      `gorm:"size:64"`
	Made      time.Time    `gorm:"precision:6;default:null"`
	Seal      []byte       `gorm:"size:64"`
	Slots     int64        `gorm:"default:5"`
	Size      size         `gorm:"embedded;embeddedPrefix:size_"`
	Number    string       `gorm:"size:64" engine:"derived"`
	Ignored   string       `gorm:"-"`
	CreatedAt time.Time
	UpdatedAt time.Time
}

type order struct {
	Wood string `json:"wood"`
}

func chests(t *testing.T, input any) *engine.Machine[chest] {
	m, err := engine.NewMachine(engine.Definition[chest]{
		Name: "chest", Events: map[engine.Event]engine.Spec{"make": {Input: input}}, Edges: []engine.Edge[chest]{{Event: "make", To: "made"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every column that the caller gives is part of what is asked for, whether or not the event has an input.
func TestACreationIsTheSameOnlyWithTheSameColumns(t *testing.T) {
	paris, ana, bea := time.FixedZone("Paris", 3600), "ana", "bea"
	made := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	first := func() chest {
		return chest{Amount: 100, Label: "oak", Owner: &ana, Made: made, Seal: []byte{1}, Size: size{2, 3}, Number: "drawn"}
	}
	changes := map[string]func(*chest){
		"a column that is only created": func(c *chest) { c.Amount = 99_999 },
		"a text":                        func(c *chest) { c.Label = "ash" },
		"a text left out":               func(c *chest) { c.Label = "" },
		"a pointer":                     func(c *chest) { c.Owner = &bea },
		"no pointer":                    func(c *chest) { c.Owner = nil },
		"a time":                        func(c *chest) { c.Made = made.Add(time.Microsecond) },
		"bytes":                         func(c *chest) { c.Seal = []byte{2} },
		"a default that is overruled":   func(c *chest) { c.Slots = 6 },
		"an embedded column":            func(c *chest) { c.Size.Height = 4 },
		"an embedded one, only created": func(c *chest) { c.Size.Width = 4 },
	}
	same := map[string]func(*chest){
		"nothing":             func(*chest) {},
		"another zone":        func(c *chest) { c.Made = made.In(paris) },
		"what is not stored":  func(c *chest) { c.Made = made.Add(time.Nanosecond); c.Ignored = "x" },
		"what the maker drew": func(c *chest) { c.Number = "drawn again" },
		"an equal pointer":    func(c *chest) { twin := "ana"; c.Owner = &twin },
	}
	for name, input := range map[string]any{"without input": nil, "with input": order{}} {
		t.Run(name, func(t *testing.T) {
			enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
				if err := db.AutoMigrate(&chest{}); err != nil {
					t.Fatal(err)
				}
				e, err := engine.New(db, engine.Config{}, chests(t, input))
				if err != nil {
					t.Fatal(err)
				}
				defer shut(t, e)
				n := 0
				create := func(change func(*chest), id, seq string) string {
					n++
					c := first()
					change(&c)
					if c.ID = id; id == "" {
						c.ID = fmt.Sprint("c", n)
					}
					r := engine.Request{Machine: "chest", Event: "make"}
					if input != nil {
						r.Input = order{Wood: "oak"}
					}
					if seq != "" {
						r.Key = engine.Key{Source: "principal:a", Seq: seq}
					}
					result, _ := engine.Create(t.Context(), e, &c, r)
					return fmt.Sprintf("%s/%s %s", result.Outcome, result.Detail, result.ID)
				}
				if got := create(same["nothing"], "first", "k"); got != "applied/ first" {
					t.Fatal(got)
				}
				for name, change := range same {
					if got := create(change, "", "k"); got != "already/replayed first" {
						t.Errorf("%s, with the key: %s", name, got)
					}
					if got := create(change, "first", ""); got != "already/same_state first" {
						t.Errorf("%s, with the id: %s", name, got)
					}
				}
				for name, change := range changes {
					if got := create(change, "first", "k"); got != "conflict/key_reused first" {
						t.Errorf("%s, with the key: %s", name, got)
					}
					if got := create(change, "first", ""); got != "conflict/input_differs first" {
						t.Errorf("%s, with the id: %s", name, got)
					}
					if got := create(change, "first", fmt.Sprintf("other%x", name)); got != "conflict/input_differs first" {
						t.Errorf("%s, with the id and another key: %s", name, got)
					}
				}
			})
		})
	}
}

// A coffer has what it is made of behind pointers.
type coffer struct {
	*Frame
	Lid *Lid `gorm:"embedded;embeddedPrefix:lid_"`
	Mat *Lid `gorm:"embedded;embeddedPrefix:mat_"`
}

// Frame and Lid are exported for gorm.
type (
	Frame struct {
		ID      string `gorm:"primaryKey;size:64" engine:"id"`
		Status  string `gorm:"size:16;<-:create" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	Lid struct {
		Wood   string `gorm:"size:64"`
		Hinges int64
		Knob   *string        `gorm:"size:64"`
		Nails  map[string]int `gorm:"serializer:json"`
	}
)

// Whatever becomes of a creation, what it was asked with stays as it was: nil pointers nil, and structs
// without what actions do to the engine's own.
func TestACreationThatMakesNothingLeavesTheCallersRowAlone(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&coffer{}); err != nil {
			t.Fatal(err)
		}
		carve := engine.Set("carve", func(c engine.Call[coffer, engine.NoInput], _ *engine.Effects) error {
			c.Subject.Lid.Wood = "carved"
			return nil
		})
		m, err := engine.NewMachine(engine.Definition[coffer]{
			Name: "coffer", Exclusive: true, Events: map[engine.Event]engine.Spec{"make": {}, "carve": {}},
			Edges: []engine.Edge[coffer]{
				{Event: "make", To: "made", Actions: []engine.Action[coffer]{carve}},
				{Event: "carve", From: []engine.State{"made"}, To: "carved", Actions: []engine.Action[coffer]{carve}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		row := func(id string) *coffer { return &coffer{Frame: &Frame{ID: id}, Lid: &Lid{Wood: "oak"}} }
		untouched := func(what string, b *coffer, id string) {
			t.Helper()
			if *b.Frame != (Frame{ID: id}) || b.Lid.Wood != "oak" || b.Mat != nil {
				t.Errorf("%s: the row is now %+v %+v %+v", what, b.Frame, b.Lid, b.Mat)
			}
		}
		dry := row("a")
		if r, err := engine.Create(t.Context(), e, dry, engine.Request{Machine: "coffer", DryRun: true}); r.Outcome != engine.Applied {
			t.Fatal(r.Outcome, err)
		}
		untouched("dry", dry, "a")

		key := engine.Key{Source: "test", Seq: "1"}
		made, first := row("a"), row("a").Lid
		made.Lid = first
		if r, err := engine.Create(t.Context(), e, made, engine.Request{Machine: "coffer", Key: key}); r.Outcome != engine.Applied {
			t.Fatal(r.Outcome, err)
		}
		if made.Lid.Wood != "carved" || made.Mat != nil || made.Version != 1 || first.Wood != "oak" {
			t.Errorf("made %+v %+v %+v, from %+v", made.Frame, made.Lid, made.Mat, first)
		}
		again := row("b")
		if r, err := engine.Create(t.Context(), e, again, engine.Request{Machine: "coffer", Key: key}); r.Outcome != engine.Already {
			t.Error(r.Outcome, err)
		}
		untouched("already", again, "b")
		none := &coffer{}
		if _, err := engine.Create(t.Context(), e, none, engine.Request{Machine: "coffer"}); err == nil || *none != (coffer{}) {
			t.Errorf("%v: without a key: %+v", err, none)
		}
	})
}
