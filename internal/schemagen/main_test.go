package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/schema"
	"example.com/orderd/orders"
)

const top = "../.."

func TestTheCommittedFileIsUpToDate(t *testing.T) {
	want, err := whole(top)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(top, "schema.sql"))
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run make generate")
}

func TestTheFileCreatesTheTablesThatMigrateCreates(t *testing.T) {
	enginetest.OnServers(t, createsWhatMigrateCreates)
}

func createsWhatMigrateCreates(t *testing.T, s enginetest.Server) {
	byHand := tables(t, s, func(t *testing.T, dsn string) {
		text, err := whole(top)
		require.NoError(t, err)
		db, err := sql.Open("mysql", dsn)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		for _, statement := range schema.Statements(text) {
			_, err := db.ExecContext(context.Background(), statement)
			require.NoError(t, err, statement)
		}
	})
	require.Contains(t, byHand, "engine_transitions.subject varbinary(128) NO PRI")
	require.Contains(t, byHand, "orders.status varbinary(64) NO MUL")
	db := s.Open(t)
	require.NoError(t, orders.Migrate(context.Background(), db))
	require.NoError(t, engine.Migrate(context.Background(), db))
	var migrated []string
	require.NoError(t, db.Raw(columnsQuery+` AND table_name NOT LIKE 'orderd%'`).Scan(&migrated).Error)
	require.Subset(t, byHand, migrated)
	require.Greater(t, len(migrated), 80)
}

const columnsQuery = `SELECT CONCAT(table_name, '.', column_name, ' ', column_type, ' ', is_nullable, ' ', column_key)
	FROM information_schema.columns WHERE table_schema = DATABASE()`

func tables(t *testing.T, s enginetest.Server, create func(t *testing.T, dsn string)) []string {
	t.Helper()
	dsn := s.DSN(t)
	create(t, dsn)
	db, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(context.Background(), columnsQuery)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var all []string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		all = append(all, line)
	}
	require.NoError(t, rows.Err())
	return all
}
