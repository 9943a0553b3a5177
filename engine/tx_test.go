package engine_test

import (
	"context"
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
	"example.com/orderd/engine/verify"
)

// gate is a subject whose knocks need identity, and open the gate of a neighbour in the same transaction
// without asking what became of that.
type gate struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

// gateNote is the caller's own work in its transaction.
type gateNote struct {
	ID   string `gorm:"primaryKey;type:varbinary(64)"`
	Gate string `gorm:"type:varbinary(64)"`
}

func gateEngine(t *testing.T, db *gorm.DB) (*engine.Engine, *engine.Machine[gate]) {
	t.Helper()
	if err := db.AutoMigrate(&gate{}, &gateNote{}); err != nil {
		t.Fatal(err)
	}
	var e *engine.Engine
	m, err := engine.NewMachine(engine.Definition[gate]{
		Name:   "gate",
		Events: map[engine.Event]engine.Spec{"hang": {}, "open": {}, "knock": {Repeatable: true}},
		Edges: []engine.Edge[gate]{
			{Event: "hang", To: "shut"},
			{Event: "open", From: []engine.State{"shut"}, To: "open"},
			{Event: "knock", From: []engine.State{"shut"}, To: "shut", Actions: []engine.Action[gate]{
				engine.Exec("neighbour", func(ctx context.Context, tx *gorm.DB, c engine.Call[gate, engine.NoInput]) error {
					_, _ = e.ApplyTx(ctx, tx, engine.Request{Machine: "gate", ID: c.Subject.ID + "n", Event: "open"})
					return nil
				}),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if e, err = engine.New(db, engine.Config{}, m); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	return e, m
}

func hang(t *testing.T, e *engine.Engine, id string) {
	t.Helper()
	for _, id := range []string{id, id + "n"} {
		if _, err := engine.Create(t.Context(), e, &gate{ID: id}, engine.Request{Machine: "gate"}); err != nil {
			t.Fatal(err)
		}
	}
}

// notes is how many rows of its own a caller has committed about a gate.
func notes(t *testing.T, db *gorm.DB, id string) (n int64) {
	t.Helper()
	if err := db.Model(&gateNote{}).Where("gate = ?", id).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// careless is a caller who does two things and asks something between them, and looks at no error.
func careless(tx *gorm.DB, id string, ask func(tx *gorm.DB) error) (asked, second, commit error) {
	_ = tx.Create(&gateNote{ID: id + "1", Gate: id}).Error
	asked = ask(tx)
	second = tx.Create(&gateNote{ID: id + "2", Gate: id}).Error
	return asked, second, tx.Commit().Error
}

// Two refusals of one kind share a row of the journal, so transactions that are refused crosswise meet
// there.
func TestADeadlockWhileARefusalIsJournalledIsToldAndHalvesNoTransaction(t *testing.T) {
	db := enginetest.MySQL(t)
	e, _ := gateEngine(t, db)
	hang(t, e, "a")
	hang(t, e, "b")
	knock := func(tx *gorm.DB, id string) error {
		_, err := e.ApplyTx(t.Context(), tx, engine.Request{Machine: "gate", ID: id, Event: "knock"})
		return err
	}
	txs := map[string]*gorm.DB{"a": db.Begin(), "b": db.Begin()}
	for id, tx := range txs {
		if err := knock(tx, id); !errors.Is(err, engine.ErrIllegal) {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	victims := 0
	for id, other := range map[string]string{"a": "b", "b": "a"} {
		all.Go(func() {
			asked, second, commit := careless(txs[id], id, func(tx *gorm.DB) error { return knock(tx, other) })
			mu.Lock()
			defer mu.Unlock()
			want := int64(2)
			if errors.Is(asked, engine.ErrTxEnded) {
				victims++
				want = 0
				var deadlock *mysql.MySQLError
				if !errors.As(asked, &deadlock) || deadlock.Number != 1213 || second == nil || commit == nil {
					t.Errorf("the victim was told %v, then %v, then %v", asked, second, commit)
				}
			} else if !errors.Is(asked, engine.ErrIllegal) || second != nil || commit != nil {
				t.Errorf("the other was told %v, then %v, then %v", asked, second, commit)
			}
			if n := notes(t, db, id); n != want {
				t.Errorf("%d of the two rows of %s are there after %v", n, id, asked)
			}
		})
	}
	all.Wait()
	if victims != 1 {
		t.Errorf("%d victims", victims)
	}
}

// server is a handle whose transactions meet what decide says. What ends a transaction leaves its
// connection as servers leave it: the next statement commits by itself.
type server struct {
	*sql.DB
	decide func(query string) (err error, ends bool)
}

type serverTx struct {
	*sql.Tx
	s *server
}

func (s *server) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := s.DB.BeginTx(ctx, opts)
	return &serverTx{tx, s}, err
}

func (s *server) GetDBConn() (*sql.DB, error) { return s.DB, nil }

func (tx *serverTx) meet(ctx context.Context, query string) error {
	err, ends := tx.s.decide(query)
	if ends {
		if _, err := tx.Tx.ExecContext(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
	return err
}

func (tx *serverTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.meet(ctx, query); err != nil {
		return nil, err
	}
	return tx.Tx.ExecContext(ctx, query, args...)
}

func (tx *serverTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.meet(ctx, query); err != nil {
		return nil, err
	}
	return tx.Tx.QueryContext(ctx, query, args...)
}

func onServer(t *testing.T, db *gorm.DB) (*gorm.DB, *server) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{DB: pool}
	shaken := db.Session(&gorm.Session{NewDB: true})
	config := *shaken.Config
	config.ConnPool = s
	shaken.Config = &config
	shaken.Statement.DB, shaken.Statement.ConnPool = shaken, s
	return shaken, s
}

// asked is everything that can be asked in a transaction of one's own.
var asked = map[string]engine.Request{
	"what is refused unseen":     {Event: "knock"},
	"what the machine knows not": {Event: "fly"},
	"what moves":                 {Event: "open"},
	"what acts carelessly":       {Event: "knock", Key: engine.Key{Source: "principal:a", Seq: "knock"}},
	"a rehearsal":                {Event: "open", DryRun: true},
	"what happened before":       {ID: "open", Event: "open"},
}

// askedOf is what is asked of one gate; a key is its own.
func askedOf(r engine.Request, id string) engine.Request {
	r.Machine = "gate"
	if r.ID == "" {
		r.ID = id
	}
	if r.Key.Source != "" {
		r.Key.Seq = id
	}
	return r
}

// Whatever statement of ApplyTx fails: either the transaction goes on and the caller's two rows are
// there, or the caller is told that it is over and no row is.
func TestAnErrorInTheCallersTransactionIsToldOrUndone(t *testing.T) {
	faults := map[string]struct {
		number uint16
		ends   bool
	}{
		"a deadlock": {1213, true}, "a lock wait": {1205, false}, "a lock wait that ends all": {1205, true},
		"a full disk": {1114, false},
	}
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		shaken, s := onServer(t, db)
		e, m := gateEngine(t, db)
		hang(t, e, "open")
		if _, err := e.Apply(t.Context(), engine.Request{Machine: "gate", ID: "open", Event: "open"}); err != nil {
			t.Fatal(err)
		}
		run := 0
		for name, r := range asked {
			for what, fault := range faults {
				t.Run(name+", "+what, func(t *testing.T) {
					for statement := 1; ; statement++ {
						run++
						id := fmt.Sprintf("d%d", run)
						hang(t, e, id)
						r := askedOf(r, id)
						n, met, witness := 0, false, false
						s.decide = func(string) (error, bool) { return nil, false }
						asked, second, commit := careless(shaken.Begin(), id, func(tx *gorm.DB) error {
							s.decide = func(query string) (error, bool) {
								if n++; n != statement {
									return nil, false
								}
								met, witness = true, strings.Contains(query, "SAVEPOINT") || query == "BEGIN"
								return &mysql.MySQLError{Number: fault.number, Message: what}, fault.ends
							}
							_, err := e.ApplyTx(t.Context(), tx, r)
							s.decide = func(string) (error, bool) { return nil, false }
							return err
						})
						checkTold(t, db, id, told{statement, met && fault.ends, !met || !fault.ends && !witness, asked, second, commit})
						if !met {
							return
						}
					}
				})
			}
		}
		report, err := verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}})
		if err != nil || len(report.Findings) != 0 {
			t.Errorf("%+v, %v", report.Findings, err)
		}
	})
}

type told struct {
	statement             int
	ends, goesOn          bool // neither where it is the savepoint itself that fails
	asked, second, commit error
}

func checkTold(t *testing.T, db *gorm.DB, id string, got told) {
	t.Helper()
	over := errors.Is(got.asked, engine.ErrTxEnded)
	want := int64(2)
	if over {
		want = 0
	}
	if got.ends && !over || got.goesOn && over || over != (got.second != nil) || over != (got.commit != nil) {
		t.Errorf("statement %d: told %v, then %v, then %v", got.statement, got.asked, got.second, got.commit)
	}
	if n := notes(t, db, id); n != want {
		t.Errorf("statement %d: %d of two rows are there after %v", got.statement, n, got.asked)
	}
	var row gate
	if err := db.Take(&row, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	if over && row.Version != 1 {
		t.Errorf("statement %d: the subject moved in a transaction that was over", got.statement)
	}
}

func TestATransactionThatIsAlreadyOverIsRefusedAndNothingIsWritten(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		e, _ := gateEngine(t, db)
		hang(t, e, "a")
		for name, r := range asked {
			if r.ID == "" {
				r.ID = "a"
			}
			r.Machine = "gate"
			tx := db.Begin()
			earlier := tx.Session(&gorm.Session{NewDB: true})
			if err := tx.Exec("ROLLBACK").Error; err != nil { // as after an error that the caller overlooked
				t.Fatal(err)
			}
			if _, err := e.ApplyTx(t.Context(), tx, r); !errors.Is(err, engine.ErrTxEnded) {
				t.Errorf("%s: got %v", name, err)
			}
			_, again := e.ApplyTx(t.Context(), earlier, r)
			if err := earlier.Create(&gateNote{ID: "x", Gate: "a"}).Error; err == nil || !errors.Is(again, engine.ErrTxEnded) {
				t.Errorf("%s: the transaction went on: %v, %v", name, again, err)
			}
			if tx.Commit().Error == nil {
				t.Errorf("%s: committed", name)
			}
		}
		var moved, tried int64
		if err := errors.Join(db.Table("engine_transitions").Where("version > 1").Count(&moved).Error,
			db.Table("engine_attempts").Count(&tried).Error); err != nil || moved+tried+notes(t, db, "a") != 0 {
			t.Errorf("%d transitions and %d attempts: %v", moved, tried, err)
		}
	})
}

// At REPEATABLE READ plain reads of the caller's transaction are as old as its snapshot. What they do not
// show, a unique key or a row's lock does, and what follows is decided on what is true now.
func TestATwinYoungerThanTheCallersSnapshotIsSeen(t *testing.T) {
	db := enginetest.MySQL(t)
	e, _ := gateEngine(t, db)
	for name, r := range map[string]engine.Request{
		"a loop": {Machine: "gate", Event: "knock"}, "a step": {Machine: "gate", Event: "open"},
	} {
		for used, want := range map[string]engine.Detail{"a": engine.Replayed, "b": engine.KeyReused} {
			if err := db.Exec("DELETE FROM gates").Error; err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"engine_transitions", "engine_attempts"} {
				if err := db.Exec("DELETE FROM " + table).Error; err != nil {
					t.Fatal(err)
				}
			}
			hang(t, e, "a")
			hang(t, e, "b")
			r.Key = engine.Key{Source: "principal:a", Seq: "1"}
			tx := db.Begin(&sql.TxOptions{Isolation: sql.LevelRepeatableRead})
			var n int64
			if err := tx.Model(&gate{}).Count(&n).Error; err != nil { // takes the snapshot
				t.Fatal(err)
			}
			r.ID = used
			if _, err := e.Apply(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			r.ID = "a"
			result, err := e.ApplyTx(t.Context(), tx, r)
			if result.Detail != want {
				t.Errorf("%s, the key used for %s: %v %v", name, used, result.Outcome, err)
			}
			if err := tx.Commit().Error; err != nil {
				t.Error(err)
			}
		}
	}
}
