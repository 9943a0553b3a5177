package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
)

// NoPackets is the error of a connection that carries no packets, and the reason. Nothing was sent.
type NoPackets string

func (n NoPackets) Error() string { return "no packets: " + string(n) }

// packetLife is how long after it was sent a packet may still take effect. It is longer than a packet
// takes that waits for a lock or two, and shorter than an unknown COMMIT is settled.
const packetLife = 5 * time.Second

// clockSlack is how far a database's clock may step back without a late packet coming back to life.
const clockSlack = time.Second

// clockAge is how old the knowledge of the database's clock may be when it comes into question.
const clockAge = 10 * time.Second

// packets is whether the transactions of a handle go in packets. It is shared by copies of the handle.
type packets struct {
	pool  PacketPool
	life  time.Duration
	clock clock
	off   atomic.Pointer[string] // why they do not; nil while they do
}

// findPackets looks for a pool for packets and tries it.
func findPackets(ctx context.Context, d Dialect, pool gorm.ConnPool) *packets {
	p := &packets{pool: PacketsOf(pool), life: packetLife}
	switch {
	case d == SQLite:
		p.stop("SQLite is in this process: there are no round trips to save")
	case p.pool == nil && packetsSwitched(pool):
		p.stop("the setting says so")
	case p.pool == nil:
		p.stop("the handle was not opened by engine/mysqldb")
	default:
		var no NoPackets
		switch err := p.probe(ctx); {
		case errors.As(err, &no):
			p.stop(string(no))
		case err != nil:
			p.stop("the server, or a proxy before it, does not carry them out as it has to")
		}
	}
	return p
}

// packetsSwitched reports whether a pool could have packets and was told not to.
func packetsSwitched(pool gorm.ConnPool) bool {
	d, ok := pool.(*sql.DB)
	if !ok {
		return false
	}
	_, ok = d.Driver().(interface{ Packets() *sql.DB })
	return ok
}

// Packets reports whether transactions go in packets, and the reason if they do not.
func (db *DB) Packets() (on bool, why string) {
	if why := db.packets.off.Load(); why != nil {
		return false, *why
	}
	return true, ""
}

// stop makes the handle go without packets from now on.
func (p *packets) stop(why string) { p.off.CompareAndSwap(nil, &why) }

func (p *packets) on() bool { return p.off.Load() == nil }

// play sends a transaction. Its error is a NoPackets, and nothing was sent, if the server that the
// pool leads to by now is not one for packets. It then stays that way: a handle that has once met such
// a server may meet it again.
func (p *packets) play(ctx context.Context, steps []step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var until time.Time
	text := func() string {
		until = p.clock.now().Add(p.life)
		return packetOf(steps, until)
	}
	err := p.pool.Play(ctx, text, argsOf(steps))
	var no NoPackets
	if errors.As(err, &no) {
		p.stop(string(no))
		return no
	}
	if err == nil || errors.Is(err, driver.ErrBadConn) || errors.Is(err, errNotSent) {
		return err
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		if e.Number == subqueryRows || e.Number == nullValue {
			p.clock.doubt(ctx, p.pool)
			return dberr.ErrRunAgain
		}
		class := dberr.Classify(e)
		if class == dberr.Duplicate || class == dberr.LockWait || ofStatement(e) {
			return err // no COMMIT says that
		}
	}
	if dberr.Aborted(err) {
		return err
	}
	return &dberr.CommitError{Err: err, Unknown: true, Until: until.Add(clockSlack)}
}

// ofStatement reports whether an error is about a statement's text or values, which a COMMIT has none of.
func ofStatement(e *mysql.MySQLError) bool {
	switch e.Number {
	case 1048, 1054, 1064, 1136, 1146, 1364, // columns and tables
		1264, 1265, 1292, 1366, 1406, 1690, // values
		1216, 1217, 1451, 1452, 3819, 4025: // constraints
		return true
	}
	return false
}

// errOddPackets stands for packets that were carried out in another way than they have to be.
var errOddPackets = errors.New("sqldb: guards of packets do not work")

// probe finds out whether the server carries out packets as it has to, guards included. Proxies and other
// members of the family may not.
func (p *packets) probe(ctx context.Context) error {
	if err := p.clock.learn(ctx, p.pool); err != nil {
		return err
	}
	soon, past := p.clock.now().Add(time.Hour), p.clock.now().Add(-time.Hour)
	try := func(rows int64, until time.Time) error {
		text := "START TRANSACTION; DO ?; " + guardRows(rows, until) + "; COMMIT"
		return p.pool.Play(ctx, func() string { return text }, []any{1})
	}
	if err := try(0, soon); err != nil {
		return err
	}
	for _, err := range []error{try(1, soon), try(0, past)} {
		if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != subqueryRows {
			return errors.Join(errOddPackets, err)
		}
	}
	return nil
}

// clock knows what time it is for the database. Packets carry their end by that clock, and whoever wants to
// know whether one is over asks the same clock: this knowledge being wrong costs time, never truth.
type clock struct {
	mu     sync.Mutex
	server time.Time // what it said
	at     time.Time // when, by our own monotonic clock
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server.Add(time.Since(c.at))
}

// learn asks for the time.
func (c *clock) learn(ctx context.Context, pool PacketPool) error {
	rows, err := pool.QueryContext(ctx, askTime)
	if err != nil {
		return err
	}
	var server time.Time
	if err := each(rows, func(r *sql.Rows) error { return r.Scan(&server) }); err != nil {
		return err
	}
	if server.IsZero() {
		return errFewResults
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.at = server, time.Now()
	return nil
}

// doubt learns again, now and then: a packet whose end has come by a clock that stepped looks like one that
// met a moved row.
func (c *clock) doubt(ctx context.Context, pool PacketPool) {
	c.mu.Lock()
	fresh := time.Since(c.at) < clockAge
	if !fresh {
		c.server, c.at = c.server.Add(time.Since(c.at)), time.Now() // one caller asks
	}
	c.mu.Unlock()
	if !fresh {
		_ = c.learn(ctx, pool) // what is known so far stands
	}
}

// askTime is in UTC whatever the session's zone.
const askTime = "SELECT UTC_TIMESTAMP(6)"

// Reached reports whether the database's clock has come to a time.
func (tx *Tx) Reached(ctx context.Context, t time.Time) (bool, error) {
	var now time.Time
	err := tx.Each(ctx, askTime, nil, func(r *sql.Rows) error { return r.Scan(&now) })
	if err != nil {
		return false, fmt.Errorf("ask for the time: %w", err)
	}
	return now.After(t), nil
}
