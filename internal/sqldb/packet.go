package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
)

// PacketPool is connections that take several statements in one packet. Only text that this package
// writes goes there, with values in the place of its question marks: a packet that held somebody
// else's text would run whatever follows a semicolon in it.
type PacketPool interface {
	// Play runs the statements of a transaction, from its beginning to its COMMIT. After an error
	// nothing is left open. A driver.ErrBadConn says that nothing was sent.
	Play(ctx context.Context, text string, args []any) error

	// QueryContext runs reading statements; their results follow one another.
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

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

func (p packetDB) Play(ctx context.Context, text string, args []any) error {
	// The caller's ctx must not disturb a COMMIT. The pool has timeouts of its own, and a driver that
	// has no ctx to watch spares itself the waking of a goroutine.
	own := context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		conn, err := p.Conn(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
		}
		_, err = conn.ExecContext(own, text, args...)
		rollback(own, conn, err)
		if errors.Is(err, driver.ErrBadConn) && try < 3 { // a stale connection of the pool
			continue
		}
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

// guardRows is a statement that fails unless the one before it wrote so many rows: its subquery then
// has two rows where one is allowed. It assigns to a variable because DO turns errors into warnings.
func guardRows(n int64) string {
	return "SET @moved = (SELECT 1 FROM (SELECT 1 UNION ALL SELECT 1) AS two WHERE ROW_COUNT() <> " + strconv.FormatInt(n, 10) + ")"
}

// anchored is an insert that fails unless the statement before it wrote so many rows: a value that must
// not be NULL then is. It is spared the statement that guardRows is.
func anchored(s step, n int64) string {
	return s.query[:s.anchor] + "IF(ROW_COUNT() = " + strconv.FormatInt(n, 10) + ", ?, NULL)" + s.query[s.anchor+len("?"):]
}

// packetOf is the text of a whole transaction; false if it is too large for one packet.
func packetOf(steps []step) (text string, args []any, fits bool) {
	size, count := 0, 0
	for _, s := range steps {
		size += len(s.query) + sizeOf(s.args)
		count += len(s.args)
	}
	if size > packetBytes {
		return "", nil, false
	}
	var b strings.Builder
	b.Grow(size)
	args = make([]any, 0, count)
	b.WriteString("START TRANSACTION; ")
	before := int64(anyRows) // what the statement before has to have written, if that is still unchecked
	for _, s := range steps {
		switch {
		case before == anyRows:
			b.WriteString(s.query)
		case s.anchor > 0:
			b.WriteString(anchored(s, before))
		default:
			b.WriteString(guardRows(before))
			b.WriteString("; ")
			b.WriteString(s.query)
		}
		b.WriteString("; ")
		args = append(args, s.args...)
		before = s.rows
	}
	if before != anyRows {
		b.WriteString(guardRows(before))
		b.WriteString("; ")
	}
	b.WriteString("COMMIT")
	return b.String(), args, true
}

// Render is the packet that a script would be sent as, with question marks for its values. It is for
// looking at and for measuring.
func (s Script) Render(d Dialect) (text string, err error) {
	steps, err := s.steps(d)
	if err != nil {
		return "", err
	}
	text, _, _ = packetOf(steps)
	return text, nil
}

func (db *DB) playPacket(ctx context.Context, text string, args []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := db.packets.Play(ctx, text, stored(args))
	if err == nil || errors.Is(err, driver.ErrBadConn) {
		return err
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		if e.Number == subqueryRows || e.Number == nullValue {
			return ErrMoved
		}
		if class := classifyMySQL(e); class == ClassDuplicate || class == ClassLockWait {
			return err // no COMMIT says that
		}
	}
	if aborted(err) {
		return err
	}
	return &CommitError{Err: err, Unknown: true}
}

// probePackets reports whether the server carries out packets as it has to, guards included. Proxies
// and other members of the family may not.
func probePackets(ctx context.Context, p PacketPool) bool {
	if p == nil {
		return false
	}
	const begin = "START TRANSACTION; DO ?; "
	good := p.Play(ctx, begin+guardRows(0)+"; COMMIT", []any{1})
	bad := p.Play(ctx, begin+guardRows(1)+"; COMMIT", []any{1})
	e, ok := errors.AsType[*mysql.MySQLError](bad)
	return good == nil && ok && e.Number == subqueryRows
}
