package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

type door struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func doorDefinition() engine.Definition[door] {
	return engine.Definition[door]{
		Name:   "door",
		Events: map[engine.Event]engine.Spec{"build": {}, "open": {Repeatable: true}, "shut": {Repeatable: true}, "burn": {}},
		Edges: []engine.Edge[door]{
			{Event: "build", To: "closed"},
			{Event: "open", From: []engine.State{"closed"}, To: "opened"},
			{Event: "shut", From: []engine.State{"opened"}, To: "closed"},
			{Event: "burn", From: []engine.State{"closed", "opened"}, To: "burnt"},
		},
	}
}

func TestASoundDefinitionIsAMachine(t *testing.T) {
	m, err := engine.NewMachine(doorDefinition())
	if err != nil {
		t.Fatal(err)
	}
	d := m.Describe()
	if d.Name != "door" || len(d.States) != 3 || !d.States[0].Initial || !d.States[2].Final || len(d.Edges) != 5 || len(d.Hash) != 32 {
		t.Errorf("description %+v", d)
	}
}

func TestEachMistakeOfADefinitionIsNamed(t *testing.T) {
	guard := engine.Check("g", func(engine.Call[door, int]) error { return nil })
	for want, change := range map[string]func(*engine.Definition[door]){
		`name: want lower-case`:                    func(d *engine.Definition[door]) { d.Name = "The Door" },
		`no edges`:                                 func(d *engine.Definition[door]) { d.Edges = nil },
		`event "Open": want lower-case`:            func(d *engine.Definition[door]) { d.Events["Open"] = engine.Spec{} },
		`event "slam" is declared but has no edge`: func(d *engine.Definition[door]) { d.Events["slam"] = engine.Spec{} },
		`event "slam" of an edge is not declared`: func(d *engine.Definition[door]) {
			d.Edges = append(d.Edges, engine.Edge[door]{Event: "slam", From: []engine.State{"opened"}, To: "closed"})
		},
		`event "enter_x": the name is reserved`: func(d *engine.Definition[door]) {
			d.Events["enter_x"] = engine.Spec{}
			d.Edges = append(d.Edges, engine.Edge[door]{Event: "enter_x", From: []engine.State{"opened"}, To: "burnt"})
		},
		`event "adopt": the name is reserved`: func(d *engine.Definition[door]) {
			d.Events["adopt"] = engine.Spec{}
			d.Edges = append(d.Edges, engine.Edge[door]{Event: "adopt", From: []engine.State{"opened"}, To: "burnt"})
		},
		`state "": want lower-case`:    func(d *engine.Definition[door]) { d.Edges[1].To = "" },
		`state "closed" twice in From`: func(d *engine.Definition[door]) { d.Edges[1].From = []engine.State{"closed", "closed"} },
		`can never be taken from "closed", because edge 2 has no guards`: func(d *engine.Definition[door]) {
			d.Edges = append(d.Edges, engine.Edge[door]{Event: "open", From: []engine.State{"closed"}, To: "burnt"})
		},
		`event "open" can happen again`: func(d *engine.Definition[door]) { d.Events["open"] = engine.Spec{} },
		`guard "g" takes int, but the input of "open" is none`: func(d *engine.Definition[door]) {
			d.Edges[1].Guards = []engine.Guard[door]{guard}
		},
		`guard "nil" has no function`: func(d *engine.Definition[door]) {
			d.Edges[1].Guards = []engine.Guard[door]{engine.Check[door, engine.NoInput]("nil", nil)}
		},
		`action "nil" has no function`: func(d *engine.Definition[door]) {
			d.Edges[1].Actions = []engine.Action[door]{engine.Set[door, engine.NoInput]("nil", nil)}
		},
		`two guards or actions are called "twice"`: func(d *engine.Definition[door]) {
			g := engine.Check("twice", func(engine.Call[door, engine.NoInput]) error { return nil })
			d.Edges[1].Guards = []engine.Guard[door]{g, g}
		},
	} {
		d := doorDefinition()
		change(&d)
		if _, err := engine.NewMachine(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want a mistake with %q, got %v", want, err)
		}
	}
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	d := doorDefinition()
	d.Name = "Door"
	d.Events["open"] = engine.Spec{}
	d.Events["slam"] = engine.Spec{}
	_, err := engine.NewMachine(d)
	for _, want := range []string{"name:", `"open" can happen again`, `"slam" is declared`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestARowThatTheEngineCannotTrustIsRefused(t *testing.T) {
	type noVersion struct {
		ID     string       `gorm:"primaryKey" engine:"id"`
		Status engine.State `gorm:"<-:create" engine:"state"`
	}
	type saved struct {
		ID      string       `gorm:"primaryKey" engine:"id"`
		Status  engine.State `engine:"state"`
		Version int64        `engine:"version"`
	}
	type twice struct {
		ID      string       `gorm:"primaryKey" engine:"id"`
		Other   string       `engine:"id"`
		Status  engine.State `gorm:"<-:create" engine:"state"`
		Version int64        `gorm:"<-:create" engine:"version"`
	}
	type wrong struct {
		ID      float64 `gorm:"primaryKey" engine:"id"`
		Status  int     `gorm:"<-:create" engine:"state"`
		Version string  `gorm:"<-:create" engine:"version"`
		Extra   int     `engine:"colour"`
	}
	refuse[noVersion](t, "no field is tagged `engine:\"version\"`")
	refuse[saved](t, "field Status: Save could overwrite it", "field Version: Save could overwrite it")
	refuse[twice](t, "fields ID and Other are both tagged")
	refuse[wrong](t, `field Extra: engine tag "colour"`)
}

func refuse[S any](t *testing.T, wants ...string) {
	t.Helper()
	_, err := engine.NewMachine(engine.Definition[S]{
		Name: "m", Events: map[engine.Event]engine.Spec{"make": {}},
		Edges: []engine.Edge[S]{{Event: "make", To: "made"}},
	})
	for _, want := range wants {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: want %q, got %v", *new(S), want, err)
		}
	}
}

func TestTheHashNamesTheDefinition(t *testing.T) {
	hash := func(change func(*engine.Definition[door])) string {
		d := doorDefinition()
		change(&d)
		m, err := engine.NewMachine(d)
		if err != nil {
			t.Fatal(err)
		}
		return m.Hash()
	}
	same := hash(func(*engine.Definition[door]) {})
	if same != hash(func(*engine.Definition[door]) {}) {
		t.Error("one definition, two hashes")
	}
	for name, change := range map[string]func(*engine.Definition[door]){
		"another target": func(d *engine.Definition[door]) { d.Edges[3].To = "gone" },
		"another spec":   func(d *engine.Definition[door]) { d.Events["burn"] = engine.Spec{CountsOther: true} },
		"one edge less":  func(d *engine.Definition[door]) { d.Edges[3].From = []engine.State{"opened"} },
		"a guard": func(d *engine.Definition[door]) {
			d.Edges[3].Guards = []engine.Guard[door]{engine.Check("dry", func(engine.Call[door, engine.NoInput]) error { return nil })}
		},
	} {
		if hash(change) == same {
			t.Errorf("%s: same hash", name)
		}
	}
}

func TestLintFindsWhereDuplicatesMatter(t *testing.T) {
	d := doorDefinition()
	d.Events["paint"] = engine.Spec{Repeatable: true}
	d.Events["crush"] = engine.Spec{}
	d.Events["haunt"] = engine.Spec{}
	d.Events["spin"], d.Events["spon"] = engine.Spec{Repeatable: true}, engine.Spec{Repeatable: true}
	d.Edges = append(d.Edges,
		engine.Edge[door]{Event: "paint", From: []engine.State{"opened"}, To: "opened"},
		engine.Edge[door]{Event: "crush", From: []engine.State{"opened"}, To: "burnt"},
		engine.Edge[door]{Event: "haunt", From: []engine.State{"cursed"}, To: "looping"},
		engine.Edge[door]{Event: "spin", From: []engine.State{"looping"}, To: "spinning"},
		engine.Edge[door]{Event: "spon", From: []engine.State{"spinning"}, To: "looping"},
	)
	m, err := engine.NewMachine(d)
	if err != nil {
		t.Fatal(err)
	}
	got := map[engine.FindingKind][]engine.State{}
	for _, f := range m.Lint() {
		got[f.Kind] = append(got[f.Kind], f.State)
		if f.Text == "" {
			t.Errorf("%+v says nothing", f)
		}
	}
	for kind, want := range map[engine.FindingKind][]engine.State{
		engine.FindingSelfLoop:     {"opened"},
		engine.FindingSharedTarget: {"burnt", "looping"},
		engine.FindingUnreachable:  {"cursed", "looping", "spinning"},
		engine.FindingDeadEnd:      {"cursed", "looping", "spinning"},
	} {
		if !slices.Equal(got[kind], want) {
			t.Errorf("%s: got %v, want %v", kind, got[kind], want)
		}
	}
	if len(got[engine.FindingCycle]) < 4 {
		t.Errorf("cycles: %v", got[engine.FindingCycle])
	}
}

func TestTwoMachinesOfOneNameAreRefused(t *testing.T) {
	db := openSQLite(t)
	m, err := engine.NewMachine(doorDefinition())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.New(db, engine.Config{}, m, m); err == nil || !strings.Contains(err.Error(), "two machines") {
		t.Errorf("got %v", err)
	}
}

func TestConfigNamesTheBadField(t *testing.T) {
	db := openSQLite(t)
	for _, c := range []engine.Config{{Tries: -1}, {Tries: 101}, {Backoff: -1}, {Settle: -1}, {AttemptRetention: -1}} {
		if _, err := engine.New(db, c); err == nil || !strings.Contains(err.Error(), "engine.Config.") {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

// A key of BIGINT and columns of other names are the user's own business.
type legacy struct {
	Number  int64        `gorm:"primaryKey;column:no;autoIncrement:false" engine:"id"`
	Phase   engine.State `gorm:"<-:create;column:phase" engine:"state"`
	Edition int64        `gorm:"<-:create;column:edition" engine:"version"`
	Title   string
}

func TestABigintKeyAndOtherColumnNamesWork(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&legacy{}); err != nil {
			t.Fatal(err)
		}
		m, err := engine.NewMachine(engine.Definition[legacy]{
			Name: "legacy", Events: map[engine.Event]engine.Spec{"write": {}, "print": {}},
			Edges: []engine.Edge[legacy]{
				{Event: "write", To: "written"},
				{Event: "print", From: []engine.State{"written"}, To: "printed"},
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
		var rs []engine.Request
		for i := range 3 {
			row := &legacy{Number: int64(i+1) << 40, Title: "t"}
			r, err := engine.Create(t.Context(), e, row, engine.Request{Machine: "legacy"})
			if err != nil || r.ID != fmt.Sprint(row.Number) || row.Edition != 1 {
				t.Fatalf("create: %+v %v", r, err)
			}
			rs = append(rs, engine.Request{Machine: "legacy", ID: r.ID, Event: "print"})
		}
		for _, r := range e.ApplyAll(t.Context(), rs) {
			if r.Outcome != engine.Applied || r.Version != 2 {
				t.Errorf("print: %+v", r)
			}
		}
		r, err := engine.Create(t.Context(), e, &legacy{Number: 9, Title: "t"}, engine.Request{Machine: "legacy", Key: engine.Key{Source: "s", Seq: "1"}})
		if err != nil || r.Outcome != engine.Applied {
			t.Errorf("create: %+v %v", r, err)
		}
		r, err = engine.Create(t.Context(), e, &legacy{Number: 10, Title: "t"}, engine.Request{Machine: "legacy", Key: engine.Key{Source: "s", Seq: "1"}})
		if err != nil || r.Detail != engine.Replayed || r.ID != "9" {
			t.Errorf("the row is the input of a creation without one: %+v %v", r, err)
		}
		_, err = engine.Create(t.Context(), e, &legacy{Number: 10, Title: "another"}, engine.Request{Machine: "legacy", Key: engine.Key{Source: "s", Seq: "1"}})
		if !errors.Is(err, engine.ErrConflict) {
			t.Errorf("another row under the same key: %v", err)
		}
		for _, id := range []string{"x", "01", "1.0", "9223372036854775808"} {
			if _, err := e.Apply(t.Context(), engine.Request{Machine: "legacy", ID: id, Event: "print"}); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("id %q: %v", id, err)
			}
		}
	})
}
