package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// trunk is a row that code from before the engine writes as well.
type trunk struct {
	ID       uint64 `gorm:"primaryKey"`
	Customer string `gorm:"size:64" engine:"shared"` // old code goes on writing it
	Status   string `gorm:"<-:create" engine:"state"`
	Tracking string `gorm:"size:64"`
	Version  int64  `gorm:"<-:create" engine:"version"`
}

// Two types of old code for the same table: as it was, and with the columns of the transitions taken from it.
type (
	oldTrunk struct {
		ID                         uint64
		Customer, Status, Tracking string
	}
	tamedTrunk struct {
		ID       uint64
		Customer string
		Status   string `gorm:"<-:create"`
		Tracking string `gorm:"<-:create"`
	}
)

func (oldTrunk) TableName() string   { return "trunks" }
func (tamedTrunk) TableName() string { return "trunks" }

type shipment struct {
	Tracking string `json:"tracking"`
}

func trunkMachine(t *testing.T, exclusive bool) *engine.Machine[trunk] {
	t.Helper()
	m, err := engine.NewMachine(engine.Definition[trunk]{
		Name: "trunk", Exclusive: exclusive,
		Stored: map[engine.State]any{"paid": "PAID", "in_transit": "IN TRANSIT", "delivered": "DELIVERED"},
		Events: map[engine.Event]engine.Spec{"place": {}, "ship": {Input: shipment{}}, "deliver": {}},
		Edges: []engine.Edge[trunk]{
			{Event: "place", To: "paid"},
			{Event: "ship", From: []engine.State{"paid"}, To: "in_transit", Actions: []engine.Action[trunk]{
				engine.Set("track", func(c engine.Call[trunk, shipment], _ *engine.Effects) error {
					c.Subject.Tracking = c.Input.Tracking
					return nil
				}),
			}},
			{Event: "deliver", From: []engine.State{"in_transit"}, To: "delivered"},
		},
	})
	require.NoError(t, err)
	return m
}

// shippedAs compares a column with the input that made it, which a dry run of the same event is answered with.
func shippedAs(e *engine.Engine) verify.Check {
	return verify.Check{Name: "tracking", Run: func(ctx context.Context, db *gorm.DB, found func(verify.Finding)) error {
		var rows []trunk
		return db.Where("status <> ?", "PAID").FindInBatches(&rows, 500, func(*gorm.DB, int) error {
			for _, row := range rows {
				id := fmt.Sprint(row.ID)
				r, err := e.Apply(ctx, engine.Request{Machine: "trunk", ID: id, Event: "ship", DryRun: true})
				if err != nil {
					return err
				}
				var by shipment
				if err := json.Unmarshal(r.Proof.Input, &by); err != nil {
					return err
				}
				if row.Tracking != by.Tracking {
					found(verify.Finding{Machine: "trunk", Subject: id})
				}
			}
			return nil
		}).Error
	}}
}

// Code from before the engine reads a row, the row is shipped, and then that code writes what it has read.
func TestAStaleSaveOfOldCode(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		status := "status VARCHAR(16) NOT NULL"
		if db.Name() == "mysql" {
			status = "status ENUM('PAID','IN TRANSIT','DELIVERED') NOT NULL"
		}
		require.NoError(t, db.Exec("CREATE TABLE trunks (id BIGINT PRIMARY KEY, customer VARCHAR(64) NOT NULL, "+status+
			", tracking VARCHAR(64) NOT NULL DEFAULT '', version BIGINT NOT NULL DEFAULT 0)").Error)
		id := uint64(0)
		for name, scene := range map[string]struct {
			exclusive bool
			save      func(read trunk) *gorm.DB
			found     string // by verify without a check of one's own
			checked   bool   // whether such a check finds it
		}{
			"of a type that knows no engine": {save: func(p trunk) *gorm.DB {
				return db.Save(&oldTrunk{p.ID, "new", p.Status, p.Tracking})
			}, found: verify.Head, checked: true},
			"of the machine's type": {save: func(p trunk) *gorm.DB { return db.Save(&p) }, checked: true},
			"of the machine's type, exclusive": {
				exclusive: true, save: func(p trunk) *gorm.DB { return db.Save(&p) }, found: verify.Unchanged, checked: true,
			},
			"by Select": {exclusive: true, save: func(p trunk) *gorm.DB { return db.Model(&p).Select("customer").Updates(&p) }},
			"by Omit":   {exclusive: true, save: func(p trunk) *gorm.DB { return db.Omit("tracking").Save(&p) }},
			"of a type with tags": {exclusive: true, save: func(p trunk) *gorm.DB {
				return db.Save(&tamedTrunk{p.ID, p.Customer, p.Status, p.Tracking})
			}},
		} {
			id++
			t.Run(name, func(t *testing.T) {
				m := trunkMachine(t, scene.exclusive)
				e, err := engine.New(db, engine.Config{}, m)
				require.NoError(t, err)
				defer func() { require.NoError(t, e.Close(context.Background())) }()
				_, err = engine.Create(t.Context(), e, &trunk{ID: id, Customer: "old"}, engine.Request{Machine: "trunk"})
				require.NoError(t, err)
				ask := func(event engine.Event, input any) {
					_, err := e.Apply(t.Context(), engine.Request{Machine: "trunk", ID: fmt.Sprint(id), Event: event, Input: input})
					require.NoError(t, err)
				}
				var read, now trunk
				require.NoError(t, db.First(&read, id).Error)
				ask("ship", shipment{"1Z"})
				read.Customer = "new"
				saved := scene.save(read)
				require.NoError(t, saved.Error)
				require.EqualValues(t, 1, saved.RowsAffected)

				require.NoError(t, db.First(&now, id).Error)
				require.Equal(t, "new", now.Customer)
				require.Equal(t, scene.checked, now.Tracking == "")
				opts := verify.Options{Machines: []engine.AnyMachine{m}}
				require.Equal(t, scene.found, trunkFindings(t, db, opts))
				if now.Status == "IN TRANSIT" {
					ask("deliver", nil) // it hides nothing
					require.Equal(t, scene.found, trunkFindings(t, db, opts))
				}
				opts.Extra = []verify.Check{shippedAs(e)}
				want := scene.found
				if scene.checked && now.Status == "IN TRANSIT" {
					want += "tracking"
				}
				require.Equal(t, want, trunkFindings(t, db, opts))
				require.NoError(t, db.Exec("DELETE FROM trunks").Error)
				require.NoError(t, db.Exec("DELETE FROM engine_transitions").Error)
			})
		}
	})
}

// trunkFindings are the invariants that are broken.
func trunkFindings(t *testing.T, db *gorm.DB, opts verify.Options) (all string) {
	t.Helper()
	report, err := verify.Run(t.Context(), db, opts)
	require.NoError(t, err)
	for _, f := range report.Findings {
		all += f.Invariant
	}
	return all
}
