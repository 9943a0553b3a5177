package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"example.com/orderd/engine/dberr"
)

// DB is a checked handle on a database. It is safe for concurrent use. The pool beneath belongs
// to whoever opened it; DB never closes it.
type DB struct {
	dialect       Dialect
	server        string
	handle        *gorm.DB
	pool          gorm.ConnPool
	readCommitted bool // sessions of the pool already are READ COMMITTED
	packets       *packets
	backoff       Backoff

	inDoubtUntil time.Time // of a COMMIT without an answer; see CommitError.Until
}

// Wrap checks db, which a user may have opened, and returns a handle without leftovers: no
// conditions, no prepared statements, no implicit transactions, no logger. It reports every
// setting that would make the engine lose or twist data, all at once, each with its remedy.
func Wrap(ctx context.Context, db *gorm.DB) (*DB, error) {
	dialect, err := dialectOf(db)
	if err != nil {
		return nil, err
	}
	if _, ok := db.Plugins["gorm:db_resolver"]; ok {
		return nil, errors.New("sqldb: the gorm handle uses dbresolver, which may read from replicas: open one without it for the engine")
	}
	pool := plainPool(db.ConnPool)
	if _, ok := pool.(gorm.TxCommitter); ok {
		return nil, errors.New("sqldb: the gorm handle is inside a transaction: pass the handle it was begun on")
	}
	w := &DB{dialect: dialect, handle: clean(db, pool), pool: pool}
	if d, ok := pool.(*sql.DB); ok {
		if rc, ok := d.Driver().(interface{ ReadCommitted() bool }); ok {
			w.readCommitted = rc.ReadCommitted()
		}
	}
	if w.server, err = check(ctx, w); err != nil {
		return nil, err
	}
	w.packets = findPackets(ctx, dialect, pool)
	return w, nil
}

// plainPool strips gorm's cache of prepared statements, which deadlocks when a small pool serves
// transactions and single statements at once.
func plainPool(pool gorm.ConnPool) gorm.ConnPool {
	for {
		switch p := pool.(type) {
		case *gorm.PreparedStmtDB:
			pool = p.ConnPool
		case *gorm.PreparedStmtTX:
			pool = p.Tx
		default:
			return pool
		}
	}
}

// clean returns a session of db on pool with nothing left over from db's chain.
func clean(db *gorm.DB, pool gorm.ConnPool) *gorm.DB {
	s := db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true, Logger: logger.Discard})
	s.Error = nil
	s.ConnPool = pool
	s.PrepareStmt = false
	s.DryRun = false
	s.AllowGlobalUpdate = false
	s.Statement = &gorm.Statement{
		DB: s, ConnPool: pool, Context: context.Background(), Clauses: map[string]clause.Clause{},
	}
	return s
}

// Dialect is the family of SQL that the database speaks.
func (db *DB) Dialect() Dialect { return db.dialect }

// Server is what the database says it is, such as "10.11.19-MariaDB" or "SQLite 3.54.1".
func (db *DB) Server() string { return db.server }

// Gorm returns a clean session outside any transaction. By convention it only reads.
func (db *DB) Gorm(ctx context.Context) *gorm.DB {
	return db.handle.Session(&gorm.Session{NewDB: true, Context: ctx})
}

// Query runs one reading statement outside any transaction. Each spares the caller the rows'
// errors.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.pool.QueryContext(ctx, query, stored(args)...)
}

// Each calls f for every row of a reading statement and stops at f's first error.
func (db *DB) Each(ctx context.Context, query string, args []any, f func(*sql.Rows) error) error {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	return each(rows, f)
}

func each(rows *sql.Rows, f func(*sql.Rows) error) (err error) {
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Exec runs one writing statement that commits by itself, and returns the number of rows it
// wrote. When the answer was lost, the error is a *dberr.CommitError with Unknown set.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	result, err := db.pool.ExecContext(ctx, query, stored(args)...)
	if err != nil {
		if dberr.AnswerLost(err) {
			err = &dberr.CommitError{Err: err, Unknown: true}
		}
		return 0, err
	}
	return result.RowsAffected()
}

// check asks the database for what the engine needs and returns the server's name.
func check(ctx context.Context, db *DB) (server string, err error) {
	var problems []error
	if db.dialect == MySQL {
		server, problems = checkMySQL(ctx, db)
	} else {
		server, problems = checkSQLite(ctx, db)
	}
	if err := errors.Join(problems...); err != nil {
		return "", fmt.Errorf("sqldb: this %s database cannot be used as it is:\n%w", db.dialect, err)
	}
	return server, nil
}

// WithBackoff returns a handle on the same pool whose Retry waits as b says.
func (db *DB) WithBackoff(b Backoff) *DB {
	other := *db
	other.backoff = b
	return &other
}
