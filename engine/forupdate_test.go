package engine_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

func lampRow(t *testing.T, e *engine.Engine, id string) {
	t.Helper()
	if _, err := engine.Create(t.Context(), e, &lamp{ID: id}, engine.Request{Machine: "lamp"}); err != nil {
		t.Fatal(err)
	}
}

// lampEngine also tells of each call to the database.
func lampEngine(t *testing.T, db *gorm.DB) (*engine.Engine, *enginetest.Faulty) {
	t.Helper()
	if err := db.AutoMigrate(&lamp{}); err != nil {
		t.Fatal(err)
	}
	heard, calls := enginetest.NewFaulty(db, nil)
	e, err := engine.New(heard, engine.Config{}, lampMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(t.Context()) })
	return e, calls
}

// Callers who lock the row decide one after the other: each reads what the one before has written, and
// nothing is decided or written in vain.
func TestForUpdateSerialises(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) { forUpdateSerialises(t, s.Open(t)) })
}

func forUpdateSerialises(t *testing.T, db *gorm.DB) {
	const callers = 32
	e, calls := lampEngine(t, db)
	lampRow(t, e, "a")
	var mu sync.Mutex
	made := map[enginetest.CallKind]int{}
	locking := 0
	calls.Decide(func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
		mu.Lock()
		defer mu.Unlock()
		made[kind]++
		if strings.Contains(query, "FOR UPDATE") {
			locking++
		}
		return enginetest.NoFault
	})
	var all sync.WaitGroup
	var answers enginetest.Answers
	noted := answers.Through(e)
	for i := range callers {
		all.Go(func() {
			r := turn("a", fmt.Sprint(i))
			if result, err := noted.Apply(t.Context(), r); err != nil || result.Outcome != engine.Applied {
				t.Errorf("%v %v", result.Outcome, err)
			}
		})
	}
	all.Wait()
	if locking != callers || made[enginetest.CallBegin] != callers || made[enginetest.CallCommit] != callers || made[enginetest.CallPacket] != 0 {
		t.Errorf("%d calls took %d locks and made %v: want one transaction each", callers, locking, made)
	}
	answers.Check(t, db)
	row, err := engine.Load[lamp](t.Context(), e, "lamp", "a")
	if err != nil || row.Version != callers+1 {
		t.Errorf("%+v, %v", row, err)
	}
}

// Locking a row that is not there locks nothing: others insert it, and rows beside it, at once. At
// REPEATABLE READ it would lock the gap, and two who then insert would be a deadlock.
func TestForUpdateOfAMissingRowTakesNoGapLock(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) { forUpdateLeavesGaps(t, s.Open(t)) })
}

func forUpdateLeavesGaps(t *testing.T, db *gorm.DB) {
	e, calls := lampEngine(t, db)
	lampRow(t, e, "a")
	lampRow(t, e, "z")
	insert := func(ids ...string) error { // from another connection, which would not wait for long
		return db.Connection(func(c *gorm.DB) error {
			if err := c.Exec("SET SESSION innodb_lock_wait_timeout = 1").Error; err != nil {
				return err
			}
			defer c.Exec("SET SESSION innodb_lock_wait_timeout = DEFAULT")
			for _, id := range ids {
				if err := c.Exec("INSERT INTO lamps (id, status, version) VALUES (?, 'whole', 0)", id).Error; err != nil {
					return fmt.Errorf("insert %s: %w", id, err)
				}
			}
			return nil
		})
	}
	inserted := false
	calls.Decide(func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
		if kind == enginetest.CallExec && strings.HasPrefix(query, "UPDATE `lamps`") {
			inserted = true // while the transaction holds what it has locked
			if err := insert("k", "m", "n"); err != nil {
				t.Error(err)
			}
		}
		return enginetest.NoFault
	})
	results := e.ApplyAll(t.Context(), []engine.Request{turn("a", "1"), turn("m", "2")})
	if !inserted || results[0].Outcome != engine.Applied || results[1].Outcome != engine.NotFound {
		t.Errorf("inserted %v: %v, %v", inserted, results[0].Err(), results[1].Err())
	}

	err := db.Transaction(func(tx *gorm.DB) error { // the trap itself, to see that this test would see it
		if err := tx.Exec("SELECT 1 FROM lamps WHERE id = 'p' FOR UPDATE").Error; err != nil {
			return err
		}
		return insert("o")
	}, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1205 {
		t.Errorf("with a gap lock: %v, want a lock wait that ends", err)
	}
}

func turn(id, seq string) engine.Request {
	return engine.Request{Machine: "lamp", ID: id, Event: "turn", ForUpdate: true, Key: engine.Key{Source: "principal:a", Seq: seq}}
}
