package sqldb_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

const insertOrder = "INSERT INTO orders (id, status, version) VALUES (?, 'new', 1)"

func orders(t *testing.T, db *sqldb.DB) int64 {
	t.Helper()
	return value[int64](t, db, "SELECT COUNT(*) FROM orders")
}

func TestInTxCommitsAndRollsBack(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
			n, err := tx.Exec(ctx, insertOrder, "a")
			assert.EqualValues(t, 1, n)
			return err
		}))
		assert.EqualValues(t, 1, orders(t, db))

		refusal := errors.New("no")
		err := db.InTx(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, insertOrder, "b")
			require.NoError(t, err)
			return refusal
		})
		assert.Same(t, refusal, err, "the error is returned unchanged")
		assert.EqualValues(t, 1, orders(t, db))
	})
}

func TestPanicRollsBackAndGoesOn(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		assert.PanicsWithValue(t, "boom", func() {
			_ = db.InTx(ctx, func(tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, insertOrder, "a")
				require.NoError(t, err)
				panic("boom")
			})
		})
		assert.Zero(t, orders(t, db))
	})
}

func TestSwallowedStatementErrorNeverCommits(t *testing.T) {
	swallow := map[string]func(tx *sqldb.Tx){
		"Exec":      func(tx *sqldb.Tx) { _, _ = tx.Exec(ctx, "INSERT INTO nowhere VALUES (1)") },
		"Query":     func(tx *sqldb.Tx) { _, _ = tx.Query(ctx, "SELECT * FROM nowhere") },
		"gorm Exec": func(tx *sqldb.Tx) { tx.Gorm(ctx).Exec("INSERT INTO nowhere VALUES (1)") },
		"gorm Scan": func(tx *sqldb.Tx) { var n int; tx.Gorm(ctx).Raw("SELECT * FROM nowhere").Scan(&n) },
		"gorm Rows": func(tx *sqldb.Tx) { _, _ = tx.Gorm(ctx).Raw("SELECT * FROM nowhere").Rows() },
		"gorm Row":  func(tx *sqldb.Tx) { _ = tx.Gorm(ctx).Raw("SELECT * FROM nowhere").Row() },
		"scan": func(tx *sqldb.Tx) {
			_ = tx.Each(ctx, "SELECT 'x'", nil, func(r *sql.Rows) error { var n int; return r.Scan(&n) })
		},
		"gorm Transaction": func(tx *sqldb.Tx) {
			_ = tx.Gorm(ctx).Transaction(func(*gorm.DB) error { return nil })
		},
		"gorm Create":  func(tx *sqldb.Tx) { tx.Gorm(ctx).Table("orders").Create(map[string]any{"id": "a"}) },
		"raw COMMIT":   func(tx *sqldb.Tx) { tx.Gorm(ctx).Exec(" /* quiet */ commit") },
		"raw ROLLBACK": func(tx *sqldb.Tx) { tx.Gorm(ctx).Exec("UPDATE orders SET version = 3; ROLLBACK") },
		"autocommit":   func(tx *sqldb.Tx) { tx.Gorm(ctx).Exec("SET @@session.autocommit=1") },
		"prepared": func(tx *sqldb.Tx) {
			tx.Gorm(ctx).Session(&gorm.Session{PrepareStmt: true}).Exec("UPDATE orders SET version = 3")
		},
		"gorm, without WHERE": func(tx *sqldb.Tx) { tx.Gorm(ctx).Table("orders").Update("version", 9) },
		"raw DDL":             func(tx *sqldb.Tx) { tx.Gorm(ctx).Exec("-- x\ncreate table t (a int)") },
	}
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		for name, f := range swallow {
			err := db.InTx(ctx, func(tx *sqldb.Tx) error {
				_, err := tx.Exec(ctx, insertOrder, "a")
				require.NoError(t, err)
				f(tx)
				stuck := tx.Err()
				require.Error(t, stuck, name)
				_, err = tx.Exec(ctx, insertOrder, "b")
				assert.Same(t, stuck, err, name)
				_, err = tx.Query(ctx, "SELECT 1")
				assert.Same(t, stuck, err, name)
				assert.ErrorIs(t, tx.Gorm(ctx).Exec(insertOrder, "c").Error, stuck, name)
				assert.ErrorIs(t, tx.Gorm(ctx).Raw("SELECT 1").Row().Err(), stuck, name)
				return nil
			})
			assert.Error(t, err, name)
		}
		assert.Zero(t, orders(t, db))
	})
}

