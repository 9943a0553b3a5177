// Package mysqldb opens a database of the MySQL family (MySQL, MariaDB, TiDB) the way the engine
// needs it: strict, in UTC, READ COMMITTED, with timeouts everywhere and short waits for locks.
package mysqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
)

// Option changes how a database is opened.
type Option func(*options)

type options struct {
	maxConns int
	lockWait time.Duration
	packets  bool
	gorm     *gorm.Config
}

// GormConfig has gorm opened with a configuration of your own, such as a naming strategy, a logger or TranslateError;
// without it default transactions are skipped and nothing is logged. Refused are DryRun, PrepareStmt, ConnPool and
// Dialector. Times of NowFunc are turned to UTC microseconds. c is not changed.
func GormConfig(c *gorm.Config) Option { return func(o *options) { o.gorm = c } }

// MaxConns bounds the connections. The default is 32. Packets have as many again, at most 16.
func MaxConns(n int) Option { return func(o *options) { o.maxConns = max(1, n) } }

// Packets says whether the engine may send a whole transaction in one packet, on connections of its
// own that take several statements at once and run no SQL but the engine's. It may by default, which
// saves round trips. It does not where a server or proxy does not play along, and never on a Galera
// node, which does not keep packets atomic: each new connection looks, and nothing can force it.
func Packets(on bool) Option { return func(o *options) { o.packets = on } }

// LockWait sets how long a statement waits for a row lock, in whole seconds. The default is 2
// seconds. It should stay below the deadlines of requests: a waiting statement holds its own
// locks, and goes on doing so for that long after its caller has gone.
func LockWait(d time.Duration) Option { return func(o *options) { o.lockWait = d } }

// Open opens the database that a DSN of github.com/go-sql-driver/mysql names:
//
//	user:password@tcp(host:3306)/shop
//	user:password@unix(/run/mysqld/mysqld.sock)/shop?tls=true
//
// The settings that correctness hangs on are added; a DSN that contradicts them is refused, with
// every contradiction named. Timeouts that the DSN sets are kept. Errors never hold the DSN.
//
// Close the handle by closing its *sql.DB:
//
//	d, _ := db.DB()
//	d.Close()
func Open(dsn string, opts ...Option) (*gorm.DB, error) {
	o := options{maxConns: 32, lockWait: 2 * time.Second, packets: true}
	for _, opt := range opts {
		opt(&o)
	}
	cfg, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	gormConfig, err := sqldb.GormConfig(o.gorm)
	if err != nil {
		return nil, fmt.Errorf("mysqldb: %w", err)
	}
	main := &connector{session: session{lockWait: o.lockWait}}
	if o.packets {
		many := cfg.Clone()
		many.MultiStatements = true
		if main.packets, err = pool(many, &connector{session: session{lockWait: o.lockWait, packets: true}},
			min(o.maxConns, packetConns)); err != nil {
			return nil, err
		}
	}
	d, err := pool(cfg, main, o.maxConns)
	if err != nil {
		return nil, err
	}

	precision := 6
	db, err := gorm.Open(gormmysql.New(gormmysql.Config{
		Conn:                     d,
		DSNConfig:                cfg,
		DisableWithReturning:     true, // MariaDB alone has it, and not for UPDATE
		DefaultDatetimePrecision: &precision,
	}), gormConfig)
	if err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("mysqldb: opening the database: %w", err)
	}
	return db, nil
}

// packetConns bounds the connections for packets. Each carries a whole transaction in one round trip,
// so that a few keep a server busy.
const packetConns = 16

// pool is the connections to one server that a connector prepares.
func pool(cfg *mysql.Config, c *connector, maxConns int) (*sql.DB, error) {
	base, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("mysqldb: %w", err)
	}
	c.Connector = base
	d := sql.OpenDB(c)
	c.pool = d
	d.SetMaxOpenConns(maxConns)
	d.SetMaxIdleConns(maxConns)
	d.SetConnMaxLifetime(3 * time.Minute) // below what servers and proxies allow, and a way back after a failover
	d.SetConnMaxIdleTime(time.Minute)
	return d, nil
}

// connector prepares every connection it makes.
type connector struct {
	driver.Connector
	session session
	pool    *sql.DB // of this connector's connections
	packets *sql.DB // ends with the pool of this connector; nil where they are switched off
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.session.prepare(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("preparing the connection: %w", err)
	}
	return watch(conn, c.pool), nil
}

// Driver marks the pool.
func (c *connector) Driver() driver.Driver { return marked{c.Connector.Driver(), c.packets} }

// Close is called when the pool is closed.
func (c *connector) Close() error {
	if c.packets == nil {
		return nil
	}
	return c.packets.Close()
}

// marked tells the engine what it may count on.
type marked struct {
	driver.Driver
	packets *sql.DB
}

// ReadCommitted says that sessions are READ COMMITTED already, which spares every transaction a round
// trip.
func (marked) ReadCommitted() bool { return true }

// Packets is the pool that takes several statements at once, or nil where they are switched off.
func (m marked) Packets() *sql.DB { return m.packets }
