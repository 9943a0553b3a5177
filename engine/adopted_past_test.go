package engine_test

import (
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// shopping is placed, paid, shipped, delivered, or cancelled, and also shipped before it is paid where cash is.
func shopping(t *testing.T, created, cash bool, adopted map[engine.State][]engine.Event) *engine.Machine[crate] {
	t.Helper()
	is := func(s ...engine.State) []engine.State { return s }
	d := engine.Definition[crate]{
		Name: "crate", Adopted: adopted,
		Events: map[engine.Event]engine.Spec{"pay": {Factual: true}, "check": {}, "ship": {}, "deliver": {}, "cancel": {}, "label": {Input: label{}}},
		Edges: []engine.Edge[crate]{
			{Event: "pay", From: is("placed"), To: "paid"}, {Event: "check", From: is("paid"), To: "checked"},
			{Event: "ship", From: is("checked"), To: "shipped"}, {Event: "deliver", From: is("shipped"), To: "delivered"},
			{Event: "cancel", From: is("placed"), To: "cancelled"}, {Event: "label", From: is("placed"), To: "labelled"},
		},
	}
	if created {
		d.Events["place"] = engine.Spec{}
		d.Edges = append(d.Edges, engine.Edge[crate]{Event: "place", To: "placed"})
	}
	if cash {
		d.Events["place_cash"] = engine.Spec{}
		d.Edges = append(d.Edges, engine.Edge[crate]{Event: "place_cash", To: "shipped"})
	}
	m, err := engine.NewMachine(d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What is asked late of a row that the engine found is told by what it must have gone through, or by what the definition
// says it has: before its adoption, after it, and when it has moved on.
func TestALateEventOnAnAdoptedRowIsNotItsCallersMistake(t *testing.T) {
	past := map[engine.State][]engine.Event{"shipped": {"pay", "check", "ship", "label"}}
	for _, c := range []struct {
		name          string
		created, cash bool
		adopted       map[engine.State][]engine.Event
		state         string
		event         engine.Event
		want, moved   string // also after deliver
	}{
		{"every path took it", true, false, nil, "shipped", "pay", "stale/passed", "stale/passed"},
		{"every path took it, no creation", false, false, nil, "shipped", "pay", "stale/passed", "stale/passed"},
		{"every path could have", true, false, nil, "shipped", "cancel", "stale/passed", "stale/passed"},
		{"once only", true, false, nil, "shipped", "check", "stale/passed", "stale/passed"},
		{"leads here", true, false, nil, "shipped", "ship", "stale/reached_otherwise", "stale/passed"},
		{"not every path", true, true, nil, "shipped", "pay", "illegal/no_path", "illegal/no_path"},
		{"still ahead", true, false, nil, "paid", "deliver", "early/", ""},
		{"declared fact", true, true, past, "shipped", "pay", "stale/passed", "stale/passed"},
		{"declared", true, true, past, "shipped", "check", "already/superseded", "already/superseded"},
		{"declared, leads here", true, true, past, "shipped", "ship", "already/same_state", "already/superseded"},
		{"declared, with an input that nobody knows", true, true, past, "shipped", "label", "conflict/input_differs", "conflict/input_differs"},
		{"of another state", true, true, past, "checked", "check", "stale/reached_otherwise", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				if err := db.AutoMigrate(&crate{}); err != nil {
					t.Fatal(err)
				}
				m := shopping(t, c.created, c.cash, c.adopted)
				e, err := engine.New(db, engine.Config{}, m)
				if err != nil {
					t.Fatal(err)
				}
				defer shut(t, e)
				if err := db.Create(&crate{ID: "a", Status: engine.State(c.state)}).Error; err != nil {
					t.Fatal(err)
				}
				ask := func(when, want string) {
					t.Helper()
					r := engine.Request{Machine: "crate", ID: "a", Event: c.event, Key: engine.Key{Source: "provider:x", Seq: when}}
					if c.event == "label" {
						r.Input = label{Text: "x"}
					}
					got, _ := e.Apply(t.Context(), r)
					if text := string(got.Outcome) + "/" + string(got.Detail); text != want {
						t.Errorf("%s: %s, want %s", when, text, want)
					}
					if when != "unadopted" && want != "illegal/no_path" && want != "early/" && (got.Proof == nil || got.Proof.Version == 0) {
						t.Errorf("%s: no proof: %+v", when, got)
					}
				}
				ask("unadopted", c.want)
				if n, err := e.Adopt(t.Context(), "crate", 5); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				ask("adopted", c.want)
				if c.moved != "" {
					if _, err := e.Apply(t.Context(), engine.Request{Machine: "crate", ID: "a", Event: "deliver"}); err != nil {
						t.Fatal(err)
					}
					ask("moved", c.moved)
				}
				verified(t, db, m)
			})
		})
	}
}

// What a row has gone through that the engine has created is its history, whatever the definition says of others.
func TestADeclaredPastIsOfAdoptedRowsOnly(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&crate{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, shopping(t, true, true, map[engine.State][]engine.Event{"shipped": {"check"}}))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		if _, err := engine.Create(t.Context(), e, &crate{ID: "a"}, engine.Request{Machine: "crate", Event: "place_cash"}); err != nil {
			t.Fatal(err)
		}
		if r, _ := e.Apply(t.Context(), engine.Request{Machine: "crate", ID: "a", Event: "check"}); r.Detail != engine.NoPath {
			t.Errorf("%+v", r)
		}
	})
}

func TestADeclaredPastIsChecked(t *testing.T) {
	_, err := engine.NewMachine(engine.Definition[crate]{
		Name: "crate", Events: map[engine.Event]engine.Spec{"pack": {}},
		Edges:   []engine.Edge[crate]{{Event: "pack", From: []engine.State{"placed"}, To: "packed"}},
		Adopted: map[engine.State][]engine.Event{"packed": {"pay"}, "gone": {"pack"}},
	})
	if err == nil || !strings.Contains(err.Error(), `event "pay"`) || !strings.Contains(err.Error(), `state "gone"`) {
		t.Error(err)
	}
	m := shopping(t, true, false, map[engine.State][]engine.Event{"paid": {"pay", "pay"}})
	i := slices.IndexFunc(m.Describe().States, func(s engine.DescribedState) bool { return s.Name == "paid" })
	if got := m.Describe().States[i].Adopted; !slices.Equal(got, []engine.Event{"pay"}) {
		t.Error(got)
	}
	if m.Hash() == shopping(t, true, false, nil).Hash() {
		t.Error("what the answers depend on is part of the machine's version")
	}
}
