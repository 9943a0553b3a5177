package sqldb_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
)

// everyGorm runs a test with a handle as a user has it, on a database with the table of orders.
func everyGorm(t *testing.T, test func(t *testing.T, g *gorm.DB, db *sqldb.DB)) {
	all := map[string]func(t *testing.T) *gorm.DB{"SQLite": openSQLite}
	for _, s := range enginetest.Servers() {
		all[s.Name] = func(t *testing.T) *gorm.DB { return openMySQL(t, s, "") }
	}
	for name, open := range all {
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

func TestRestoringASavepointUndoesARefusalAndKeepsTheTransaction(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, db *sqldb.DB) {
		for _, session := range []*gorm.DB{g, g.Session(&gorm.Session{PrepareStmt: true}), g.Where("1 = 0")} {
			require.NoError(t, g.Exec("DELETE FROM orders").Error)
			require.NoError(t, session.Transaction(func(own *gorm.DB) error {
				require.NoError(t, own.Session(&gorm.Session{NewDB: true}).Exec(insertOrder, "mine").Error)
				tx, err := sqldb.Join(own)
				require.NoError(t, err)
				before, err := tx.Savepoint(ctx)
				require.NoError(t, err)
				for range 2 { // it can be restored again
					_, err = tx.Exec(ctx, insertOrder, "theirs")
					require.NoError(t, err)
					_, err = tx.Exec(ctx, insertOrder, "theirs")
					require.Equal(t, dberr.Duplicate, dberr.Classify(err))
					require.Error(t, tx.Err())
					require.NoError(t, before.Restore(ctx))
					require.NoError(t, tx.Err())
				}
				_, err = tx.Exec(ctx, insertOrder, "after")
				require.NoError(t, err)
				return before.Release(ctx)
			}))
			assert.Equal(t, "after,mine", value[string](t, db, "SELECT GROUP_CONCAT(id) FROM (SELECT id FROM orders ORDER BY id) x"))
		}
	})
}

// ghosts tries to write on every handle of a transaction that is over, and to commit it.
func ghosts(t *testing.T, db *sqldb.DB, own *gorm.DB, others ...*gorm.DB) {
	t.Helper()
	for i, handle := range append(others, own, own.Session(&gorm.Session{NewDB: true})) {
		require.Error(t, handle.Exec(insertOrder, fmt.Sprintf("ghost%d", i)).Error)
	}
	_, err := sqldb.Join(own)
	require.ErrorIs(t, err, sqldb.ErrEnded)
	require.Error(t, own.Commit().Error)
	require.Zero(t, orders(t, db))
}

