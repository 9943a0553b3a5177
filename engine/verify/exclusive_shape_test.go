package verify_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
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

// listed has a column that gorm serializes, held one that is stored as it is or by its own Value.
type listed[V any] struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"<-:create;size:64" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
	Data    V      `gorm:"serializer:json;type:text"`
}

type held[V any] struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"<-:create;size:64" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
	Data    V      `gorm:"type:text"`
}

func (listed[V]) TableName() string { return "safes" }
func (held[V]) TableName() string   { return "safes" }

type street struct{ City string }

type lane struct{ City string }

type streetZip struct{ City, Zip string }

type renamed struct {
	City string `json:"city"`
}

type tree struct {
	Name string
	Kids []*tree
}

type taller struct {
	Name string
	Kids []*taller
	Age  int64
}

// small and large are the same column of two deploys, each with its own way to be stored.
type small struct{ City string }

type large struct{ City, Zip string }

func (s small) Value() (driver.Value, error) { return text(s) }
func (s *small) Scan(v any) error            { return scan(v, s) }
func (l large) Value() (driver.Value, error) { return text(l) }
func (l *large) Scan(v any) error            { return scan(v, l) }
func text(v any) (driver.Value, error)       { b, err := json.Marshal(v); return string(b), err }
func scan(stored, into any) error            { return json.Unmarshal(fmt.Append(nil, textOf(stored)), into) }
func textOf(stored any) string {
	if b, ok := stored.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(stored)
}

// What a column holds may be written in another way after a deploy, though nobody has written to the row. So
// rows of the deploy before are compared only where the shape of each column is the same.
func TestAColumnWhoseShapeChangesMakesNoFinding(t *testing.T) {
	city, maybe := street{"Oslo"}, "Oslo"
	for name, deploy := range map[string]func(*testing.T, *gorm.DB, bool){
		"a struct grows":           deploys(listed[street]{Data: city}, listed[streetZip]{}),
		"a struct shrinks":         deploys(listed[streetZip]{Data: streetZip{"Oslo", "1"}}, listed[street]{}),
		"a field has another name": deploys(listed[street]{Data: city}, listed[renamed]{}),
		"a struct in a list grows": deploys(listed[[]street]{Data: []street{city}}, listed[[]streetZip]{}),
		"a struct in a map grows":  deploys(listed[map[string]*street]{Data: map[string]*street{"a": &city}}, listed[map[string]*streetZip]{}),
		"a tree grows":             deploys(listed[tree]{Data: tree{"a", []*tree{{Name: "b"}}}}, listed[taller]{}),
		"a valuer grows":           deploys(held[small]{Data: small(city)}, held[large]{}),
		"a text becomes bytes":     deploys(held[string]{Data: maybe}, held[[]byte]{}),
		"a text becomes a pointer": deploys(held[string]{}, held[*string]{}),
		"a pointer becomes a text": deploys(held[*string]{}, held[string]{}),
		"a text becomes JSON":      deploys(held[string]{Data: `{"City": "Oslo"}`}, listed[street]{}),
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { deploy(t, db, false) })
		})
	}
}

// Another name of a Go type changes nothing of what it stores, and neither does a wider number.
func TestAColumnOfTheSameShapeIsComparedAcrossDeploys(t *testing.T) {
	for name, deploy := range map[string]func(*testing.T, *gorm.DB, bool){
		"a struct is renamed":  deploys(listed[street]{Data: street{"Oslo"}}, listed[lane]{}),
		"a text gets a type":   deploys(held[string]{Data: "Oslo"}, held[engine.State]{}),
		"a number gets larger": deploys(held[int32]{Data: 7}, held[int64]{}),
		"a number in a struct": deploys(listed[map[string]int32]{Data: map[string]int32{"a": 1}}, listed[map[string]int64]{}),
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { deploy(t, db, true) })
		})
	}
}

// deploys makes rows under one deploy and moves one of them under the next. compared says whether the
// second knows the rows of the first.
func deploys[A, B any](row A, _ B) func(*testing.T, *gorm.DB, bool) {
	return func(t *testing.T, db *gorm.DB, compared bool) {
		ctx := context.Background()
		one := safeMachine(t, func(*A, int64, time.Time) {})
		two := safeMachine(t, func(*B, int64, time.Time) {})
		require.NoError(t, db.AutoMigrate(&row))
		e, err := engine.New(db, engine.Config{}, one)
		require.NoError(t, err)
		for _, id := range []string{"a", "b"} {
			r := row
			require.NoError(t, named(&r, id))
			_, err := engine.Create(ctx, e, &r, engine.Request{Machine: "safe"})
			require.NoError(t, err)
		}
		require.NoError(t, e.Close(ctx))
		e, err = engine.New(db, engine.Config{}, two)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close(ctx)) })
		opts := verify.Options{Machines: []engine.AnyMachine{two}}
		assert.Empty(t, run(t, db, opts).Findings, "after the deploy")
		for by := range int64(2) {
			_, err = e.Apply(ctx, turnBy("a", by))
			require.NoError(t, err)
		}
		assert.Empty(t, run(t, db, opts).Findings, "after transitions")
		require.NoError(t, db.Exec(`UPDATE safes SET status = 'locked'`).Error)
		want := []string{"I7 safe a 3"}
		if compared {
			want = append(want, "I7 safe b 1")
		}
		var unchanged []string
		for _, f := range told(run(t, db, opts)) {
			if f[:2] == "I7" {
				unchanged = append(unchanged, f)
			}
		}
		assert.Equal(t, want, unchanged)
	}
}

// named gives a row of any type its id.
func named(row any, id string) error {
	return json.Unmarshal(fmt.Appendf(nil, `{"ID":%q}`, id), row)
}
