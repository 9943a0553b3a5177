package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
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
	statements    gorm.ConnPool // the same, for what runs outside of transactions
	readCommitted bool          // engine/mysqldb prepares the sessions of the pool, which are READ COMMITTED already
	packets       *packets
	backoff       Backoff

	inDoubtUntil time.Time // of a COMMIT without an answer; see CommitError.Until
}

// Wrap checks db, which a user may have opened, and returns a handle on its pool without prepared statements,
// implicit transactions or a logger. A handle that means something else than the whole database is refused: one
// with conditions, with a table, with an error, inside a transaction, or for dry runs. Wrap reports every setting
// of the database that would make the engine lose or twist data, all at once, each with its remedy.
func Wrap(ctx context.Context, db *gorm.DB) (*DB, error) {
	w, err := Unchecked(db)
	if err != nil {
		return nil, err
	}
	w.inDoubtUntil = time.Time{} // unless check finds out better
	if w.server, err = check(ctx, w); err != nil {
		return nil, err
	}
	w.packets = findPackets(ctx, w.dialect, w.pool)
	return w, nil
}

// Unchecked is Wrap without a look at the database, so without packets. It refuses the same handles.
func Unchecked(db *gorm.DB) (*DB, error) {
	dialect, err := dialectOf(db)
	if err != nil {
		return nil, err
	}
	if _, ok := db.Plugins["gorm:db_resolver"]; ok {
		return nil, errors.New("sqldb: the gorm handle uses dbresolver, which may read from replicas: open one without it " +
			"for the engine")
	}
	pool := plainPool(db.ConnPool)
	if inTransaction(db, pool) {
		return nil, errors.New("sqldb: the gorm handle is inside a transaction: pass the handle it was begun on")
	}
	if err := leftover(db); err != nil {
		return nil, err
	}
	w := &DB{dialect: dialect, pool: pool, readCommitted: dialect == MySQL && ownSessions(pool)}
	w.statements = literal(dialect, pool, w.readCommitted)
	w.handle = clean(db, w.statements)
	if dialect == MySQL {
		w.inDoubtUntil = never // it may be a Galera node
	}
	return w, nil
}

// inTransaction reports whether a handle is in a transaction: a user's, which gorm keeps in the statement, or one of
// the engine's.
func inTransaction(db *gorm.DB, pool gorm.ConnPool) bool {
	if db.Statement != nil && db.Statement.ConnPool != nil {
		pool = plainPool(db.Statement.ConnPool)
	}
	if _, ok := pool.(*guard); ok {
		return true
	}
	_, ok := pool.(gorm.TxCommitter)
	return ok
}

// leftover refuses a handle whose user would expect that all the engine does is narrowed by it.
func leftover(db *gorm.DB) error {
	if db.Statement == nil {
		return nil
	}
	switch s := db.Scopes().Statement; { // what its next statement would begin with
	case db.DryRun:
		return errors.New("sqldb: the gorm handle is for dry runs (gorm.Session{DryRun: true}), and what the engine does is not: " +
			"pass a handle without it; engine.Request has a DryRun of its own")
	case db.Error != nil:
		return fmt.Errorf("sqldb: the gorm handle carries an error: pass the handle that was opened: %w", db.Error)
	case len(s.Clauses) > 0 || s.Table != "" || s.Model != nil || s.Unscoped || len(s.Joins) > 0 ||
		len(s.Selects) > 0 || len(s.Omits) > 0 || s.Distinct || s.SQL.Len() > 0 ||
		reflect.ValueOf(s).Elem().FieldByName("scopes").Len() > 0: // Scopes waits to be asked for it
		return errors.New("sqldb: the gorm handle is in the middle of a query (Where, Table, Model, Unscoped …), which " +
			"the engine cannot " +
			"keep to: pass the handle that was opened, or db.Session(&gorm.Session{NewDB: true})")
	}
	return nil
}

// plainPool strips what begins no transactions: what Gorm puts around a pool, and gorm's cache of prepared statements,
// which deadlocks when a small pool serves transactions and single statements at once.
func plainPool(pool gorm.ConnPool) gorm.ConnPool {
	for {
		switch p := pool.(type) {
		case *gorm.PreparedStmtDB:
			pool = p.ConnPool
		case *gorm.PreparedStmtTX:
			pool = p.Tx
		case literalPool:
			pool = p.ConnPool
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
	s.CreateBatchSize = 0
	s.DefaultContextTimeout = 0
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
	return db.statements.QueryContext(ctx, query, stored(args)...)
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
	result, err := db.statements.ExecContext(ctx, query, stored(args)...)
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
