package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/mysqldb"
)

// moveOrders is an update of some orders from one state to another.
func moveOrders(from, to string, version int64, numbers ...int) sqldb.Update {
	u := sqldb.Update{Table: "orders", ID: "id", State: "status", Version: "version"}
	for _, i := range numbers {
		u.Rows = append(u.Rows, sqldb.UpdateRow{ID: orderID(i), From: from, To: to, Version: version, NewVersion: version + 1})
	}
	return u
}

func noteOrder(id, note string) sqldb.Insert {
	return sqldb.Insert{
		Table: "orders", Columns: []string{"id", "status", "version", "note"}, Required: true,
		Rows: [][]any{{id, "new", 1, note}, {id + id, "new", 1, note}},
	}
}

func TestPlayIsAllOrNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 3)
		states := func() string {
			return value[string](t, db, "SELECT GROUP_CONCAT(s) FROM (SELECT status AS s FROM orders ORDER BY id) x")
		}

		var s sqldb.Script
		s.Update(moveOrders("new", "paid", 1, 0, 1))
		s.Insert(noteOrder("z", "with ' and ? and ; in it"))
		s.Insert(sqldb.Insert{Table: "nowhere"}) // no rows, no statement
		s.Exec("UPDATE orders SET note = ? WHERE status = ?", "none of them", "lost")
		require.NoError(t, db.Play(ctx, s))
		assert.Equal(t, "paid,paid,new,new,new", states())
		assert.Equal(t, "with ' and ? and ; in it", value[string](t, db, "SELECT note FROM orders WHERE id = 'z'"))

		for name, bad := range map[string]func() (sqldb.Script, func(error) bool){
			"a row is elsewhere": func() (s sqldb.Script, is func(error) bool) {
				s.Update(moveOrders("new", "paid", 1, 1, 2)) // order 1 is paid already
				s.Insert(noteOrder("y", ""))
				return s, func(err error) bool { return errors.Is(err, dberr.ErrRunAgain) }
			},
			"a key is taken": func() (s sqldb.Script, is func(error) bool) {
				s.Update(moveOrders("new", "paid", 1, 2))
				s.Insert(noteOrder("z", ""))
				return s, func(err error) bool { return dberr.Classify(err) == dberr.Duplicate }
			},
			"the last update misses": func() (s sqldb.Script, is func(error) bool) {
				s.Insert(noteOrder("y", ""))
				s.Update(moveOrders("paid", "shipped", 2, 0))
				s.Update(moveOrders("paid", "shipped", 1, 1))
				return s, func(err error) bool { return errors.Is(err, dberr.ErrRunAgain) }
			},
			"a statement is wrong": func() (s sqldb.Script, is func(error) bool) {
				s.Update(moveOrders("new", "paid", 1, 2))
				s.Exec("UPDATE nowhere SET x = ?", 1)
				return s, func(err error) bool { return err != nil }
			},
			"a row has too few values": func() (s sqldb.Script, is func(error) bool) {
				s.Update(moveOrders("new", "paid", 1, 2))
				s.Insert(sqldb.Insert{Table: "orders", Columns: []string{"id", "status"}, Rows: [][]any{{"y"}}})
				return s, func(err error) bool { return err != nil && strings.Contains(err.Error(), "1 values for 2 columns") }
			},
		} {
			s, is := bad()
			if err := db.Play(ctx, s); !is(err) {
				t.Errorf("%s: got %v", name, err)
			}
			assert.Equal(t, "paid,paid,new,new,new", states(), name)
		}
	})
}

func TestPlayLeavesNoTransactionOpen(t *testing.T) {
	onServers(t, playLeavesNoTransactionOpen)
}

func playLeavesNoTransactionOpen(t *testing.T, g *gorm.DB) {
	db := wrap(t, g)
	withOrders(t, db, 1)
	var s sqldb.Script
	s.Update(moveOrders("new", "paid", 1, 0))
	s.Insert(noteOrder(orderID(0), "")) // taken: the update before it holds the row's lock
	for range 20 {
		require.Equal(t, dberr.Duplicate, dberr.Classify(db.Play(ctx, s)))
	}
	var good sqldb.Script
	good.Update(moveOrders("new", "paid", 1, 0))
	require.NoError(t, db.Play(ctx, good), "a lock was left behind")
}

// A transaction too large for one packet goes statement by statement.
func TestPlayTakesWhatNoPacketHolds(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		var s sqldb.Script
		for i := range 5 {
			s.Insert(noteOrder(orderID(i), strings.Repeat("x", 200_000)))
		}
		require.NoError(t, db.Play(ctx, s))
		assert.EqualValues(t, 10, orders(t, db))
	})
}

