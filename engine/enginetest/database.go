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

// Variables that hold DSNs of servers of the MySQL family on which tests may create databases. Without
// one, tests that need it are skipped.
const (
	MySQLEnv   = "ORDERD_TEST_MYSQL"   // any
	MySQL56Env = "ORDERD_TEST_MYSQL56" // MySQL 5.6, from which the others descend
)

// Server is a server of the MySQL family.
type Server struct {
	Name string // of subtests
	Env  string // the variable that holds its DSN
}

// Servers lists the servers that tests run on.
func Servers() []Server { return []Server{{"mysql", MySQLEnv}, {"mysql56", MySQL56Env}} }

// OnServers runs f as a subtest on each of Servers.
func OnServers(t *testing.T, f func(t *testing.T, s Server)) {
	t.Helper()
	for _, s := range Servers() {
		t.Run(s.Name, func(t *testing.T) { f(t, s) })
	}
}

// Kind is a kind of database.
type Kind struct {
	Name string // of subtests

	// Open returns a fresh database with the engine's tables, which is gone when the test ends.
	Open func(tb testing.TB) *gorm.DB
}

// Kinds lists SQLite and each of Servers.
func Kinds() []Kind {
	all := []Kind{{"sqlite", SQLite}}
	for _, s := range Servers() {
		all = append(all, Kind{s.Name, s.Open})
	}
	return all
}

// Databases runs f as a subtest on a fresh database of each of Kinds.
func Databases(t *testing.T, f func(t *testing.T, db *gorm.DB)) {
	t.Helper()
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) { f(t, k.Open(t)) })
	}
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

// MySQL is Server.Open on the server of MySQLEnv.
func MySQL(tb testing.TB) *gorm.DB {
	tb.Helper()
	return Servers()[0].Open(tb)
}

// MySQLDSN is Server.DSN on the server of MySQLEnv.
func MySQLDSN(tb testing.TB) string {
	tb.Helper()
	return Servers()[0].DSN(tb)
}

// Open returns a fresh database with the engine's tables. It is dropped when the test ends. Without a
// server the test is skipped.
func (s Server) Open(tb testing.TB) *gorm.DB {
	tb.Helper()
	db, err := mysqldb.Open(s.DSN(tb))
	if err != nil {
		tb.Fatalf("open %s: %v", s.Name, err)
	}
	closeAtEnd(tb, db)
	migrate(tb, db)
	return db
}

// DSN creates an empty database and returns its DSN. It is dropped when the test ends. Without a server
// the test is skipped.
func (s Server) DSN(tb testing.TB) string {
	tb.Helper()
	dsn := os.Getenv(s.Env)
	if dsn == "" {
		tb.Skipf("no server of the MySQL family: %s is not set (make test starts one)", s.Env)
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		tb.Fatalf("%s: %v", s.Env, err)
	}
	cfg.DBName = ""
	server, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		tb.Fatalf("%s: %v", s.Env, err)
	}
	name := "test_" + randomName()
	if _, err := server.ExecContext(context.Background(), "CREATE DATABASE "+name+
		" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
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
