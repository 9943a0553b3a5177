package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
)

// PacketPool is connections that take several statements in one packet. Only text that this package
// writes goes there, with values in the place of its question marks: a packet that held somebody
// else's text would run whatever follows a semicolon in it.
type PacketPool interface {
	// Play runs the statements of a transaction, from its beginning to its COMMIT. It asks for their text
	// when it has a connection to send it on. After an error nothing is left open. A driver.ErrBadConn or
	// a NoPackets says that nothing was sent.
	Play(ctx context.Context, text func() string, args []any) error

	// QueryContext runs reading statements; their results follow one another.
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// errNotSent says that a driver cannot put a transaction into one packet.
var errNotSent = errors.New("the packet was not sent")

// packetBytes bounds a packet. Servers take 16 MiB as a rule, some of them less.
const packetBytes = 1 << 20

// The server's error numbers of a guard that fails.
const (
	subqueryRows = 1242
	nullValue    = 1048
)

// PacketsOf finds the pool for packets that belongs to another pool: by a method Packets of the pool
// itself or of its driver. It is nil where there is none.
func PacketsOf(pool gorm.ConnPool) PacketPool {
	switch p := pool.(type) {
	case interface{ Packets() PacketPool }:
		return p.Packets()
	case *sql.DB:
		if d, ok := p.Driver().(interface{ Packets() *sql.DB }); ok && d.Packets() != nil {
			return packetDB{d.Packets()}
		}
	}
	return nil
}

// packetDB is a PacketPool on a pool whose driver interpolates values and takes many statements.
type packetDB struct{ *sql.DB }

func (p packetDB) Play(ctx context.Context, text func() string, args []any) error {
	// The caller's ctx must not disturb a COMMIT. The pool has timeouts of its own, and a driver that
	// has no ctx to watch spares itself the waking of a goroutine.
	own := context.WithoutCancel(ctx)
	values := numbered(args)
	for try := 1; ; try++ {
		conn, err := p.Conn(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
		}
		err = conn.Raw(func(c any) error { return send(own, c, text(), values) })
		rollback(own, conn, err)
		if errors.Is(err, driver.ErrBadConn) && try < 3 { // a stale connection of the pool
			continue
		}
		return err
	}
}

// send gives a packet to the driver itself: database/sql would check and copy thousands of values once more.
func send(ctx context.Context, conn any, text string, values []driver.NamedValue) error {
	if err := checkNamed(conn, values); err != nil {
		return fmt.Errorf("%w: %w", errNotSent, err)
	}
	switch _, err := conn.(driver.ExecerContext).ExecContext(ctx, text, values); {
	case errors.Is(err, driver.ErrSkip):
		return fmt.Errorf("%w: the driver does not interpolate it", errNotSent)
	default:
		return err
	}
}

// rollback gives a connection back after err, with no transaction open.
func rollback(ctx context.Context, conn *sql.Conn, err error) {
	if err != nil {
		if _, failed := conn.ExecContext(ctx, "ROLLBACK"); failed != nil {
			// The error only tells database/sql to drop the connection.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}
	_ = conn.Close()
}

// inTime is a condition that holds until a time, by the database's clock.
//
// A packet that gets no answer may be anywhere: on its way, with no lock taken yet, it would be overtaken by
// the transaction that is to settle it, and take effect after somebody was told that it did not. So a packet has
// an end. The condition stands behind the updates: where it is met their locks are held, so from the end on
// whoever takes those locks sees all that the packet will ever do.
func inTime(until time.Time) string {
	return "UTC_TIMESTAMP(6) <= TIMESTAMP'" + until.UTC().Format("2006-01-02 15:04:05.000000") + "'"
}

// guardRows is a statement that fails unless the one before it wrote so many rows, in time: its subquery then
// has two rows where one is allowed. It assigns to a variable because DO turns errors into warnings.
func guardRows(n int64, until time.Time) string {
	condition := inTime(until)
	if n != anyRows {
		condition = "ROW_COUNT() = " + strconv.FormatInt(n, 10) + " AND " + condition
	}
	return "SET @moved = (SELECT 1 FROM (SELECT 1 UNION ALL SELECT 1) AS two WHERE NOT (" + condition + "))"
}

// anchored is an insert that fails unless the statement before it wrote so many rows, in time: a value that
// must not be NULL then is. It is spared the statement that guardRows is.
func anchored(s step, n int64, until time.Time) string {
	return s.query[:s.anchor] + "IF(ROW_COUNT() = " + strconv.FormatInt(n, 10) + " AND " + inTime(until) + ", ?, NULL)" +
		s.query[s.anchor+len("?"):]
}

// fits reports whether a transaction is small enough for one packet.
func fits(steps []step) bool {
	size := 0
	for _, s := range steps {
		size += len(s.query) + sizeOf(s.args)
	}
	return size <= packetBytes
}

// argsOf is the values of a transaction as they are stored.
func argsOf(steps []step) []any {
	count := 0
	for _, s := range steps {
		count += len(s.args)
	}
	args := make([]any, 0, count)
	for _, s := range steps {
		for _, arg := range s.args {
			if t, ok := storedTime(arg); ok {
				arg = t
			}
			args = append(args, arg)
		}
	}
	return args
}

// packetOf is the text of a whole transaction that has no effect after its end.
func packetOf(steps []step, until time.Time) string {
	size := 0
	for _, s := range steps {
		size += len(s.query) + 100 // and a guard
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString("START TRANSACTION; ")
	before := int64(anyRows) // what the statement before has to have written, if that is still unchecked
	checked := false
	for _, s := range steps {
		switch {
		case before == anyRows:
			b.WriteString(s.query)
		case s.anchor > 0:
			b.WriteString(anchored(s, before, until))
			checked = true
		default:
			b.WriteString(guardRows(before, until))
			b.WriteString("; ")
			b.WriteString(s.query)
			checked = true
		}
		b.WriteString("; ")
		before = s.rows
	}
	if before != anyRows || !checked {
		b.WriteString(guardRows(before, until))
		b.WriteString("; ")
	}
	b.WriteString("COMMIT")
	return b.String()
}

// Render is the packet that a script would be sent as, with question marks for its values. It is for
// looking at and for measuring.
func (s Script) Render(d Dialect) (text string, err error) {
	steps, err := s.steps(d)
	if err != nil {
		return "", err
	}
	return packetOf(steps, time.Time{}), nil
}
