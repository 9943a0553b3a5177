package engine_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// broken is a value that cannot be converted, for a reason that looks like the database's.
type broken struct{}

func (broken) Value() (driver.Value, error) { return nil, fmt.Errorf("open the key file: %w", io.EOF) }

// hatch is opened by an action that fails in a way of the test's choice.
type hatch struct {
	ID      string `gorm:"primaryKey;size:64" engine:"id"`
	Status  string `gorm:"size:16;<-:create" engine:"state"`
	Version int64  `gorm:"<-:create" engine:"version"`
}

func hatchMachine(t *testing.T, open func(context.Context, *gorm.DB, string) error) *engine.Machine[hatch] {
	type call = engine.Call[hatch, engine.NoInput]
	m, err := engine.NewMachine(engine.Definition[hatch]{
		Name:   "hatch",
		Events: map[engine.Event]engine.Spec{"build": {}, "open": {}, "unlock": {}},
		Edges: []engine.Edge[hatch]{
			{Event: "build", To: "shut"},
			{Event: "open", From: []engine.State{"shut"}, To: "open", Actions: []engine.Action[hatch]{
				engine.Exec("turn the key", func(ctx context.Context, tx *gorm.DB, c call) error { return open(ctx, tx, c.Subject.ID) }),
			}},
			{Event: "unlock", From: []engine.State{"shut"}, To: "unlocked", Actions: []engine.Action[hatch]{
				engine.ExecAll("turn the keys", func(ctx context.Context, tx *gorm.DB, cs []call) []error {
					errs := make([]error, len(cs))
					for i, c := range cs {
						errs[i] = open(ctx, tx, c.Subject.ID)
					}
					return errs
				}),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func hatches(t *testing.T, db *gorm.DB, n int, open func(context.Context, *gorm.DB, string) error) *engine.Engine {
	if err := db.AutoMigrate(&hatch{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, hatchMachine(t, open))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	for i := range n {
		if _, err := engine.Create(t.Context(), e, &hatch{ID: fmt.Sprint(i)}, engine.Request{Machine: "hatch"}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// The state of the database decides what a failure means, never what an action's error looks like.
func TestAnActionsErrorIsItsOwnHoweverItLooks(t *testing.T) {
	failures := map[string]error{
		"EOF":              io.EOF,
		"network":          &net.OpError{Op: "read", Err: errors.New("reset by peer")},
		"bad connection":   driver.ErrBadConn,
		"deadlock":         &mysql.MySQLError{Number: 1213, Message: "of another database"},
		"taken key":        gorm.ErrDuplicatedKey,
		"deadline":         context.DeadlineExceeded,
		"value conversion": nil,
	}
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		var failure error
		var bad string
		var runs atomic.Int64
		e := hatches(t, db, 6*2*len(failures), func(_ context.Context, tx *gorm.DB, id string) error {
			if id != bad {
				return nil
			}
			runs.Add(1)
			if failure == nil {
				return tx.Exec("UPDATE hatches SET status = ? WHERE 1 = 0", broken{}).Error
			}
			return fmt.Errorf("call the locksmith: %w", failure)
		})
		next := 0
		for name, err := range failures {
			for _, event := range []engine.Event{"open", "unlock"} {
				failure, bad = err, fmt.Sprint(next)
				runs.Store(0)
				alone, problem := e.Apply(t.Context(), engine.Request{Machine: "hatch", ID: bad, Event: event})
				expectFault(t, name, alone, problem, failure)
				if n := runs.Load(); n != 1 {
					t.Errorf("%s, %s: alone, %d runs", name, event, n)
				}
				runs.Store(0)
				var rs []engine.Request
				for range 6 {
					rs = append(rs, engine.Request{Machine: "hatch", ID: fmt.Sprint(next), Event: event})
					next++
				}
				for i, r := range e.ApplyAll(t.Context(), rs) {
					if rs[i].ID == bad {
						expectFault(t, name, r, r.Err(), failure)
					} else if r.Outcome != engine.Applied {
						t.Errorf("%s, %s: a companion got %v", name, event, r.Err())
					}
				}
				if n := runs.Load(); n > 4 { // in the batch, in its halves at most, and alone
					t.Errorf("%s, %s: with companions, %d runs", name, event, n)
				}
			}
		}
	})
}

func expectFault(t *testing.T, name string, r engine.Result, err, want error) {
	t.Helper()
	if r.Outcome != "" || err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("%s: got %s/%s (%v)", name, r.Outcome, r.Detail, err)
	}
	for _, sentinel := range []error{engine.ErrUnavailable, engine.ErrUnknown, engine.ErrConflict} {
		if errors.Is(err, sentinel) {
			t.Errorf("%s: %v matches %v", name, err, sentinel)
		}
	}
}

// A deadlock that the server reports in the place of a row ends the transaction, whoever hears of it.
func TestADeadlockInPlaceOfARowIsTriedAgain(t *testing.T) {
	db := enginetest.MySQL(t)
	if err := db.Exec("CREATE TABLE shelves (id INT PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB").Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("INSERT INTO shelves VALUES (1, 0), (2, 0)").Error; err != nil {
		t.Fatal(err)
	}
	var runs atomic.Int64
	other := make(chan error, 1)
	e := hatches(t, db, 1, func(_ context.Context, tx *gorm.DB, _ string) error {
		first := runs.Add(1) == 1
		if err := tx.Exec("UPDATE shelves SET n = n + 1 WHERE id = 1").Error; err != nil {
			return err
		}
		if first { // somebody heavier comes crosswise
			holds := make(chan struct{})
			go func() {
				other <- db.Transaction(func(tx *gorm.DB) error {
					err := tx.Exec("INSERT INTO shelves SELECT seq, 0 FROM (SELECT 100 AS seq UNION SELECT 101 UNION SELECT 102 UNION SELECT 103) x").Error
					if err == nil {
						err = tx.Exec("UPDATE shelves SET n = n + 1 WHERE id = 2").Error
					}
					close(holds)
					if err == nil {
						err = tx.Exec("UPDATE shelves SET n = n + 1 WHERE id = 1").Error
					}
					return err
				})
			}()
			<-holds
		}
		var n int
		_ = tx.Raw("SELECT n FROM shelves WHERE id BETWEEN 2 AND 3 ORDER BY id LIMIT 1 FOR UPDATE").Row().Scan(&n) // forgets the error
		return tx.Exec("UPDATE shelves SET n = ? WHERE id = 2", n+1).Error
	})
	r, err := e.Apply(t.Context(), engine.Request{Machine: "hatch", ID: "0", Event: "open"})
	if err != nil || r.Outcome != engine.Applied {
		t.Errorf("got %s (%v)", r.Outcome, err)
	}
	if err := <-other; err != nil || runs.Load() < 2 {
		t.Errorf("the other was to win: %v, %d runs", err, runs.Load())
	}
	var one, two int
	if err := db.Raw("SELECT n FROM shelves WHERE id = 1").Row().Scan(&one); err != nil {
		t.Fatal(err)
	}
	if err := db.Raw("SELECT n FROM shelves WHERE id = 2").Row().Scan(&two); err != nil {
		t.Fatal(err)
	}
	if one != two {
		t.Errorf("half of a transaction was committed: %d and %d", one, two)
	}
}
