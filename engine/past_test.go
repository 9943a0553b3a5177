package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// clockwork ticks for as long as it likes once it is wound up.
type clockwork struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"size:16;<-:create" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
	Ticks   int64
}

type winding struct {
	Note string `json:"note"`
}

func clockworks(t *testing.T) *engine.Machine[clockwork] {
	type c = engine.Call[clockwork, engine.NoInput]
	m, err := engine.NewMachine(engine.Definition[clockwork]{
		Name: "clockwork",
		Events: map[engine.Event]engine.Spec{
			"build": {}, "test": {}, "wind": {Input: winding{}}, "tick": {Repeatable: true}, "sell": {Factual: true}, "stop": {}, "crank": {},
		},
		Edges: []engine.Edge[clockwork]{
			{Event: "build", To: "built"},
			{Event: "test", From: []engine.State{"built"}, To: "tested"},
			{Event: "sell", From: []engine.State{"built"}, To: "built"},
			{Event: "wind", From: []engine.State{"built", "tested"}, To: "going"},
			{Event: "crank", From: []engine.State{"tested"}, To: "going"},
			{Event: "tick", From: []engine.State{"going"}, To: "going", Actions: []engine.Action[clockwork]{
				engine.Set("count", func(c c, _ *engine.Effects) error { c.Subject.Ticks++; return nil }),
			}},
			{Event: "stop", From: []engine.State{"going"}, To: "stopped"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// However much has happened since, an answer looks back on all of it, and says the same as it did when
// nothing had.
func TestAnswersDoNotDependOnHowLongAgoItWas(t *testing.T) {
	const long = 1500
	note := winding{Note: strings.Repeat("n", 9000)} // too long to be read along
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&clockwork{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, clockworks(t))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		request := func(id string, ev engine.Event, seq string) engine.Request {
			r := engine.Request{Machine: "clockwork", ID: id, Event: ev}
			if seq != "" {
				r.Key = engine.Key{Source: "principal:a", Seq: id + seq}
			}
			if ev == "wind" {
				r.Input = note
			}
			return r
		}
		answers := func(id string) string {
			text := ""
			for _, r := range []engine.Request{
				request(id, "wind", ""), request(id, "wind", "new"), request(id, "test", ""), request(id, "crank", ""), request(id, "sell", "new"),
				{Machine: "clockwork", ID: id, Event: "wind", Input: winding{Note: "other"}},
				{Machine: "clockwork", ID: id, Event: "wind", Input: winding{}},
				{Machine: "clockwork", ID: id, Event: "wind", Input: note, IfVersion: 2},
				{Machine: "clockwork", ID: id, Event: "wind", Input: note, IfVersion: 1},
			} {
				result, _ := e.Apply(t.Context(), r)
				text += fmt.Sprintf("%s: %s/%s %v", r.Event, result.Outcome, result.Detail, result.PossibleFrom)
				if p := result.Proof; p != nil {
					text += fmt.Sprintf(" by %s to version %d with %d bytes", p.Event, p.Version, len(p.Input))
				}
				text += "\n"
			}
			return text
		}
		for _, id := range []string{"a", "b"} {
			if _, err := engine.Create(t.Context(), e, &clockwork{ID: id}, engine.Request{Machine: "clockwork"}); err != nil {
				t.Fatal(err)
			}
			rs := []engine.Request{request(id, "test", "t"), request(id, "wind", ""), request(id, "tick", "first")}
			for i, r := range e.ApplyAll(t.Context(), rs) {
				if r.Outcome != engine.Applied {
					t.Fatalf("%s: %v", rs[i].Event, r.Err())
				}
			}
		}
		before := answers("a")
		ticks := make([]engine.Request, long)
		for i := range ticks {
			ticks[i] = request("a", "tick", fmt.Sprint(i))
		}
		for _, r := range e.ApplyAll(t.Context(), ticks) {
			if r.Outcome != engine.Applied {
				t.Fatal(r.Err())
			}
		}
		if after := answers("a"); after != before {
			t.Errorf("at once\n%slater\n%s", before, after)
		}
		want := "wind: already/same_state [] by wind to version 3 with 9011 bytes\n"
		if !strings.HasPrefix(before, want) {
			t.Errorf("got %s, want %s", before, want)
		}
		// The same in the caller's own transaction, on locking reads.
		err = db.Transaction(func(tx *gorm.DB) error {
			r, err := e.ApplyTx(t.Context(), tx, request("a", "wind", ""))
			if err == nil && (r.Detail != engine.SameState || len(r.Proof.Input) != 9011) {
				t.Errorf("in a transaction: %s/%s, %d bytes", r.Outcome, r.Detail, len(r.Proof.Input))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		all, err := e.Allowed(t.Context(), "clockwork", "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if p.Event == "wind" && (p.Outcome != engine.Already || p.Proof == nil || len(p.Proof.Input) != 9011) {
				t.Errorf("wind, of what is allowed: %+v", p)
			}
		}
	})
}
