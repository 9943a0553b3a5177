package enginetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// Fault is one way in which a call to a database goes wrong.
type Fault uint8

// The faults. Each leaves the database as the real one would.
const (
	NoFault    Fault = iota
	LostBefore       // the connection breaks before the server has seen the call
	LostAfter        // the server has carried the call out, its answer is lost
	Deadlock         // 1213: the server has rolled the whole transaction back
	LockWait         // 1205: the statement is undone, the transaction lives
	Timeout          // the call takes longer than its deadline; the server carries it out
)

// String names the fault.
func (f Fault) String() string {
	return [...]string{"none", "lost before", "lost after", "deadlock", "lock wait", "timeout"}[f]
}

// Faults lists every fault but NoFault.
func Faults() []Fault { return []Fault{LostBefore, LostAfter, Deadlock, LockWait, Timeout} }

// CallKind is what a call to the database does.
type CallKind string

// The kinds of calls.
const (
	CallQuery  CallKind = "query"
	CallExec   CallKind = "exec"
	CallBegin  CallKind = "begin"
	CallCommit CallKind = "commit"
	CallPacket CallKind = "packet" // a whole transaction in one call
)

// Faulty is a database whose calls can be made to fail. It is safe for concurrent use if its
// decision is.
type Faulty struct {
	mu     sync.Mutex
	calls  int
	decide func(n int, kind CallKind, query string) Fault
}

// NewFaulty returns a handle on db's pool whose every call first asks decide, which is told the
// number of the call (from 1), its kind and its SQL. The handle shares db's connections.
func NewFaulty(db *gorm.DB, decide func(n int, kind CallKind, query string) Fault) (*gorm.DB, *Faulty) {
	f := &Faulty{decide: decide}
	broken := db.Session(&gorm.Session{NewDB: true})
	config := *broken.Config
	config.ConnPool = &faultyPool{ConnPool: db.ConnPool, f: f}
	broken.Config = &config
	broken.Statement.DB = broken
	broken.Statement.ConnPool = config.ConnPool
	return broken, f
}

// Calls is how many calls have been made.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Decide replaces the decision and restarts the count.
func (f *Faulty) Decide(decide func(n int, kind CallKind, query string) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.decide = 0, decide
}

func (f *Faulty) next(kind CallKind, query string) Fault {
	f.mu.Lock()
	f.calls++
	n, decide := f.calls, f.decide
	f.mu.Unlock()
	if decide == nil {
		return NoFault
	}
	return decide(n, kind, query) // unlocked: it may use the database itself
}

// around runs call with a fault. undo ends the transaction as the server would when it refuses the
// call, cut when the connection breaks after it.
func around[T any](fault Fault, undo, cut func(), call func() (T, error)) (T, error) {
	var zero T
	switch fault {
	case NoFault:
		return call()
	case LostBefore:
		undo()
		return zero, mysql.ErrInvalidConn
	case Deadlock:
		undo()
		return zero, &mysql.MySQLError{Number: 1213, Message: "Deadlock found when trying to get lock; try restarting transaction"}
	case LockWait:
		return zero, &mysql.MySQLError{Number: 1205, Message: "Lock wait timeout exceeded; try restarting transaction"}
	}
	_, err := call()
	cut()
	if err != nil {
		return zero, err
	}
	if fault == Timeout {
		return zero, errTimeout{}
	}
	return zero, mysql.ErrInvalidConn
}

// errTimeout is what the net package reports when a deadline passes.
type errTimeout struct{}

func (errTimeout) Error() string   { return "read tcp: i/o timeout" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

type faultyPool struct {
	gorm.ConnPool
	f *Faulty
}

func nothing() {}

func (p *faultyPool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return around(p.f.next(CallExec, query), nothing, nothing, func() (sql.Result, error) {
		return p.ConnPool.ExecContext(ctx, query, args...)
	})
}

func (p *faultyPool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return queryWith(ctx, p.f.next(CallQuery, query), nothing, p.ConnPool, query, args)
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// queryWith does not leave the rows of a lost answer open.
func queryWith(ctx context.Context, fault Fault, undo func(), pool querier, query string, args []any) (*sql.Rows, error) {
	return around(fault, undo, undo, func() (*sql.Rows, error) {
		rows, err := pool.QueryContext(ctx, query, args...)
		if err == nil && fault != NoFault {
			err = rows.Close()
		}
		if err == nil {
			err = rows.Err()
		}
		return rows, err
	})
}

// Packets makes packets fail like any other call.
func (p *faultyPool) Packets() sqldb.PacketPool {
	if inner := sqldb.PacketsOf(p.ConnPool); inner != nil {
		return &faultyPackets{PacketPool: inner, f: p.f}
	}
	return nil
}

type faultyPackets struct {
	sqldb.PacketPool
	f *Faulty
}

func (p *faultyPackets) Play(ctx context.Context, text func() string, args []any) error {
	_, err := around(p.f.next(CallPacket, text()), nothing, nothing, func() (any, error) {
		return nil, p.PacketPool.Play(ctx, text, args)
	})
	return err
}

func (p *faultyPackets) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return queryWith(ctx, p.f.next(CallQuery, text), nothing, p.PacketPool, text, args)
}

// GetDBConn lets gorm find the pool behind the faults.
func (p *faultyPool) GetDBConn() (*sql.DB, error) {
	switch pool := p.ConnPool.(type) {
	case *sql.DB:
		return pool, nil
	case gorm.GetDBConnector:
		return pool.GetDBConn()
	}
	return nil, gorm.ErrInvalidDB
}

// BeginTx begins a transaction whose calls can fail too.
func (p *faultyPool) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	var begun gorm.ConnPool
	cut := func() {
		if begun != nil {
			_ = begun.(gorm.TxCommitter).Rollback()
		}
	}
	return around(p.f.next(CallBegin, "BEGIN"), nothing, cut, func() (gorm.ConnPool, error) {
		var tx gorm.ConnPool
		var err error
		switch pool := p.ConnPool.(type) {
		case gorm.TxBeginner:
			tx, err = pool.BeginTx(ctx, opts)
		case gorm.ConnPoolBeginner:
			tx, err = pool.BeginTx(ctx, opts)
		default:
			err = gorm.ErrInvalidTransaction
		}
		if err != nil {
			return nil, err
		}
		begun = tx
		return &faultyTx{ConnPool: tx, end: tx.(gorm.TxCommitter), f: p.f}, nil
	})
}

type faultyTx struct {
	gorm.ConnPool
	end gorm.TxCommitter
	f   *Faulty
}

func (t *faultyTx) undo() { _ = t.end.Rollback() } // the server has done so already

func (t *faultyTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return around(t.f.next(CallExec, query), t.undo, t.undo, func() (sql.Result, error) {
		return t.ConnPool.ExecContext(ctx, query, args...)
	})
}

func (t *faultyTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return queryWith(ctx, t.f.next(CallQuery, query), t.undo, t.ConnPool, query, args)
}

// Commit fails in the way of its fault. A COMMIT that times out on a lock is rolled back by the
// server as well: there is no half-ended transaction to go on with.
func (t *faultyTx) Commit() error {
	fault := t.f.next(CallCommit, "COMMIT")
	if fault == LockWait {
		fault = Deadlock
	}
	_, err := around(fault, t.undo, nothing, func() (any, error) { return nil, t.end.Commit() })
	return err
}

// Rollback never fails: a connection that breaks is a rollback too.
func (t *faultyTx) Rollback() error {
	if err := t.end.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, driver.ErrBadConn) {
		return err
	}
	return nil
}
