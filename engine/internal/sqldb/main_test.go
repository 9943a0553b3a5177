package sqldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/sqlitedb"
)

func TestMain(m *testing.M) {
	// gorm's cache of prepared statements, which only a user would switch on, never stops.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

var ctx = context.Background()

var databases atomic.Int64

// newDatabase creates a database for one test, with the server's own collation, and returns its DSN
// without parameters.
func newDatabase(t *testing.T, s enginetest.Server) string {
	dsn := os.Getenv(s.Env)
	if dsn == "" {
		t.Skipf("%s is not set: it takes the DSN of a MySQL family server on which databases may be created", s.Env)
	}
	cfg, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	name := fmt.Sprintf("sqldb_%d_%d", os.Getpid(), databases.Add(1))
	admin, err := sql.Open("mysql", cfg.FormatDSN())
	require.NoError(t, err)
	_, err = admin.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("DROP DATABASE " + name)
		require.NoError(t, err)
		require.NoError(t, admin.Close())
	})
	cfg.DBName = name
	dsn, _, _ = strings.Cut(cfg.FormatDSN(), "?")
	return dsn
}

func closeAtEnd(t *testing.T, db *gorm.DB) *gorm.DB {
	t.Cleanup(func() {
		d, err := db.DB()
		require.NoError(t, err)
		require.NoError(t, d.Close())
	})
	return db
}

func openSQLite(t *testing.T) *gorm.DB {
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	return closeAtEnd(t, db)
}

func openMySQL(t *testing.T, s enginetest.Server, params string) *gorm.DB {
	db, err := mysqldb.Open(newDatabase(t, s) + params)
	require.NoError(t, err)
	return closeAtEnd(t, db)
}

func wrap(t *testing.T, db *gorm.DB) *sqldb.DB {
	w, err := sqldb.Wrap(ctx, db)
	require.NoError(t, err)
	return w
}

// everywhere runs a test on every database there is.
func everywhere(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	t.Run("SQLite", func(t *testing.T) { test(t, wrap(t, openSQLite(t))) })
	for _, s := range enginetest.Servers() {
		for name, open := range map[string]func(t *testing.T) *gorm.DB{
			"":                       func(t *testing.T) *gorm.DB { return openMySQL(t, s, "") },
			", preparing statements": func(t *testing.T) *gorm.DB { return usersMySQL(t, s, usersParams, &gorm.Config{}) },
			", in another collation": func(t *testing.T) *gorm.DB {
				return usersMySQL(t, s, usersParams+"&interpolateParams=true&charset=utf8mb4&collation=utf8mb4_general_ci", &gorm.Config{})
			},
			", counting found rows": func(t *testing.T) *gorm.DB { return openMySQL(t, s, "?clientFoundRows=true") },
		} {
			t.Run(s.Name+name, func(t *testing.T) { test(t, wrap(t, open(t))) })
		}
	}
}

// onServers runs a test on each server of the MySQL family.
func onServers(t *testing.T, test func(t *testing.T, g *gorm.DB)) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) { test(t, openMySQL(t, s, "")) })
}

// ordersDDL is a table like those of the engine.
const ordersDDL = `CREATE TABLE orders (
  id      VARBINARY(64) NOT NULL,
  status  VARBINARY(32) NOT NULL,
  version BIGINT        NOT NULL,
  note    MEDIUMTEXT    NULL,
  amount  BIGINT        NULL,
  paid    BOOLEAN       NOT NULL DEFAULT FALSE,
  at      DATETIME(6)   NULL,
  secret  BLOB          NULL,
  hash    BINARY(4)     NULL,
  PRIMARY KEY (id),
  UNIQUE KEY orders_amount (amount)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;`

func migrate(t *testing.T, db *sqldb.DB, ddl string) {
	require.NoError(t, schema.Migrate(ctx, db.Gorm(ctx), schema.Component{Name: "test", Version: 1, DDL: ddl}))
}

// withOrders installs the table with n orders in state "new", version 1.
func withOrders(t *testing.T, db *sqldb.DB, n int) {
	migrate(t, db, ordersDDL)
	in := sqldb.Insert{Table: "orders", Columns: []string{"id", "status", "version"}}
	for i := range n {
		in.Rows = append(in.Rows, []any{orderID(i), "new", 1})
	}
	require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error { return tx.Insert(ctx, in) }))
}

func orderID(i int) string { return fmt.Sprintf("ord_%06d", i) }

// value returns the one value of a query.
func value[T any](t *testing.T, db *sqldb.DB, query string, args ...any) (v T) {
	t.Helper()
	n := 0
	require.NoError(t, db.Each(ctx, query, args, func(r *sql.Rows) error { n++; return r.Scan(&v) }))
	require.Equal(t, 1, n, "rows of %s", query)
	return v
}
