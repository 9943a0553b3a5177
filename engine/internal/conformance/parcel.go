// Package conformance is the promises of an engine as tests: whatever stands in front of it, on
// whatever database, has to keep them.
package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// parcel is the row of the machine that the tests of this package drive. It has one of everything:
// guards, computed columns, SQL of its own, messages, timers, a cycle, a self-loop, a shared target.
type parcel struct {
	ID        string       `gorm:"primaryKey" engine:"id"`
	Status    engine.State `gorm:"<-:create" engine:"state"`
	Version   int64        `gorm:"<-:create" engine:"version"`
	Weight    int64
	Scans     int64
	Note      string
	UpdatedAt time.Time
}

type newParcel struct {
	Weight int64 `json:"weight"`
}

type scan struct {
	Place string `json:"place"`
}

func (s scan) Validate() error {
	if s.Place == "" {
		return fmt.Errorf("place is empty")
	}
	return nil
}

// parcelScan is a row of a table that an Exec action writes.
type parcelScan struct {
	Parcel  string `gorm:"primaryKey"`
	Version int64  `gorm:"primaryKey"`
	Place   string
}

func parcelMachine(tb testing.TB) *engine.Machine[parcel] {
	tb.Helper()
	m, err := engine.NewMachine(parcelDefinition())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func parcelDefinition() engine.Definition[parcel] {
	type c = engine.Call[parcel, engine.NoInput]
	type scanned = engine.Call[parcel, scan]
	announce := engine.Set("announce", func(c c, fx *engine.Effects) error {
		fx.Emit("parcel."+string(c.To), map[string]any{"id": c.Subject.ID, "version": c.Version})
		return nil
	})
	announceAll := []engine.Action[parcel]{announce}
	return engine.Definition[parcel]{
		Name: "parcel",
		Events: map[engine.Event]engine.Spec{
			"post":     {Input: newParcel{}},
			"scan":     {Input: scan{}, Repeatable: true},
			"load":     {},
			"deliver":  {},
			"lose":     {},
			"bounce":   {Repeatable: true},
			"retry":    {Repeatable: true},
			"archive":  {CountsOther: true},
			"expire":   {},
			"complain": {Input: scan{}, Factual: true},
		},
		Edges: []engine.Edge[parcel]{
			{Event: "post", To: "posted", Actions: append(announceAll,
				engine.Set("weigh", func(c engine.Call[parcel, newParcel], fx *engine.Effects) error {
					c.Subject.Weight = c.Input.Weight
					fx.Arm("expiry", c.Now.Add(time.Hour), "expire")
					return nil
				}))},
			{Event: "scan", From: []engine.State{"posted", "loaded"}, To: "loaded",
				Guards: []engine.Guard[parcel]{engine.Check("readable", func(c scanned) error {
					if c.Input.Place == "nowhere" {
						return fmt.Errorf("%s cannot be scanned at", c.Input.Place)
					}
					return nil
				})},
				Actions: append(announceAll,
					engine.Set("count", func(c scanned, _ *engine.Effects) error {
						c.Subject.Scans++
						return nil
					}),
					engine.Exec("book", func(_ context.Context, tx *gorm.DB, c scanned) error {
						if c.Input.Place == "void" {
							return engine.Refuse("%s has no books", c.Input.Place)
						}
						if c.Input.Place == "swallow" {
							_ = tx.Exec("INSERT INTO no_such_table VALUES (1)").Error
							return nil
						}
						if c.Input.Place == "boom" {
							panic("boom")
						}
						if c.Input.Place == "fault" {
							return fmt.Errorf("the books are on fire")
						}
						return tx.Create(&parcelScan{Parcel: c.Subject.ID, Version: c.Version, Place: c.Input.Place}).Error
					}))},
			{Event: "load", From: []engine.State{"posted"}, To: "loaded", Actions: announceAll},
			{Event: "deliver", From: []engine.State{"loaded"}, To: "delivered",
				Guards: []engine.Guard[parcel]{
					engine.Check("light enough", func(c c) error {
						if c.Subject.Weight > 1000 {
							return fmt.Errorf("%d g are too heavy", c.Subject.Weight)
						}
						return nil
					}),
					engine.Check("not negative", func(c c) error {
						if c.Subject.Weight > 5000 {
							return fmt.Errorf("far too heavy")
						}
						return nil
					}),
				}, Actions: append(announceAll, engine.Set("note", func(c c, fx *engine.Effects) error {
					c.Subject.Note = "delivered"
					fx.Stop("expiry")
					return nil
				}))},
			{Event: "bounce", From: []engine.State{"loaded"}, To: "returned", Actions: announceAll},
			{Event: "retry", From: []engine.State{"returned"}, To: "loaded", Actions: announceAll},
			{Event: "lose", From: []engine.State{"posted", "loaded", "returned"}, To: "lost", Actions: announceAll},
			{Event: "expire", From: []engine.State{"posted"}, To: "archived", Actions: announceAll},
			{Event: "archive", From: []engine.State{"delivered", "lost"}, To: "archived", Actions: announceAll},
			{Event: "complain", From: []engine.State{"delivered"}, To: "delivered", Actions: announceAll},
		},
	}
}

func parcelKit(tb testing.TB) enginetest.Kit[parcel] {
	return enginetest.Kit[parcel]{
		Machine: parcelMachine(tb),
		New:     func(n int) *parcel { return &parcel{ID: fmt.Sprintf("p%d", n)} },
		Input: func(_ parcel, edge engine.DescribedEdge) any {
			switch edge.Event {
			case "post":
				return newParcel{Weight: 500}
			case "scan", "complain":
				return scan{Place: "depot"}
			}
			return nil
		},
		Prepare: prepareParcels,
	}
}

// prepareParcels creates the tables of the parcels.
func prepareParcels(db *gorm.DB) error { return db.AutoMigrate(&parcel{}, &parcelScan{}) }
