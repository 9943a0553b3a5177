package verify_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// safe is the row of an exclusive machine, with a column of every kind.
type safe struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"<-:create;size:64" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`

	Text  string
	Maybe *string
	Word  sql.NullString
	Open  bool
	Small int8
	Many  uint32
	Share float64
	Bytes []byte
	Tags  map[string]int `gorm:"serializer:json"`
	At    time.Time      `gorm:"precision:6"`
	Until *time.Time     `gorm:"precision:6"`
	Kind  string         `gorm:"default:plain;size:16"`
	Inside
	Visits int64 `engine:"shared"` // counted by others

	CreatedAt time.Time `gorm:"precision:6"`
	UpdatedAt time.Time `gorm:"precision:6"`
}

// Inside is exported for gorm.
type Inside struct{ Gold, Silver int64 }

func (safe) TableName() string { return "safes" }

type turn struct {
	By int64 `json:"by"`
}

func safeMachine[S any](t testing.TB, change func(*S, int64, time.Time)) *engine.Machine[S] {
	t.Helper()
	set := engine.Set("turn", func(c engine.Call[S, turn], _ *engine.Effects) error {
		change(c.Subject, c.Input.By, c.Now)
		return nil
	})
	m, err := engine.NewMachine(engine.Definition[S]{
		Name: "safe", Exclusive: true,
		Events: map[engine.Event]engine.Spec{"build": {}, "turn": {Input: turn{}, Repeatable: true}, "lock": {}},
		Edges: []engine.Edge[S]{
			{Event: "build", To: "open"},
			{Event: "turn", From: []engine.State{"open"}, To: "open", Actions: []engine.Action[S]{set}},
			{Event: "lock", From: []engine.State{"open"}, To: "locked"},
		},
	})
	require.NoError(t, err)
	return m
}

// turned changes a column of every kind, to values that are stored in a way of their own.
func turned(s *safe, by int64, now time.Time) {
	elsewhere := now.In(time.FixedZone("elsewhere", 5*3600)).Add(time.Duration(by))
	word := fmt.Sprintf("ü%d ", by)
	s.Text, s.Open, s.Small, s.Many, s.Share = word, !s.Open, int8(-by), uint32(by), float64(by)/3
	s.At, s.Gold = elsewhere, -by
	switch by % 3 {
	case 0:
		s.Maybe, s.Until, s.Bytes, s.Word, s.Tags, s.Kind = nil, nil, nil, sql.NullString{}, nil, ""
	case 1:
		empty := ""
		s.Maybe, s.Until, s.Bytes, s.Word, s.Tags = &empty, &elsewhere, []byte{}, sql.NullString{Valid: true}, map[string]int{}
	case 2:
		s.Maybe, s.Until, s.Bytes, s.Word = &word, &elsewhere, []byte{0, 255}, sql.NullString{String: word, Valid: true}
		s.Tags = map[string]int{"b": 2, "a": 1}
	}
}

func safes(t testing.TB, db *gorm.DB) (*engine.Engine, verify.Options) {
	t.Helper()
	m := safeMachine(t, turned)
	require.NoError(t, db.AutoMigrate(&safe{}))
	e, err := engine.New(db, engine.Config{}, m)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e, verify.Options{Machines: []engine.AnyMachine{m}}
}

func build(t testing.TB, e *engine.Engine, row *safe) {
	t.Helper()
	_, err := engine.Create(context.Background(), e, row, engine.Request{Machine: "safe"})
	require.NoError(t, err)
}

func turnBy(id string, by int64) engine.Request {
	return engine.Request{Machine: "safe", ID: id, Event: "turn", Input: turn{by}, Key: engine.Key{Source: "test", Seq: fmt.Sprintf("%s-%d", id, by)}}
}

// captured is an Applier that keeps a creation for ApplyAll, as a batcher does.
type captured struct{ engine.Request }

func (c *captured) Apply(_ context.Context, r engine.Request) (engine.Result, error) {
	c.Request = r
	return engine.Result{}, nil
}

func (*captured) ApplyAll(context.Context, []engine.Request) []engine.Result { return nil }

// Whatever the columns hold, and whether a row was made, adopted, moved alone or in one update with
// others: what a transition remembers of it is what is read later.
func TestARowIsAsItsTransitionRemembersIt(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e, opts := safes(t, db)
		now := time.Date(2026, 11, 25, 8, 0, 0, 123456789, time.FixedZone("elsewhere", -3*3600))
		build(t, e, &safe{ID: "plain", At: now})
		build(t, e, &safe{ID: "given", At: now, Until: &now, CreatedAt: now, Kind: "odd", Tags: map[string]int{"x": 1}})
		var folded captured
		_, _ = engine.Create(context.Background(), &folded, &safe{ID: "folded", At: now}, engine.Request{Machine: "safe"})
		for _, r := range e.ApplyAll(context.Background(), []engine.Request{folded.Request, turnBy("folded", 0), turnBy("folded", 3)}) {
			require.Equal(t, engine.Applied, r.Outcome, r.Err())
		}
		require.NoError(t, db.Exec(`INSERT INTO safes (id, status, version, text, at, gold, silver, visits, small, many, share, open, created_at, updated_at)
			SELECT 'old', status, 0, text, at, 1, 2, 3, 4, 5, 6, 1, created_at, updated_at FROM safes WHERE id = 'plain'`).Error)
		require.NoError(t, db.Exec(`INSERT INTO safes (id, status, version, text, at, gold, silver, visits, small, many, share, open, created_at, updated_at)
			SELECT 'older', status, 0, text, at, 1, 2, 3, 4, 5, 6, 1, created_at, updated_at FROM safes WHERE id = 'plain'`).Error)
		var all []engine.Request
		for _, id := range []string{"plain", "given", "old"} {
			for by := range int64(7) {
				all = append(all, turnBy(id, by))
			}
		}
		for _, r := range e.ApplyAll(context.Background(), all) {
			require.Equal(t, engine.Applied, r.Outcome, r.Err())
		}
		_, err := e.Adopt(context.Background(), "safe", 10)
		require.NoError(t, err)
		for by := range int64(4) {
			_, err := e.Apply(context.Background(), turnBy("older", by))
			require.NoError(t, err)
		}
		require.NoError(t, db.Exec(`UPDATE safes SET visits = visits + 1`).Error)
		report := run(t, db, opts)
		assert.Empty(t, report.Findings)
		assert.EqualValues(t, 5, report.Subjects)
		assert.Empty(t, run(t, db, verify.Options{Machines: opts.Machines}.InSmallParts(1, 2, 1)).Findings)
	})
}

// Each column is covered, but for those that are shared.
func TestAColumnChangedBehindAnExclusiveMachineIsFound(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e, opts := safes(t, db)
		build(t, e, &safe{ID: "s", At: time.Now()})
		_, err := e.Apply(context.Background(), turnBy("s", 2))
		require.NoError(t, err)
		require.NoError(t, db.Exec(`CREATE TABLE kept AS SELECT * FROM safes`).Error)
		for _, change := range []string{
			`text = ''`, `maybe = NULL`, `word = NULL`, `open = NOT open`, `small = 3`, `many = 4`, `share = share + 1`, `bytes = NULL`,
			`tags = '{"a":1}'`, `at = created_at`, `until = NULL`, `kind = 'odd'`, `gold = 7`, `silver = 7`, `created_at = at`, `updated_at = created_at`,
		} {
			require.NoError(t, db.Exec(`UPDATE safes SET `+change).Error)
			assert.Equal(t, []string{"I7 safe s 2"}, told(run(t, db, opts)), change)
			require.NoError(t, db.Exec(`DELETE FROM safes`).Error)
			require.NoError(t, db.Exec(`INSERT INTO safes SELECT * FROM kept`).Error)
		}
		assert.Empty(t, run(t, db, opts).Findings)
		require.NoError(t, db.Exec(`UPDATE safes SET tags = '{'`).Error)
		assert.Equal(t, []string{"I7 safe s 0"}, told(run(t, db, opts)), "what cannot be read stops nothing")
	})
}

// A transition on top of a foreign change does not cover it up.
func TestAChangeStaysFoundAfterTheNextTransition(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e, opts := safes(t, db)
		build(t, e, &safe{ID: "s", At: time.Now()})
		require.NoError(t, db.Exec(`UPDATE safes SET silver = 7`).Error)
		for by := range int64(3) {
			_, err := e.Apply(context.Background(), turnBy("s", by))
			require.NoError(t, err)
		}
		assert.Equal(t, []string{"I7 safe s 2"}, told(run(t, db, opts)))
	})
}

// The next deploy has a column more, the one after it one less. What an earlier one has left is compared as
// far as it is known.
func TestAColumnMayComeAndGo(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		type Base struct {
			ID      string `gorm:"primaryKey;size:64" engine:"id"`
			Status  string `gorm:"<-:create;size:64" engine:"state"`
			Version int64  `gorm:"<-:create" engine:"version"`
		}
		type first struct {
			Base
			Gold int64
		}
		type second struct {
			Base
			Gold, Brass int64
		}
		type third struct {
			Base
			Brass int64
		}
		ctx := context.Background()
		one := safeMachine(t, func(s *first, by int64, _ time.Time) { s.Gold = by })
		two := safeMachine(t, func(s *second, by int64, _ time.Time) { s.Brass = by })
		three := safeMachine(t, func(s *third, by int64, _ time.Time) { s.Brass = by })
		deploy := func(m engine.AnyMachine, row any, tables ...string) (*engine.Engine, verify.Options) {
			if len(tables) > 0 {
				require.NoError(t, db.Exec(`ALTER TABLE `+tables[0]+` RENAME TO `+tables[1]).Error)
			}
			require.NoError(t, db.AutoMigrate(row))
			e, err := engine.New(db, engine.Config{}, m)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, e.Close(ctx)) })
			return e, verify.Options{Machines: []engine.AnyMachine{m}}
		}

		e, _ := deploy(one, &first{})
		for _, id := range []string{"a", "b"} {
			_, err := engine.Create(ctx, e, &first{Base: Base{ID: id}}, engine.Request{Machine: "safe"})
			require.NoError(t, err)
		}
		e, opts := deploy(two, &second{}, "firsts", "seconds")
		require.NoError(t, db.Exec(`UPDATE seconds SET brass = 5`).Error) // the migration fills it
		_, err := e.Apply(ctx, turnBy("a", 1))
		require.NoError(t, err)
		assert.Empty(t, run(t, db, opts).Findings)
		require.NoError(t, db.Exec(`UPDATE seconds SET gold = gold + 1`).Error)
		assert.Equal(t, []string{"I7 safe a 2", "I7 safe b 1"}, told(run(t, db, opts)))
		require.NoError(t, db.Exec(`UPDATE seconds SET gold = gold - 1`).Error)

		e, opts = deploy(three, &third{}, "seconds", "thirds")
		_, err = e.Apply(ctx, turnBy("a", 2))
		require.NoError(t, err)
		assert.Empty(t, run(t, db, opts).Findings)
		require.NoError(t, db.Exec(`UPDATE thirds SET brass = brass + 1`).Error)
		assert.Equal(t, []string{"I7 safe a 3"}, told(run(t, db, opts)))
	})
}

// A row type that may store something else than what is in memory cannot be exclusive.
func TestWhatIsStoredMustBeForeseen(t *testing.T) {
	type Base struct {
		ID      string `gorm:"primaryKey;size:64" engine:"id"`
		Status  string `gorm:"<-:create;size:64" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	type byDatabase struct {
		Base
		Serial string `gorm:"default:uuid()"`
		Share  float32
	}
	refusedAs := func(err error, texts ...string) {
		t.Helper()
		require.Error(t, err)
		for _, text := range texts {
			assert.ErrorContains(t, err, text)
		}
	}
	_, err := exclusive[byDatabase]()
	refusedAs(err, "cannot be exclusive", "field Serial: its default is the database's", "field Share: a float32")
	_, err = exclusive[hooked]()
	refusedAs(err, "BeforeSave may change", "AfterFind may change")

	type narrow struct {
		Base
		At    time.Time `gorm:"precision:0"`
		Price float64   `gorm:"type:decimal(10,2)"`
		Code  string    `gorm:"type:char(3)"`
	}
	db := enginetest.MySQL(t)
	m, err := exclusive[narrow]()
	require.NoError(t, err)
	require.NoError(t, db.AutoMigrate(&narrow{}))
	_, err = engine.New(db, engine.Config{}, m)
	refusedAs(err, "machine safe cannot be exclusive", "narrows.at: datetime(0)", "narrows.price: decimal", "narrows.code: char")
}

func exclusive[S any]() (*engine.Machine[S], error) {
	return engine.NewMachine(engine.Definition[S]{
		Name: "safe", Exclusive: true, SkipUpdateHooks: true, Events: map[engine.Event]engine.Spec{"build": {}}, Edges: []engine.Edge[S]{{Event: "build", To: "open"}},
	})
}

// hooked is a row that gorm changes on its way.
type hooked struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"<-:create;size:64" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
}

func (h *hooked) BeforeSave(*gorm.DB) error { return nil }
func (h *hooked) AfterFind(*gorm.DB) error  { return nil }
