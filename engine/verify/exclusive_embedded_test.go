package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

type parcel struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"<-:create;size:64" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
	*Seen
	Ship  *Ship  `gorm:"embedded;embeddedPrefix:ship_"`
	Plain *Plain `gorm:"embedded;embeddedPrefix:plain_"`
}

func (parcel) TableName() string { return "safes" }

// Seen, Ship and Plain are exported for gorm.
type (
	Seen struct {
		UpdatedAt time.Time `gorm:"precision:6"`
	}
	Ship struct {
		Street string `gorm:"size:64"`
		Zip    *int64
		Photo  []byte
		Tags   map[string]int `gorm:"serializer:json"`
		Deep   *Plain         `gorm:"embedded;embeddedPrefix:deep_"`
	}
	Plain struct {
		City  string `gorm:"size:64"`
		Count int64
	}
)

// A struct behind an embedded pointer comes, changes and goes with its columns, which are null without it.
func TestAnEmbeddedPointerMayComeAndGo(t *testing.T) {
	zip := int64(7)
	changes := []func(*parcel){
		func(*parcel) {},
		func(p *parcel) { p.Ship = &Ship{Street: "Main"} },
		func(p *parcel) { p.Ship.Zip, p.Ship.Deep, p.Plain = &zip, &Plain{Count: 1}, &Plain{"Oslo", 2} },
		func(p *parcel) { p.Ship.Street, p.Ship.Deep.City, p.Plain.Count = "High", "Rome", 3 },
		func(p *parcel) { p.Ship.Street, p.Ship.Deep, p.Plain = "Low", nil, &Plain{} },
		func(p *parcel) { p.Ship, p.Plain = nil, nil },
		func(p *parcel) { p.Ship = &Ship{} },
		func(p *parcel) { p.Ship = nil },
	}
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		ctx := context.Background()
		require.NoError(t, db.AutoMigrate(&parcel{}))
		m := safeMachine(t, func(p *parcel, by int64, _ time.Time) { changes[by%100](p) })
		e, err := engine.New(db, engine.Config{}, m)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close(ctx)) })
		opts := verify.Options{Machines: []engine.AnyMachine{m}}
		for _, row := range []*parcel{{ID: "none"}, {ID: "some", Ship: &Ship{Street: "Main"}, Plain: &Plain{}}} {
			_, err := engine.Create(ctx, e, row, engine.Request{Machine: "safe"})
			require.NoError(t, err)
		}
		nulls := func() (n int) {
			require.NoError(t, db.Raw(`SELECT COUNT(*) FROM safes WHERE id = 'none' AND ship_street IS NULL AND ship_zip IS NULL
				AND ship_photo IS NULL AND ship_tags IS NULL AND ship_deep_city IS NULL AND ship_deep_count IS NULL
				AND plain_city IS NULL AND plain_count IS NULL`).Scan(&n).Error)
			return n
		}
		assert.Equal(t, 1, nulls(), "as it was made")
		for by := range changes {
			_, err := e.Apply(ctx, turnBy("none", int64(by)))
			require.NoError(t, err)
			assert.Empty(t, run(t, db, opts).Findings, "change %d", by)
		}
		assert.Equal(t, 1, nulls(), "as it was left")
		var all []engine.Request
		for by := range changes {
			all = append(all, turnBy("none", int64(100+by)))
		}
		for _, r := range e.ApplyAll(ctx, all) {
			require.Equal(t, engine.Applied, r.Outcome, r.Err())
		}
		assert.Empty(t, run(t, db, opts).Findings, "all at once")
		assert.Equal(t, 1, nulls(), "all at once")
		require.NoError(t, db.Exec(`UPDATE safes SET plain_count = 9`).Error)
		assert.Equal(t, []string{"I7 safe none 17", "I7 safe some 1"}, told(run(t, db, opts)))
	})
}
