package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// filled is a row of which a creation fills in a column of every sort.
type filled struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"size:16;<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Sku     string       `gorm:"size:64"`
	Slots   int64        `gorm:"default:5"`
	Colour  string       `gorm:"size:16;default:red"`
	Total   int64        // what an action adds up
	Seen    *time.Time   `gorm:"precision:6"`
	Number  string       `gorm:"size:64" engine:"derived"`
	Stock   int64        `engine:"shared"`
	Tags    []string     `gorm:"type:varchar(200);serializer:json"`
	Part    *filledPart  `gorm:"embedded;embeddedPrefix:part_"`

	CreatedAt time.Time `gorm:"precision:6"`
	UpdatedAt time.Time `gorm:"precision:6"`
}

type filledPart struct{ Width int64 }

// hooked also gets a key and a column from hooks.
type hooked struct {
	ID      int64        `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"size:16;<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Sku     string       `gorm:"size:64"`
	Slots   int64        `gorm:"default:5"`
	Slug    string       `gorm:"size:64"`
	Label   string       `gorm:"size:64"`
}

func (h *hooked) BeforeCreate(*gorm.DB) error { h.Slug = "slug of " + h.Sku; return nil }

func filledDefinition(exclusive bool) engine.Definition[filled] {
	return engine.Definition[filled]{
		Name: "filled", Exclusive: exclusive,
		Events: map[engine.Event]engine.Spec{"make": {Input: order{}}, "make_otherwise": {Input: order{}}, "ship": {}},
		Edges: []engine.Edge[filled]{
			{Event: "make", To: "made", Actions: []engine.Action[filled]{
				engine.Set("add_up", func(c engine.Call[filled, order], fx *engine.Effects) error {
					now := c.Now
					c.Subject.Total += 7
					c.Subject.Seen = &now
					c.Subject.Part = &filledPart{Width: 3}
					return nil
				}),
			}},
			{Event: "make_otherwise", To: "made"},
			{Event: "ship", From: []engine.State{"made"}, To: "shipped"},
		},
	}
}

// again asks for a row and says how that went.
func again[S any](t *testing.T, a engine.Applier, row *S, r engine.Request) string {
	t.Helper()
	result, err := engine.Create(context.Background(), a, row, r)
	if result.Outcome == "" {
		return err.Error()
	}
	return fmt.Sprintf("%s/%s", result.Outcome, result.Detail)
}

// The same Go variable asks for the same, whatever the first creation has filled in.
func TestTheSameVariableAsksForTheSameCreation(t *testing.T) {
	for _, exclusive := range []bool{false, true} {
		t.Run(fmt.Sprintf("exclusive %t", exclusive), func(t *testing.T) {
			m, err := engine.NewMachine(filledDefinition(exclusive))
			if err != nil {
				t.Fatal(err)
			}
			enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
				if err := db.AutoMigrate(&filled{}); err != nil {
					t.Fatal(err)
				}
				e, err := engine.New(db, engine.Config{}, m)
				if err != nil {
					t.Fatal(err)
				}
				defer shut(t, e)
				r := engine.Request{Machine: "filled", Event: "make", Input: order{"oak"}, Key: engine.Key{Source: "principal:a", Seq: "1"}}
				keyless := r
				keyless.Key = engine.Key{}

				row := filled{ID: "f1", Sku: "chair", Tags: []string{"a"}, Stock: 2}
				asked := row
				if got := again(t, e, &row, r); got != "applied/" || row.Slots != 5 || row.Total != 7 || row.Version != 1 {
					t.Fatalf("%s: %+v", got, row)
				}
				check := func(when string) {
					for name, c := range map[string]struct {
						change func(*filled)
						same   bool
					}{
						"unchanged":             {func(*filled) {}, true},
						"with a new key":        {func(f *filled) { f.ID = "f2" }, true},
						"drawn again":           {func(f *filled) { f.Number = "n2" }, true},
						"with other columns":    {func(f *filled) { f.Sku = "table" }, false},
						"without a column":      {func(f *filled) { f.Sku = "" }, false},
						"with another default":  {func(f *filled) { f.Slots = 6 }, false},
						"without a default":     {func(f *filled) { f.Colour = "" }, false},
						"with another sum":      {func(f *filled) { f.Total = 8 }, false},
						"with other tags":       {func(f *filled) { f.Tags = []string{"b"} }, false},
						"with another part":     {func(f *filled) { f.Part = &filledPart{4} }, false},
						"with another stock":    {func(f *filled) { f.Stock = 3 }, false},
						"filled in by a caller": {func(f *filled) { f.Version = 0 }, false},
					} {
						again1 := row
						c.change(&again1)
						want := "conflict/key_reused"
						if c.same {
							want = "already/replayed"
						}
						if got := again(t, e, &again1, r); got != want {
							t.Errorf("%s, %s: %s, want %s", when, name, got, want)
						}
						if again1.ID != "f1" {
							continue
						}
						want = "conflict/input_differs"
						if c.same {
							want = "already/same_state"
							if when != "at once" {
								want = "already/superseded"
							}
						}
						if got := again(t, e, &again1, keyless); got != want {
							t.Errorf("%s, %s, by the id: %s, want %s", when, name, got, want)
						}
					}
					other := r
					other.Input = order{"ash"}
					if got := again(t, e, &row, other); got != "conflict/key_reused" {
						t.Errorf("%s, another input: %s", when, got)
					}
					other = r
					other.Event = "make_otherwise"
					if got := again(t, e, &row, other); got != "conflict/key_reused" {
						t.Errorf("%s, another event: %s", when, got)
					}
					if first := asked; again(t, e, &first, r) != "already/replayed" {
						t.Errorf("%s: a row as it was asked for", when)
					}
				}
				check("at once")
				loaded, err := engine.Load[filled](t.Context(), e, "filled", "f1")
				if err != nil {
					t.Fatal(err)
				}
				if got := again(t, e, loaded, r); got != "already/replayed" {
					t.Errorf("the row as it is read: %s", got)
				}
				if _, err := e.Apply(t.Context(), engine.Request{Machine: "filled", ID: "f1", Event: "ship"}); err != nil {
					t.Fatal(err)
				}
				check("later")
				past, err := e.History(t.Context(), "filled", "f1", engine.HistoryQuery{})
				if err != nil || len(past) != 2 {
					t.Errorf("%d transitions: %v", len(past), err)
				}
			})
		})
	}
}

// So it is where the key of the row is made by its INSERT, and columns by hooks.
func TestTheSameVariableIsKnownThoughHooksFilledIt(t *testing.T) {
	m, err := engine.NewMachine(engine.Definition[hooked]{
		Name: "hooked", Events: map[engine.Event]engine.Spec{"make": {}},
		Edges: []engine.Edge[hooked]{{Event: "make", To: "made", Actions: []engine.Action[hooked]{
			engine.Set("label", func(c engine.Call[hooked, engine.NoInput], fx *engine.Effects) error {
				c.Subject.Label = fmt.Sprint("no ", c.Subject.ID)
				return nil
			}),
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&hooked{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, m)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		r := engine.Request{Machine: "hooked", Key: engine.Key{Source: "principal:a", Seq: "1"}}
		row := hooked{Sku: "chair"}
		if got := again(t, e, &row, r); got != "applied/" || row.ID == 0 || row.Slug == "" || row.Label != fmt.Sprint("no ", row.ID) {
			t.Fatalf("%s: %+v", got, row)
		}
		if got := again(t, e, &row, r); got != "already/replayed" {
			t.Errorf("with the key: %s", got)
		}
		if got := again(t, e, &row, engine.Request{Machine: "hooked"}); got != "already/same_state" {
			t.Errorf("by the id: %s", got)
		}
		row.Slug = "another"
		if got := again(t, e, &row, r); got != "conflict/key_reused" {
			t.Errorf("changed: %s", got)
		}
		var n int64
		if err := db.Model(&hooked{}).Count(&n).Error; err != nil || n != 1 {
			t.Errorf("%d rows: %v", n, err)
		}
	})
}