func TestATransactionThatTheServerHasEndedFailsOnEveryHandleFromThenOn(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, db *sqldb.DB) {
		for name, end := range map[string]func(own *gorm.DB, tx *sqldb.Tx, before *sqldb.Savepoint) error{
			"a deadlock": func(own *gorm.DB, tx *sqldb.Tx, before *sqldb.Savepoint) error {
				require.NoError(t, own.Exec("ROLLBACK").Error) // as the server does
				deadlock := &mysql.MySQLError{Number: 1213}
				require.Same(t, deadlock, tx.Fail(deadlock))
				_, err := tx.Exec(ctx, insertOrder, "ghost")
				require.Same(t, deadlock, err)
				return before.Restore(ctx)
			},
			"a snapshot that is too old": func(own *gorm.DB, tx *sqldb.Tx, before *sqldb.Savepoint) error {
				_ = tx.Fail(&mysql.MySQLError{Number: 1020})
				return before.Restore(ctx)
			},
			"a lock wait that ended more than its statement": func(own *gorm.DB, tx *sqldb.Tx, before *sqldb.Savepoint) error {
				require.NoError(t, own.Exec("ROLLBACK").Error)
				_ = tx.Fail(&mysql.MySQLError{Number: 1205})
				return before.Restore(ctx)
			},
			"an end that nobody has told, when restoring": func(own *gorm.DB, _ *sqldb.Tx, before *sqldb.Savepoint) error {
				require.NoError(t, own.Exec("ROLLBACK").Error)
				return before.Restore(ctx)
			},
			"an end that nobody has told, when releasing": func(own *gorm.DB, _ *sqldb.Tx, before *sqldb.Savepoint) error {
				require.NoError(t, own.Exec("ROLLBACK").Error)
				return before.Release(ctx)
			},
			"an end that nobody has told, when beginning": func(own *gorm.DB, tx *sqldb.Tx, _ *sqldb.Savepoint) error {
				require.NoError(t, own.Exec("ROLLBACK").Error)
				_, err := tx.Savepoint(ctx)
				return err
			},
			"an error that nobody has undone": func(_ *gorm.DB, tx *sqldb.Tx, before *sqldb.Savepoint) error {
				require.Same(t, assert.AnError, tx.Fail(assert.AnError))
				return before.Release(ctx)
			},
		} {
			t.Run(name, func(t *testing.T) {
				own := g.Begin()
				defer own.Rollback()
				earlier := own.Session(&gorm.Session{NewDB: true})
				require.NoError(t, own.Exec(insertOrder, "mine").Error)
				tx, err := sqldb.Join(own)
				require.NoError(t, err)
				before, err := tx.Savepoint(ctx)
				require.NoError(t, err)
				require.ErrorIs(t, end(own, tx, before), sqldb.ErrEnded)
				require.ErrorIs(t, before.Restore(ctx), sqldb.ErrEnded)
				require.Error(t, tx.Err())
				ghosts(t, db, own, earlier)
			})
		}
	})
}

func TestAClosureWhoseTransactionHasEndedDoesNotCommit(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, db *sqldb.DB) {
		for _, session := range []*gorm.DB{g, g.Session(&gorm.Session{PrepareStmt: true})} {
			err := session.Transaction(func(own *gorm.DB) error {
				require.NoError(t, own.Exec(insertOrder, "mine").Error)
				return own.Transaction(func(nested *gorm.DB) error {
					tx, err := sqldb.Join(nested.WithContext(ctx))
					require.NoError(t, err)
					_ = tx.Fail(&mysql.MySQLError{Number: 1213})
					return nil // the caller looks away
				})
			})
			require.Error(t, err)
			require.Zero(t, orders(t, db))
		}
	})
}

// The engine's own transaction is its own to end; until then nothing more is done in it.
func TestATransactionOfTheEngineThatHasEndedIsNotRestored(t *testing.T) {
	everyGorm(t, func(t *testing.T, _ *gorm.DB, db *sqldb.DB) {
		deadlock := &mysql.MySQLError{Number: 1213}
		require.Same(t, deadlock, db.InTx(ctx, func(tx *sqldb.Tx) error {
			before, err := tx.Savepoint(ctx)
			require.NoError(t, err)
			_ = tx.Fail(deadlock)
			require.ErrorIs(t, before.Restore(ctx), sqldb.ErrEnded)
			_, err = tx.Savepoint(ctx)
			require.ErrorIs(t, err, sqldb.ErrEnded)
			return nil
		}))
	})
}

func TestASavepointServesACallerWhoHasGone(t *testing.T) {
	everyGorm(t, func(t *testing.T, g *gorm.DB, _ *sqldb.DB) {
		require.NoError(t, g.Transaction(func(own *gorm.DB) error {
			tx, err := sqldb.Join(own)
			require.NoError(t, err)
			gone, cancel := context.WithCancel(ctx)
			cancel()
			before, err := tx.Savepoint(gone)
			require.NoError(t, err)
			_, err = tx.Exec(gone, insertOrder, "a")
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, before.Restore(gone))
			return before.Release(gone)
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

func TestATransactionThatDidNotBeginSaysWhy(t *testing.T) {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := sqldb.Join(openSQLite(t).WithContext(gone).Begin())
	assert.ErrorIs(t, err, sqldb.ErrNoTransaction)
	assert.ErrorIs(t, err, context.Canceled)
}