func TestPlayEndsWithItsCallerBeforeItBegins(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 1)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		var s sqldb.Script
		s.Update(moveOrders("new", "paid", 1, 0))
		assert.Equal(t, dberr.Canceled, dberr.Classify(db.Play(gone, s)))
		assert.Equal(t, "new", value[string](t, db, "SELECT status FROM orders"))
	})
}

// shaken is a pool whose packets end with an error of our choice.
type shaken struct {
	gorm.ConnPool
	sqldb.PacketPool
	err func(do func() error) error
}

func (s *shaken) Packets() sqldb.PacketPool { return s }

func (s *shaken) Play(ctx context.Context, text func() string, args []any) error {
	do := func() error { return s.PacketPool.Play(ctx, text, args) }
	if s.err == nil {
		return do()
	}
	return s.err(do)
}

func (s *shaken) QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return s.ConnPool.QueryContext(ctx, q, args...)
}

// GetDBConn lets the test close the pool.
func (s *shaken) GetDBConn() (*sql.DB, error) { return s.ConnPool.(*sql.DB), nil }

func (s *shaken) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	return s.ConnPool.(gorm.TxBeginner).BeginTx(ctx, o)
}

// What a packet's error says of its COMMIT.
func TestAPacketTellsWhatIsUnknown(t *testing.T) {
	onServers(t, aPacketTellsWhatIsUnknown)
}

func aPacketTellsWhatIsUnknown(t *testing.T, g *gorm.DB) {
	s := &shaken{ConnPool: g.ConnPool, PacketPool: sqldb.PacketsOf(g.ConnPool)}
	require.NotNil(t, s.PacketPool)
	g.ConnPool, g.Statement.ConnPool = s, s
	db := wrap(t, g)
	withOrders(t, db, 1)
	var script sqldb.Script
	script.Exec("UPDATE orders SET note = ?", "x")

	for _, c := range []struct {
		err     error
		unknown bool
		class   dberr.Class
	}{
		{driver.ErrBadConn, false, dberr.Unavailable}, // nothing was sent
		{mysql.ErrInvalidConn, true, dberr.Unknown},
		{context.DeadlineExceeded, true, dberr.Unknown},
		{&mysql.MySQLError{Number: 1213}, false, dberr.Conflict},
		{&mysql.MySQLError{Number: 1205}, false, dberr.LockWait},
		{&mysql.MySQLError{Number: 1062}, false, dberr.Duplicate},
		{&mysql.MySQLError{Number: 1290}, false, dberr.Unavailable}, // read-only
		{&mysql.MySQLError{Number: 1180}, true, dberr.Unknown},      // error during commit
		{&mysql.MySQLError{Number: 1317}, true, dberr.Unknown},      // killed, at COMMIT perhaps
		{&mysql.MySQLError{Number: 1053}, true, dberr.Unknown},
	} {
		s.err = func(func() error) error { return c.err }
		err := db.Play(ctx, script)
		var commit *dberr.CommitError
		assert.Equal(t, c.unknown, errors.As(err, &commit) && commit.Unknown, "%v", c.err)
		assert.Equal(t, c.class, dberr.Classify(err), "%v", c.err)
	}
}

// A pool may lead to another server tomorrow than today.
func TestAHandleThatMeetsAServerNotForPacketsGoesOnWithoutThem(t *testing.T) {
	onServers(t, aHandleThatMeetsAServerNotForPackets)
}

func aHandleThatMeetsAServerNotForPackets(t *testing.T, g *gorm.DB) {
	s := &shaken{ConnPool: g.ConnPool, PacketPool: sqldb.PacketsOf(g.ConnPool)}
	g.ConnPool, g.Statement.ConnPool = s, s
	db := wrap(t, g)
	withOrders(t, db, 2)
	on, _ := db.Packets()
	require.True(t, on)

	sent := 0
	s.err = func(func() error) error {
		sent++
		return fmt.Errorf("preparing the connection: %w", sqldb.NoPackets("it is a cluster"))
	}
	for i := range 2 {
		var script sqldb.Script
		script.Update(moveOrders("new", "paid", 1, i))
		require.NoError(t, db.Play(ctx, script))
	}
	assert.Equal(t, 1, sent, "asked once")
	on, why := db.Packets()
	assert.False(t, on)
	assert.Equal(t, "it is a cluster", why)
	assert.Equal(t, "paid,paid", value[string](t, db, "SELECT GROUP_CONCAT(s) FROM (SELECT status AS s FROM orders ORDER BY id) x"))
}