func TestNothingFoundIsNoFailure(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
			var row struct{ ID string }
			require.ErrorIs(t, tx.Gorm(ctx).Table("orders").Where("id = ?", "x").Take(&row).Error, gorm.ErrRecordNotFound)
			require.ErrorIs(t, tx.Gorm(ctx).Raw("SELECT id FROM orders").Row().Scan(&row.ID), sql.ErrNoRows)
			return tx.Err()
		}))
	})
}

func TestUserCodeCannotEndTheTransaction(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		abort := errors.New("abort")
		err := db.InTx(ctx, func(tx *sqldb.Tx) error {
			g := tx.Gorm(ctx)
			require.NoError(t, g.Exec(insertOrder, "a").Error)
			require.ErrorIs(t, g.Session(&gorm.Session{NewDB: true}).Commit().Error, gorm.ErrInvalidTransaction)
			require.ErrorIs(t, tx.Gorm(ctx).Rollback().Error, gorm.ErrInvalidTransaction)
			_, err := tx.Gorm(ctx).DB()
			require.Error(t, err)
			return abort
		})
		require.ErrorIs(t, err, abort)
		assert.Zero(t, orders(t, db))
	})
}

// After a deadlock the server has ended the transaction, and what follows would commit by itself.
func TestNothingReachesTheServerAfterADeadlock(t *testing.T) {
	f, db := openFaulty(t)
	f.exec = func(c driver.ExecerContext, query string, do func() error) error {
		if strings.Contains(query, "UPDATE") {
			_, err := c.ExecContext(ctx, "ROLLBACK", nil)
			require.NoError(t, err)
			return &mysql.MySQLError{Number: 1213, Message: "Deadlock found"}
		}
		return do()
	}
	err := db.InTx(ctx, func(tx *sqldb.Tx) error {
		_, _ = tx.Exec(ctx, "UPDATE orders SET version = 2")
		_, _ = tx.Exec(ctx, insertOrder, "ghost")
		tx.Gorm(ctx).Exec(insertOrder, "ghost")
		return nil
	})
	assert.Equal(t, dberr.Conflict, dberr.Classify(err))
	f.exec = nil
	assert.EqualValues(t, 1, orders(t, db))
}

// A server can report a deadlock in the middle of a result.
func TestErrorWhileReadingRowsStopsTheTransaction(t *testing.T) {
	deadlock := &mysql.MySQLError{Number: 1213}
	for name, read := range map[string]func(tx *sqldb.Tx){
		"Query": func(tx *sqldb.Tx) {
			rows, _ := tx.Query(ctx, "SELECT id FROM orders")
			for rows.Next() {
			}
		},
		"Each": func(tx *sqldb.Tx) {
			_ = tx.Each(ctx, "SELECT id FROM orders", nil, func(*sql.Rows) error { return nil })
		},
		"gorm Scan": func(tx *sqldb.Tx) { var ids []string; tx.Gorm(ctx).Raw("SELECT id FROM orders").Scan(&ids) },
		"gorm Rows": func(tx *sqldb.Tx) {
			rows, _ := tx.Gorm(ctx).Raw("SELECT id FROM orders").Rows()
			for rows.Next() {
			}
		},
		"gorm, in closing": func(tx *sqldb.Tx) { var row struct{ ID string }; tx.Gorm(ctx).Raw("SELECT id FROM orders").Take(&row) },
	} {
		t.Run(name, func(t *testing.T) {
			f, db := openFaulty(t)
			f.rows = func(rows driver.Rows) driver.Rows {
				return &brokenRows{Rows: rows, err: deadlock, closing: name == "gorm, in closing"}
			}
			assert.ErrorIs(t, db.InTx(ctx, func(tx *sqldb.Tx) error { read(tx); return nil }), deadlock, "at the end")
			assert.ErrorIs(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
				read(tx)
				_, err := tx.Exec(ctx, insertOrder, "ghost")
				return err
			}), deadlock, "before the next statement")
		})
	}
}

