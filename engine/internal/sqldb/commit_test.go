package sqldb_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

func TestCommitWithoutClearAnswerIsUnknown(t *testing.T) {
	server := func(number uint16) error { return &mysql.MySQLError{Number: number} }
	for _, test := range []struct {
		err     error
		unknown bool
	}{
		{server(1213), false}, {server(1020), false}, {server(3101), false},
		{server(1290), false}, {server(1792), false}, {server(1836), false},
		{server(8002), false}, {server(8005), false}, {server(8022), false}, {server(8028), false}, {server(9007), false},
		{driver.ErrBadConn, false},
		{server(1180), true}, {server(1047), true}, {server(1317), true}, {server(1205), true}, {server(2013), true}, {server(8501), true},
		{mysql.ErrInvalidConn, true}, {io.EOF, true}, {context.Canceled, true}, {errors.New("anything else"), true},
	} {
		for _, arrived := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, arrived %v", test.err, arrived), func(t *testing.T) {
				f, db := openFaulty(t)
				f.commit = func(do func() error) error {
					if arrived {
						require.NoError(t, do())
					}
					return test.err
				}
				err := db.InTx(ctx, func(tx *sqldb.Tx) error {
					_, err := tx.Exec(ctx, insertOrder, "a")
					return err
				})
				var commit *dberr.CommitError
				require.ErrorAs(t, err, &commit)
				assert.Equal(t, test.unknown, commit.Unknown)
				assert.ErrorIs(t, err, test.err)
				assert.Equal(t, test.unknown, dberr.Classify(err) == dberr.Unknown)
				want := int64(1)
				if arrived {
					want = 2
				}
				assert.Equal(t, want, orders(t, db))
			})
		}
	}
}

// SQLite may find only at COMMIT what stands against it. It says so, and nothing is committed.
func TestAConstraintThatSQLiteChecksAtCommitIsNoDoubt(t *testing.T) {
	db := wrap(t, openSQLite(t))
	withOrders(t, db, 1)
	_, err := db.Exec(ctx, `CREATE TABLE items (id INTEGER PRIMARY KEY,
		order_id BLOB NOT NULL REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED)`)
	require.NoError(t, err)
	add := func(order string) error {
		return db.InTx(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO items (order_id) VALUES (?)", order)
			return err
		})
	}
	var commit *dberr.CommitError
	require.ErrorAs(t, add("nobody's"), &commit)
	assert.False(t, commit.Unknown)
	require.NoError(t, add(orderID(0)), "no transaction was left open")
	assert.EqualValues(t, 1, value[int64](t, db, "SELECT COUNT(*) FROM items"))
}

// A connection whose transaction may still be open must not be used again: BEGIN would commit it.
func TestConnectionIsDroppedWhenTheEndGoesWrong(t *testing.T) {
	f, db := openFaulty(t)
	closed := f.closed
	f.commit = func(func() error) error { return &mysql.MySQLError{Number: 1317} }
	require.Error(t, db.InTx(ctx, func(*sqldb.Tx) error { return nil }))
	assert.Equal(t, closed+1, f.closed)

	f.rollback = func(func() error) error { return &mysql.MySQLError{Number: 1317} }
	require.Error(t, db.InTx(ctx, func(*sqldb.Tx) error { return io.EOF }))
	assert.Equal(t, closed+2, f.closed)

	f.commit, f.rollback = nil, nil
	require.NoError(t, db.InTx(ctx, func(*sqldb.Tx) error { return nil }))
	assert.Equal(t, closed+2, f.closed, "a clean end keeps it")
}

func TestCancelDuringCommitDoesNotDisturbIt(t *testing.T) {
	f, db := openFaulty(t)
	ctx, cancel := context.WithCancel(ctx)
	f.commit = func(do func() error) error { cancel(); return do() }
	require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, insertOrder, "a")
		return err
	}))
	assert.EqualValues(t, 2, orders(t, db))
}

func TestAutocommitWriteWithoutAnswerIsUnknown(t *testing.T) {
	f, db := openFaulty(t)
	f.exec = func(_ driver.ExecerContext, _ string, do func() error) error {
		require.NoError(t, do())
		return mysql.ErrInvalidConn
	}
	_, err := db.Exec(ctx, insertOrder, "a")
	assert.Equal(t, dberr.Unknown, dberr.Classify(err))
	f.exec = func(driver.ExecerContext, string, func() error) error { return &mysql.MySQLError{Number: 1213} }
	_, err = db.Exec(ctx, insertOrder, "b")
	assert.Equal(t, dberr.Conflict, dberr.Classify(err))
}
