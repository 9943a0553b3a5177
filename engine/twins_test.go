package engine_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// drink takes the one coin there is out of a purse, which is no subject.
type drink struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"size:16;<-:create" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
}

type purse struct {
	ID    int64 `gorm:"primaryKey"`
	Coins int64
}

func drinkMachine(t testing.TB) *engine.Machine[drink] {
	m, err := engine.NewMachine(engine.Definition[drink]{
		Name:   "drink",
		Events: map[engine.Event]engine.Spec{"buy": {Factual: true}},
		Edges: []engine.Edge[drink]{{Event: "buy", To: "bought", Actions: []engine.Action[drink]{
			engine.Exec("pay", func(ctx context.Context, tx *gorm.DB, _ engine.Call[drink, engine.NoInput]) error {
				done := tx.Exec("UPDATE purses SET coins = coins - 1 WHERE id = 1 AND coins >= 1")
				if done.Error == nil && done.RowsAffected == 0 {
					return engine.Refuse("the purse is empty")
				}
				return done.Error
			}),
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Twins wait for each other inside an SQL action, and the first takes what it needs. The others are
// told of its success and not of what it has left, because it was the same request.
func TestATwinThatTookTheLastIsNoRefusal(t *testing.T) {
	for name, buy := range map[string]func(*testing.T, *engine.Engine, *gorm.DB, string) (engine.Result, error){
		"alone": func(t *testing.T, e *engine.Engine, _ *gorm.DB, id string) (engine.Result, error) {
			return engine.Create(t.Context(), e, &drink{ID: id}, engine.Request{Machine: "drink", Key: engine.Key{Source: "principal:a", Seq: "1"}})
		},
		"in the caller's transaction": func(t *testing.T, e *engine.Engine, db *gorm.DB, id string) (r engine.Result, err error) {
			for range 100 { // a deadlock is the caller's to retry
				err = db.Transaction(func(tx *gorm.DB) error {
					r, err = engine.CreateTx(t.Context(), e, tx, &drink{ID: id}, engine.Request{Machine: "drink", Key: engine.Key{Source: "principal:a", Seq: "1"}})
					return err
				})
				var deadlock *mysql.MySQLError
				if !errors.As(err, &deadlock) || deadlock.Number != 1213 {
					break
				}
			}
			return r, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
				if err := db.AutoMigrate(&drink{}, &purse{}); err != nil {
					t.Fatal(err)
				}
				if err := db.Create(&purse{ID: 1, Coins: 1}).Error; err != nil {
					t.Fatal(err)
				}
				e, err := engine.New(db, engine.Config{}, drinkMachine(t))
				if err != nil {
					t.Fatal(err)
				}
				defer shut(t, e)
				const twins = 24
				results, errs := make([]engine.Result, twins), make([]error, twins)
				start := make(chan struct{})
				var all sync.WaitGroup
				for i := range twins {
					all.Go(func() {
						<-start
						results[i], errs[i] = buy(t, e, db, fmt.Sprint("d", i))
					})
				}
				close(start)
				all.Wait()
				applied := 0
				for i, r := range results {
					switch {
					case r.Outcome == engine.Applied:
						applied++
					case r.Outcome != engine.Already || r.Detail != engine.Replayed:
						t.Errorf("a twin was answered %s/%s: %v", r.Outcome, r.Detail, errs[i])
					}
				}
				if applied != 1 {
					t.Errorf("%d twins applied", applied)
				}
				// Another request finds the purse empty.
				r, _ := engine.Create(t.Context(), e, &drink{ID: "other"}, engine.Request{Machine: "drink", Key: engine.Key{Source: "principal:a", Seq: "2"}})
				if r.Outcome != engine.Illegal || r.Detail != engine.GuardRefused {
					t.Errorf("another request was answered %s/%s", r.Outcome, r.Detail)
				}
			})
		})
	}
}

// Twins go on committing while a batch reads, one more at every look. The batch gives up looking and
// locks; its requests are told of the twins' successes.
// The same with a caller whose snapshot is older than the twin: SQL sees the empty purse, and the key is
// looked for where it is written, not in the snapshot.
func TestATwinThatTookTheLastIsFoundPastTheCallersSnapshot(t *testing.T) {
	db := enginetest.MySQL(t)
	if err := db.AutoMigrate(&drink{}, &purse{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Create(&purse{ID: 1, Coins: 1}).Error; err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, drinkMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, e)
	r := engine.Request{Machine: "drink", Key: engine.Key{Source: "principal:a", Seq: "1"}}
	tx := db.Begin(&sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	defer tx.Rollback()
	var n int64
	if err := tx.Model(&purse{}).Count(&n).Error; err != nil { // takes the snapshot
		t.Fatal(err)
	}
	if _, err := engine.Create(t.Context(), e, &drink{ID: "theirs"}, r); err != nil {
		t.Fatal(err)
	}
	result, err := engine.CreateTx(t.Context(), e, tx, &drink{ID: "mine"}, r)
	if err != nil || result.Outcome != engine.Already || result.ID != "theirs" {
		t.Errorf("%+v, %v", result, err)
	}
	if err := tx.Commit().Error; err != nil {
		t.Error(err)
	}
}

func TestTwinsThatKeepComing(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e, calls := lampEngine(t, db)
		other, err := engine.New(db, engine.Config{}, lampMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Close(t.Context()) }()
		const n = 40
		install := func(a engine.Applier, who string, i int) (engine.Result, error) {
			return engine.Create(t.Context(), a, &lamp{ID: fmt.Sprint(who, i)},
				engine.Request{Machine: "lamp", Key: engine.Key{Source: "principal:a", Seq: fmt.Sprint(i)}})
		}
		var answers enginetest.Answers
		come, writing := 0, false
		calls.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind != enginetest.CallQuery {
				writing = true // a second writer would only wait from here on
			}
			if !writing && come < n {
				if _, err := install(answers.Through(other), "twin-", come); err != nil {
					t.Error(err)
				}
				come++
			}
			return enginetest.NoFault
		})
		g, results := &gathering{Engine: e, want: n, all: make(chan struct{})}, make([]engine.Result, n)
		var callers sync.WaitGroup
		for i := range n {
			callers.Go(func() { results[i], _ = install(answers.Through(g), "mine-", i) })
		}
		callers.Wait()
		calls.Decide(nil)
		answers.Check(t, db)
		if come < 5 {
			t.Errorf("only %d twins came", come)
		}
		for i, r := range results {
			want := engine.Applied
			if i < come {
				want = engine.Already
			}
			if r.Outcome != want {
				t.Errorf("%d of %d: %s/%s, %v", i, come, r.Outcome, r.Detail, r.Err())
			}
		}
	})
}

// gathering hands requests over together, once so many have come.
type gathering struct {
	*engine.Engine
	want int
	all  chan struct{} // closed when they are answered

	mu       sync.Mutex
	requests []engine.Request
	results  []engine.Result
}

func (g *gathering) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	g.mu.Lock()
	i := len(g.requests)
	g.requests = append(g.requests, r)
	last := len(g.requests) == g.want
	g.mu.Unlock()
	if last {
		g.results = g.ApplyAll(ctx, g.requests)
		close(g.all)
	}
	<-g.all
	return g.results[i], g.results[i].Err()
}
