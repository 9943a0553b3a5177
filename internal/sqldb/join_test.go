package sqldb_test

import (
	"context"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/internal/sqldb"
)

// everyGorm runs a test with a handle as a user has it, on a database with the table of orders.
func everyGorm(t *testing.T, test func(t *testing.T, g *gorm.DB, db *sqldb.DB)) {
	for name, open := range map[string]func(t *testing.T) *gorm.DB{
		"SQLite": openSQLite,
		"MySQL":  func(t *testing.T) *gorm.DB { return openMySQL(t, "") },
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t)
			db := wrap(t, g)
			withOrders(t, db, 0)
			test(t, g, db)
		})
	}
}

func TestJoinRefusesAHandleOutsideTransactions(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, _ *sqldb.DB) {
		_, err := sqldb.Join(g)
		require.ErrorIs(t, err, sqldb.ErrNoTransaction)
		_, err = sqldb.Join(g.Session(&gorm.Session{PrepareStmt: true}))
		require.ErrorIs(t, err, sqldb.ErrNoTransaction)
		_, err = sqldb.Join(nil)
		require.Error(t, err)
	})
}

func TestRollbackToUndoesARefusalAndKeepsTheTransaction(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, db *sqldb.DB) {
		for _, session := range []*gorm.DB{g, g.Session(&gorm.Session{PrepareStmt: true}), g.Where("1 = 0")} {
			require.NoError(t, g.Exec("DELETE FROM orders").Error)
			require.NoError(t, session.Transaction(func(own *gorm.DB) error {
				require.NoError(t, own.Session(&gorm.Session{NewDB: true}).Exec(insertOrder, "mine").Error)
				tx, err := sqldb.Join(own)
				require.NoError(t, err)
				require.NoError(t, tx.Savepoint(ctx, "before"))
				_, err = tx.Exec(ctx, insertOrder, "theirs")
				require.NoError(t, err)
				_, err = tx.Exec(ctx, insertOrder, "theirs")
				require.Equal(t, sqldb.ClassDuplicate, sqldb.Classify(err))
				require.Error(t, tx.Err())
				require.NoError(t, tx.RollbackTo(ctx, "before"))
				require.NoError(t, tx.Err())
				_, err = tx.Exec(ctx, insertOrder, "after")
				require.NoError(t, err)
				return tx.Release(ctx, "before")
			}))
			assert.Equal(t, "after,mine", value[string](t, db, "SELECT GROUP_CONCAT(id) FROM (SELECT id FROM orders ORDER BY id) x"))
		}
	})
}

func TestRollbackToFailsWhenTheServerEndedTheTransaction(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, db *sqldb.DB) {
		own := g.Begin()
		tx, err := sqldb.Join(own)
		require.NoError(t, err)
		require.NoError(t, tx.Savepoint(ctx, "before"))
		require.NoError(t, own.Exec("ROLLBACK").Error) // as a server does
		stuck := tx.Fail(assert.AnError)
		require.Error(t, tx.RollbackTo(ctx, "before"))
		_, err = tx.Exec(ctx, insertOrder, "ghost")
		require.Same(t, stuck, err)
		own.Rollback()
		assert.Zero(t, orders(t, db))
	})
}

// After these the server has ended the transaction, whatever it says to the next statement.
func TestRollbackToNeverTrustsATransactionThatWasLost(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, _ *sqldb.DB) {
		for _, lost := range []error{&mysql.MySQLError{Number: 1213}, &mysql.MySQLError{Number: 1020}, mysql.ErrInvalidConn} {
			own := g.Begin()
			tx, err := sqldb.Join(own)
			require.NoError(t, err)
			require.NoError(t, tx.Savepoint(ctx, "before"))
			require.Same(t, lost, tx.Fail(lost))
			require.Same(t, lost, tx.RollbackTo(ctx, "before"))
			require.Same(t, lost, tx.Err())
			require.NoError(t, own.Rollback().Error)
		}
	})
}

func TestRollbackToWorksForACallerWhoHasGone(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, _ *sqldb.DB) {
		require.NoError(t, g.Transaction(func(own *gorm.DB) error {
			tx, err := sqldb.Join(own)
			require.NoError(t, err)
			require.NoError(t, tx.Savepoint(ctx, "before"))
			gone, cancel := context.WithCancel(ctx)
			cancel()
			_, err = tx.Exec(gone, insertOrder, "a")
			require.ErrorIs(t, err, context.Canceled)
			return tx.RollbackTo(gone, "before")
		}))
	})
}

func TestJoinOfTheEnginesOwnHandleIsTheSameTransaction(t *testing.T) {
	everyGorm(t, func(t *testing.T, _ *gorm.DB, db *sqldb.DB) {
		require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
			joined, err := sqldb.Join(tx.Gorm(ctx))
			assert.Same(t, tx, joined)
			return err
		}))
	})
}
