package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/internal/sqldb"
)

func TestClassOfEveryKnownError(t *testing.T) {
	for class, numbers := range map[sqldb.Class][]uint16{
		sqldb.ClassConflict:    {1213, 1020, 1180, 1181, 3101, 8002, 8005, 8022, 8028, 9007},
		sqldb.ClassLockWait:    {1205, 3572},
		sqldb.ClassDuplicate:   {1062, 1586},
		sqldb.ClassUnavailable: {1040, 1047, 1053, 1290, 1792, 1836, 1317, 1969, 3024, 2006, 2013, 4031, 9001, 9005},
		sqldb.ClassPermanent:   {1406, 1264, 1265, 1366, 1690, 3819, 4025, 1452, 8004, 8025, 1064, 1105},
	} {
		for _, n := range numbers {
			assert.Equal(t, class, sqldb.Classify(fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: n})), "%d", n)
		}
	}
	_, dial := net.Dial("tcp", "127.0.0.1:1")
	for _, test := range []struct {
		err  error
		want sqldb.Class
	}{
		{nil, sqldb.ClassNone},
		{driver.ErrBadConn, sqldb.ClassUnavailable}, {mysql.ErrInvalidConn, sqldb.ClassUnavailable},
		{io.EOF, sqldb.ClassUnavailable}, {io.ErrUnexpectedEOF, sqldb.ClassUnavailable}, {sql.ErrConnDone, sqldb.ClassUnavailable},
		{dial, sqldb.ClassUnavailable}, {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, sqldb.ClassUnavailable},
		{context.Canceled, sqldb.ClassCanceled}, {context.DeadlineExceeded, sqldb.ClassCanceled},
		{gorm.ErrDuplicatedKey, sqldb.ClassDuplicate},
		{&mysql.MySQLError{Number: 1105, Message: "rpc error: code = Unavailable desc = x"}, sqldb.ClassUnavailable},
		{&mysql.MySQLError{Number: 1105, Message: "rpc error: code = Aborted desc = x"}, sqldb.ClassConflict},
		{&sqldb.CommitError{Err: mysql.ErrInvalidConn, Unknown: true}, sqldb.ClassUnknown},
		{&sqldb.CommitError{Err: &mysql.MySQLError{Number: 1213}}, sqldb.ClassConflict},
		{sql.ErrTxDone, sqldb.ClassPermanent}, {errors.New("x"), sqldb.ClassPermanent}, {sql.ErrNoRows, sqldb.ClassPermanent},
	} {
		assert.Equal(t, test.want, sqldb.Classify(test.err), "%v", test.err)
	}
	for _, class := range []sqldb.Class{sqldb.ClassConflict, sqldb.ClassLockWait, sqldb.ClassUnavailable} {
		assert.True(t, class.Transient(), class.String())
	}
	for _, class := range []sqldb.Class{sqldb.ClassNone, sqldb.ClassDuplicate, sqldb.ClassCanceled, sqldb.ClassUnknown, sqldb.ClassPermanent} {
		assert.False(t, class.Transient(), class.String())
	}
}

func TestDuplicateNamesItsKey(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 1)
		primary, amount := "PRIMARY", "orders_amount"
		if db.Dialect() == sqldb.SQLite {
			primary, amount = "orders.id", "orders.amount"
		}
		_, err := db.Exec(ctx, insertOrder, orderID(0))
		require.Equal(t, sqldb.ClassDuplicate, sqldb.Classify(err), "%v", err)
		assert.Equal(t, primary, sqldb.DuplicateKey(err))

		const insert = "INSERT INTO orders (id, status, version, amount) VALUES (?, 'for key ''x''', 1, 7)"
		_, err = db.Exec(ctx, insert, "a")
		require.NoError(t, err)
		_, err = db.Exec(ctx, insert, "b")
		require.Equal(t, sqldb.ClassDuplicate, sqldb.Classify(err))
		assert.Equal(t, amount, sqldb.DuplicateKey(fmt.Errorf("wrapped: %w", err)))
	})
	assert.Equal(t, "k", sqldb.DuplicateKey(&mysql.MySQLError{Number: 1062, Message: "Duplicate entry 'a' for key 'orders.k'"}))
	assert.Empty(t, sqldb.DuplicateKey(io.EOF))
	assert.Empty(t, sqldb.DuplicateKey(nil))
}

func TestBusySQLiteIsAConflict(t *testing.T) {
	f, db := openFaulty(t)
	other, err := f.Connect(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	tx, err := other.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})
	require.NoError(t, err)
	_, err = db.Exec(ctx, "PRAGMA busy_timeout = 0")
	require.NoError(t, err)
	assert.Equal(t, sqldb.ClassConflict, sqldb.Classify(db.InTx(ctx, func(*sqldb.Tx) error { return nil })))
	require.NoError(t, tx.Rollback())
}

func TestTooLongValueIsPermanent(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		_, err := db.Exec(ctx, "INSERT INTO orders (id, status, version) VALUES (?, ?, 1)", "a", "a state whose name is much too long")
		assert.Equal(t, sqldb.ClassPermanent, sqldb.Classify(err), "%v", err)
	})
}
