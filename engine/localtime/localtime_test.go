package localtime_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/localtime"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/engine/verify"
)

// booking is a row of a table that an older program shares, to which all times are Shanghai's.
type booking struct {
	ID        string     `gorm:"primaryKey;size:64" engine:"id"`
	Status    string     `gorm:"<-:create;size:16" engine:"state"`
	Version   int64      `gorm:"<-:create;not null;default:0" engine:"version"`
	From      time.Time  `gorm:"column:from_at;serializer:shanghai"`
	Until     *time.Time `gorm:"serializer:shanghai"`
	Left      *time.Time `gorm:"serializer:shanghai"`
	CreatedAt time.Time  `gorm:"serializer:shanghai"`
	UpdatedAt time.Time  `gorm:"serializer:shanghai"`
}

// oldBooking is what the older program makes of it.
type oldBooking struct {
	ID        string
	Status    string
	Version   int64
	From      time.Time `gorm:"column:from_at"`
	Until     *time.Time
	Left      *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

func (oldBooking) TableName() string { return "bookings" }

var (
	at       = time.Date(2026, 7, 1, 18, 30, 0, 123_456_000, time.UTC) // the day after, in Shanghai
	shanghai = time.FixedZone("Shanghai", 8*3600)
)

func bookings(t *testing.T, db *gorm.DB) (*engine.Engine, *engine.Machine[booking]) {
	schema.RegisterSerializer("shanghai", localtime.In(shanghai))
	require.NoError(t, db.AutoMigrate(&booking{}))
	m, err := engine.NewMachine(engine.Definition[booking]{
		Name: "booking", Exclusive: true, Events: map[engine.Event]engine.Spec{"book": {}, "leave": {}},
		Edges: []engine.Edge[booking]{
			{Event: "book", To: "booked"},
			{Event: "leave", From: []engine.State{"booked"}, To: "left", Actions: []engine.Action[booking]{
				engine.Set("left", func(c engine.Call[booking, engine.NoInput], _ *engine.Effects) error {
					c.Subject.Left = &c.Now
					return nil
				}),
			}},
		},
	})
	require.NoError(t, err)
	e, err := engine.New(db, engine.Config{Now: func() time.Time { return at }}, m)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close(context.Background())) })
	return e, m
}

func TestColumnsKeepTheWallClockOfTheirPlace(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e, m := bookings(t, db)
		until := at.Add(time.Hour)
		row := booking{ID: "b", From: at, Until: &until}
		key := engine.Key{Source: "test", Seq: "1"}
		_, err := engine.Create(t.Context(), e, &row, engine.Request{Machine: "booking", Key: key})
		require.NoError(t, err)
		again := booking{ID: "c", From: at.In(shanghai), Until: &until}
		r, err := engine.Create(t.Context(), e, &again, engine.Request{Machine: "booking", Key: key})
		require.NoError(t, err)
		assert.Equal(t, engine.Replayed, r.Detail, "the same moment in another zone")
		_, err = e.Apply(t.Context(), engine.Request{Machine: "booking", ID: "b", Event: "leave"})
		require.NoError(t, err)

		got, err := engine.Load[booking](t.Context(), e, "booking", "b")
		require.NoError(t, err)
		for name, moment := range map[string]time.Time{"from": got.From, "left": *got.Left, "created": got.CreatedAt, "updated": got.UpdatedAt} {
			assert.True(t, moment.Truncate(time.Second).Equal(at.Truncate(time.Second)), "%s: %v", name, moment)
		}
		assert.True(t, got.Until.Truncate(time.Second).Equal(until.Truncate(time.Second)))
		for _, column := range []string{"from_at", "left", "created_at", "updated_at"} {
			var text string
			require.NoError(t, db.Raw("SELECT CAST(`"+column+"` AS CHAR) FROM bookings WHERE id = 'b'").Row().Scan(&text))
			assert.Equal(t, "2026-07-02 02:30:00", text[:19], column)
		}
		report, err := verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}, MaxFindings: 10})
		require.NoError(t, err)
		assert.Empty(t, report.Findings)
	})
}

func TestAnOlderProgramSharesTheTable(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		dsn := s.DSN(t)
		db, err := mysqldb.Open(dsn)
		require.NoError(t, err)
		closeAtEnd(t, db)
		require.NoError(t, engine.Migrate(t.Context(), db))
		old, err := gorm.Open(gormmysql.Open(dsn+"?parseTime=true&loc=Asia%2FShanghai"), &gorm.Config{Logger: logger.Discard})
		require.NoError(t, err)
		closeAtEnd(t, old)
		_, err = engine.New(old, engine.Config{})
		require.ErrorContains(t, err, "DATETIME columns that hold local time are read by engine/localtime")

		e, _ := bookings(t, db)
		require.NoError(t, old.Create(&oldBooking{ID: "o", Status: "booked", From: at}).Error)
		_, err = e.Apply(t.Context(), engine.Request{Machine: "booking", ID: "o", Event: "leave"})
		require.NoError(t, err)
		got, err := engine.Load[booking](t.Context(), e, "booking", "o")
		require.NoError(t, err)
		assert.True(t, got.From.Equal(at), "what it wrote is read: %v", got.From)
		assert.Nil(t, got.Until)
		var theirs oldBooking
		require.NoError(t, old.Take(&theirs, "id = 'o'").Error)
		assert.True(t, theirs.Left.Equal(at), "it reads what was written: %v", theirs.Left)
		assert.True(t, theirs.UpdatedAt.Equal(at), "%v", theirs.UpdatedAt)
	})
}

func closeAtEnd(t *testing.T, db *gorm.DB) {
	t.Cleanup(func() {
		pool, err := db.DB()
		require.NoError(t, err)
		require.NoError(t, pool.Close())
	})
}
