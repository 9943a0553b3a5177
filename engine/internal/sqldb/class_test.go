package sqldb_test

import (
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

func TestDuplicateNamesItsKey(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 1)
		primary, amount := "PRIMARY", "orders_amount"
		if db.Dialect() == sqldb.SQLite {
			primary, amount = "orders.id", "orders.amount"
		}
		_, err := db.Exec(ctx, insertOrder, orderID(0))
		require.Equal(t, dberr.Duplicate, dberr.Classify(err), "%v", err)
		assert.Equal(t, primary, dberr.DuplicateKey(err))

		const insert = "INSERT INTO orders (id, status, version, amount) VALUES (?, 'for key ''x''', 1, 7)"
		_, err = db.Exec(ctx, insert, "a")
		require.NoError(t, err)
		_, err = db.Exec(ctx, insert, "b")
		require.Equal(t, dberr.Duplicate, dberr.Classify(err))
		assert.Equal(t, amount, dberr.DuplicateKey(fmt.Errorf("wrapped: %w", err)))
	})
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
	assert.Equal(t, dberr.Conflict, dberr.Classify(db.InTx(ctx, func(*sqldb.Tx) error { return nil })))
	require.NoError(t, tx.Rollback())
}

func TestTooLongValueIsPermanent(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		_, err := db.Exec(ctx, "INSERT INTO orders (id, status, version) VALUES (?, ?, 1)", "a", "a state whose name is much too long")
		assert.Equal(t, dberr.Permanent, dberr.Classify(err), "%v", err)
	})
}
