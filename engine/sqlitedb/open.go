// Package sqlitedb opens an embedded SQLite database the way the engine needs it: one writer, many
// readers, every commit on disk before it returns. It needs no C compiler.
package sqlitedb

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	gormsqlite "github.com/libtnb/sqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"example.com/orderd/engine/internal/sqldb"
)

// Option changes how a database is opened.
type Option func(*options)

type options struct {
	readers     int
	busyTimeout time.Duration
	existing    bool
	gorm        *gorm.Config
}

// GormConfig has gorm opened with a configuration of your own, such as a naming strategy, a logger or TranslateError;
// without it default transactions are skipped and nothing is logged. Refused are DryRun, PrepareStmt, ConnPool and
// Dialector. Times of NowFunc are turned to UTC microseconds. c is not changed.
func GormConfig(c *gorm.Config) Option { return func(o *options) { o.gorm = c } }

// Readers sets how many connections may read at once. The default is four, or the number of CPUs
// if that is more.
func Readers(n int) Option { return func(o *options) { o.readers = max(1, n) } }

// BusyTimeout sets how long a transaction waits while one and the same other transaction is writing, in this
// process or in another. The default is 5 seconds. An error that is due to it matches dberr.LockWait or
// dberr.Conflict (see dberr.Classify).
func BusyTimeout(d time.Duration) Option { return func(o *options) { o.busyTimeout = d } }

// Existing refuses a file that is not there, instead of creating it. The error matches fs.ErrNotExist.
func Existing() Option { return func(o *options) { o.existing = true } }

// Open opens the database file at path, which it creates if need be, readable only by its owner.
// The file belongs on a local disk: SQLite's locks do not work on network file systems. Databases
// in memory are refused, because each of their connections would see another database.
//
// Close the handle by closing its *sql.DB:
//
//	d, _ := db.DB()
//	d.Close()
func Open(path string, opts ...Option) (*gorm.DB, error) {
	o := options{readers: max(4, runtime.NumCPU()), busyTimeout: 5 * time.Second}
	for _, opt := range opts {
		opt(&o)
	}
	gormConfig, err := sqldb.GormConfig(o.gorm)
	if err != nil {
		return nil, fmt.Errorf("sqlitedb: %w", err)
	}
	path, err = place(path, o.existing)
	if err != nil {
		return nil, err
	}
	readers, err := open(path, o, nil, "&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	readers.SetMaxOpenConns(o.readers)
	readers.SetMaxIdleConns(o.readers)
	writer, err := open(path, o, readers.Close, "&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		return nil, errors.Join(err, readers.Close())
	}
	// One at a time writes, which the pool sees to. The second connection is for who gets at the *sql.DB itself,
	// perhaps inside of a transaction: SQLite lets it wait for a while, where a pool of one would never answer.
	writer.SetMaxOpenConns(2)
	// The writer comes first: it turns a new file to WAL, which a reader cannot.
	if err := writer.Ping(); err != nil {
		return nil, errors.Join(fmt.Errorf("sqlitedb: opening %s: %w", path, err), writer.Close())
	}
	db, err := gorm.Open(&gormsqlite.Dialector{Conn: &pool{DB: writer, readers: readers,
		turns: newTurns(o.busyTimeout)}}, gormConfig)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlitedb: opening %s: %w", path, err), writer.Close())
	}
	return db, nil
}

// place makes sure that the file exists, so that the name does not decide who may read it: the
// files SQLite puts beside it take over its mode.
func place(path string, existing bool) (string, error) {
	switch {
	case path == "", strings.Contains(path, ":memory:"), strings.HasPrefix(path, "file:"):
		return "", fmt.Errorf("sqlitedb: %q is not the path of a file: databases in memory and URIs are not supported; for "+
			"a throw-away database use a file in a temporary directory", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("sqlitedb: %w", err)
	}
	if existing {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("sqlitedb: %w", err)
		}
		return path, nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return path, nil
	}
	if err != nil {
		return "", fmt.Errorf("sqlitedb: %w", err)
	}
	return path, file.Close()
}

// open prepares a pool of connections. Closing it also calls also.
func open(path string, o options, also func() error, params string) (*sql.DB, error) {
	uri := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	dsn := fmt.Sprintf("%s?_pragma=busy_timeout(%d)&_pragma=foreign_keys(1)&_time_format=sqlite&_timezone=UTC&_dqs=0%s",
		uri.String(), o.busyTimeout.Milliseconds(), params)
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlitedb: %w", err)
	}
	return sql.OpenDB(connector{Connector: c, also: also}), nil
}

// connector closes the readers when the writer's pool is closed, which is the one gorm shows.
type connector struct {
	driver.Connector
	also func() error
}

func (c connector) Close() error {
	if c.also == nil {
		return nil
	}
	return c.also()
}
