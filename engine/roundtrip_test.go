package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/mysqldb"
)

// lamp is the smallest subject whose transitions have a key and a message.
type lamp struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"size:16;<-:create" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
}

func lampMachine(t testing.TB) *engine.Machine[lamp] {
	m, err := engine.NewMachine(engine.Definition[lamp]{
		Name:   "lamp",
		Events: map[engine.Event]engine.Spec{"install": {}, "turn": {Repeatable: true}, "burn": {}},
		Edges: []engine.Edge[lamp]{
			{Event: "install", To: "whole"},
			{Event: "turn", From: []engine.State{"whole"}, To: "whole"},
			{Event: "burn", From: []engine.State{"whole"}, To: "burnt", Actions: []engine.Action[lamp]{
				engine.Set("tell", func(c engine.Call[lamp, engine.NoInput], fx *engine.Effects) error {
					fx.Emit("lamp.burnt", map[string]string{"id": c.Subject.ID})
					return nil
				}),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func withoutPackets(t *testing.T, s enginetest.Server) *gorm.DB {
	db, err := mysqldb.Open(s.DSN(t), mysqldb.Packets(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	if err := engine.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

// A transition costs few round trips, and many transitions cost hardly more than one.
func TestRoundTripsAndStatements(t *testing.T) {
	type way struct {
		name       string
		open       func(*testing.T) *gorm.DB
		trips      int // of one request or of hundreds
		statements int
	}
	// select | begin, update, history, messages, commit
	ways := []way{{"sqlite", openSQLite, 6, 6}} // no network between
	for _, s := range enginetest.Servers() {
		ways = append(ways,
			way{s.Name, func(t *testing.T) *gorm.DB { return s.Open(t) }, 2, 6},
			way{s.Name + " without packets", func(t *testing.T) *gorm.DB { return withoutPackets(t, s) }, 6, 6})
	}
	for _, c := range ways {
		t.Run(c.name, func(t *testing.T) {
			db := c.open(t)
			if err := db.AutoMigrate(&lamp{}); err != nil {
				t.Fatal(err)
			}
			shaken, faults := enginetest.NewFaulty(db, nil)
			e, err := engine.New(shaken, engine.Config{}, lampMachine(t))
			if err != nil {
				t.Fatal(err)
			}
			defer shut(t, e)
			for _, n := range []int{1, 10, 200} {
				var burn []engine.Request
				for i := range n {
					id := fmt.Sprintf("%d-%d", n, i)
					if _, err := engine.Create(t.Context(), e, &lamp{ID: id}, engine.Request{Machine: "lamp"}); err != nil {
						t.Fatal(err)
					}
					burn = append(burn, engine.Request{Machine: "lamp", ID: id, Event: "burn", Key: engine.Key{Source: "principal:a", Seq: id}})
				}
				trips, statements := 0, 0
				faults.Decide(func(_ int, _ enginetest.CallKind, query string) enginetest.Fault {
					trips++
					statements += 1 + strings.Count(query, "; ")
					return enginetest.NoFault
				})
				for i, r := range e.ApplyAll(t.Context(), burn) {
					if r.Outcome != engine.Applied {
						t.Fatalf("%s: %v", burn[i].ID, r.Err())
					}
				}
				faults.Decide(nil)
				t.Logf("%d transitions: %d round trips, %d statements", n, trips, statements)
				if trips != c.trips || statements != c.statements {
					t.Errorf("%d transitions: %d round trips and %d statements, want %d and %d", n, trips, statements, c.trips, c.statements)
				}
			}
		})
	}
}