func TestWhyThereAreNoPackets(t *testing.T) {
	_, why := wrap(t, openSQLite(t)).Packets()
	assert.Contains(t, why, "SQLite")
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		switched, err := mysqldb.Open(newDatabase(t, s), mysqldb.Packets(false))
		require.NoError(t, err)
		_, why := wrap(t, closeAtEnd(t, switched)).Packets()
		assert.Contains(t, why, "setting")
		_, why = wrap(t, usersMySQL(t, s, usersParams, &gorm.Config{})).Packets()
		assert.Contains(t, why, "engine/mysqldb")
	})
}

func TestReadSeesEachResultAndEachError(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 3)
		var ids []string
		var n int
		read := func(first, second string, args ...any) error {
			ids, n = nil, 0
			return db.Read(ctx, []sqldb.Reading{
				{Query: first, Args: args, Row: func(r *sql.Rows) error {
					var id string
					err := r.Scan(&id)
					ids = append(ids, id)
					return err
				}},
				{Query: second, Row: func(r *sql.Rows) error { return r.Scan(&n) }},
			})
		}
		require.NoError(t, read("SELECT id FROM orders WHERE id > ? ORDER BY id", "SELECT COUNT(*) FROM orders", orderID(0)))
		assert.Equal(t, []string{orderID(1), orderID(2)}, ids)
		assert.Equal(t, 3, n)
		require.NoError(t, read("SELECT id FROM orders WHERE id > ?", "SELECT COUNT(*) FROM orders", orderID(9)))
		assert.Empty(t, ids)
		assert.Equal(t, 3, n, "an empty result shifted the next one")
		assert.Error(t, read("SELECT id FROM orders WHERE id > ?", "SELECT COUNT(*) FROM nowhere", ""))
		assert.Error(t, read("SELECT id FROM nowhere WHERE id > ?", "SELECT COUNT(*) FROM orders", ""))
		assert.NoError(t, db.Read(ctx, nil))
		require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
			return tx.Read(ctx, []sqldb.Reading{{Query: "SELECT COUNT(*) FROM orders", Row: func(r *sql.Rows) error { return r.Scan(&n) }}})
		}))
	})
}

// What a driver does not put into one packet goes statement by statement.
func TestWhatADriverDoesNotInterpolateIsWrittenAllTheSame(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		db := wrap(t, openMySQL(t, s, "?maxAllowedPacket=20000"))
		withOrders(t, db, 1)
		var script sqldb.Script
		script.Insert(noteOrder("z", strings.Repeat("x", 8000)))
		script.Exec("UPDATE orders SET note = ? WHERE id = ?", strings.Repeat("y", 8000), orderID(0))
		require.NoError(t, db.Play(ctx, script))
		assert.Equal(t, 2, value[int](t, db, "SELECT COUNT(*) FROM orders WHERE LENGTH(note) = 8000 AND note LIKE 'x%'"))
		on, _ := db.Packets()
		assert.True(t, on)
	})
}

// Without a connection nothing was sent, and that is not the same as done.
func TestAPacketWithoutAConnectionWasNotSent(t *testing.T) {
	onServers(t, func(t *testing.T, g *gorm.DB) {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		err := sqldb.PacketsOf(g.ConnPool).Play(gone, func() string { t.Error("its text was asked for"); return "COMMIT" }, nil)
		assert.ErrorIs(t, err, driver.ErrBadConn)
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// A server that takes no packet, or does not answer one as it has to, gets none.
func TestPacketsThatDoNotComeThroughAreNotUsed(t *testing.T) {
	onServers(t, func(t *testing.T, g *gorm.DB) {
		s := &shaken{ConnPool: g.ConnPool, PacketPool: sqldb.PacketsOf(g.ConnPool)}
		require.NotNil(t, s.PacketPool)
		g.ConnPool, g.Statement.ConnPool = s, s
		for name, err := range map[string]func(do func() error) error{
			"none":            func(func() error) error { return &mysql.MySQLError{Number: 1064} },
			"none is checked": func(do func() error) error { _ = do(); return nil },
			"all fail alike":  func(do func() error) error { _ = do(); return &mysql.MySQLError{Number: 1242} },
		} {
			s.err = err
			on, why := wrap(t, g).Packets()
			assert.False(t, on, name)
			assert.Contains(t, why, "does not carry them out as it has to", name)
		}
	})
}