// After a lock wait the server has undone only one statement, and COMMIT would keep the rest.
func TestNothingIsCommittedAfterALockWait(t *testing.T) {
	f, db := openFaulty(t)
	f.exec = func(_ driver.ExecerContext, query string, do func() error) error {
		if strings.Contains(query, "UPDATE") {
			return &mysql.MySQLError{Number: 1205}
		}
		return do()
	}
	err := db.InTx(ctx, func(tx *sqldb.Tx) error {
		_, _ = tx.Exec(ctx, insertOrder, "ghost")
		tx.Gorm(ctx).Exec("UPDATE orders SET version = 2")
		return nil
	})
	assert.Equal(t, dberr.LockWait, dberr.Classify(err))
	assert.EqualValues(t, 1, orders(t, db))
}

func TestRealDeadlockOnMySQLLeavesNothingBehind(t *testing.T) {
	onServers(t, realDeadlockOnMySQLLeavesNothingBehind)
}

func realDeadlockOnMySQLLeavesNothingBehind(t *testing.T, g *gorm.DB) {
	db := wrap(t, g)
	withOrders(t, db, 2)
	first, second := make(chan struct{}), make(chan struct{})
	attempt := func(mine, other string, ready, wait chan struct{}) error {
		return db.InTx(ctx, func(tx *sqldb.Tx) error {
			const update = "UPDATE orders SET version = version + 1 WHERE id = ?"
			_, err := tx.Exec(ctx, update, mine)
			require.NoError(t, err)
			close(ready)
			<-wait
			_, _ = tx.Exec(ctx, update, other)
			tx.Gorm(ctx).Exec(insertOrder, "by_"+mine)
			return nil
		})
	}
	result := make(chan error, 1)
	go func() { result <- attempt(orderID(0), orderID(1), first, second) }()
	err := errors.Join(attempt(orderID(1), orderID(0), second, first), <-result)
	assert.Equal(t, dberr.Conflict, dberr.Classify(err))
	assert.EqualValues(t, 3, orders(t, db), "only the winner inserted")
}

func TestCancelledCallerStopsBeforeCommit(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		ctx, cancel := context.WithCancel(ctx)
		err := db.InTx(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.Exec(ctx, insertOrder, "a")
			cancel()
			return err
		})
		var commit *dberr.CommitError
		require.ErrorAs(t, err, &commit)
		assert.False(t, commit.Unknown)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, dberr.Canceled, dberr.Classify(err))
		assert.Zero(t, orders(t, db))

		require.ErrorIs(t, db.InTx(ctx, func(*sqldb.Tx) error { t.Error("f ran"); return nil }), context.Canceled)
	})
}

func TestCallerWhoWaitsForAConnectionCanLeave(t *testing.T) {
	db := wrap(t, openSQLite(t)) // one writer
	withOrders(t, db, 0)
	err := db.InTx(ctx, func(*sqldb.Tx) error {
		waiting, cancel := context.WithCancel(ctx)
		result := make(chan error)
		go func() { result <- db.InTx(waiting, func(*sqldb.Tx) error { return nil }) }()
		cancel()
		return <-result
	})
	assert.ErrorIs(t, err, context.Canceled)
}
