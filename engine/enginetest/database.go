package enginetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/engine/sqlitedb"
)

// MySQLEnv names the variable that holds the DSN of a server of the MySQL family on which tests may
// create databases. Without it, tests that need one are skipped.
const MySQLEnv = "ORDERD_TEST_MYSQL"

// Databases runs f as a subtest on a fresh database of each kind, with the engine's tables.
func Databases(t *testing.T, f func(t *testing.T, db *gorm.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("mysql", func(t *testing.T) { f(t, MySQL(t)) })
}

// SQLite returns a fresh database in a file of the test's own, with the engine's tables. It is
// closed when the test ends.
func SQLite(tb testing.TB) *gorm.DB {
	tb.Helper()
	db, err := sqlitedb.Open(filepath.Join(tb.TempDir(), "test.db"))
	if err != nil {
		tb.Fatalf("open SQLite: %v", err)
	}
	closeAtEnd(tb, db)
	migrate(tb, db)
	return db
}

// MySQL returns a fresh database on the server of MySQLEnv, with the engine's tables. It is dropped
// when the test ends. Without a server the test is skipped.
func MySQL(tb testing.TB) *gorm.DB {
	tb.Helper()
	db, err := mysqldb.Open(MySQLDSN(tb))
	if err != nil {
		tb.Fatalf("open MySQL: %v", err)
	}
	closeAtEnd(tb, db)
	migrate(tb, db)
	return db
}

// MySQLDSN creates an empty database on the server of MySQLEnv and returns its DSN. It is dropped
// when the test ends. Without a server the test is skipped.
func MySQLDSN(tb testing.TB) string {
	tb.Helper()
	dsn := os.Getenv(MySQLEnv)
	if dsn == "" {
		tb.Skipf("no server of the MySQL family: %s is not set (make test starts one)", MySQLEnv)
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		tb.Fatalf("%s: %v", MySQLEnv, err)
	}
	cfg.DBName = ""
	server, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		tb.Fatalf("%s: %v", MySQLEnv, err)
	}
	name := "test_" + randomName()
	if _, err := server.ExecContext(context.Background(), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
		tb.Fatalf("create test database: %v", err)
	}
	tb.Cleanup(func() {
		if _, err := server.ExecContext(context.Background(), "DROP DATABASE "+name); err != nil {
			tb.Errorf("drop test database: %v", err)
		}
		_ = server.Close()
	})
	cfg.DBName = name
	return cfg.FormatDSN()
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	return hex.EncodeToString(b[:])
}

func closeAtEnd(tb testing.TB, db *gorm.DB) {
	tb.Cleanup(func() {
		pool, err := db.DB()
		if err == nil {
			err = pool.Close()
		}
		if err != nil {
			tb.Errorf("close database: %v", err)
		}
	})
}

func migrate(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	if err := engine.Migrate(context.Background(), db); err != nil {
		tb.Fatalf("create the engine's tables: %v", err)
	}
}
