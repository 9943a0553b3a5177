package schema_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// bare empties a database that enginetest has prepared.
func bare(t *testing.T, db *gorm.DB) *gorm.DB {
	require.NoError(t, enginetest.Bare(db))
	return db
}

func openSQLite(t *testing.T) *gorm.DB { return bare(t, enginetest.SQLite(t)) }

// everywhere runs a test on an empty database of every kind.
func everywhere(t *testing.T, test func(t *testing.T, db *gorm.DB)) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) { test(t, bare(t, db)) })
}

func value[T any](t *testing.T, db *gorm.DB, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.Raw(query, args...).Row().Scan(&v))
	return v
}

const ordersDDL = `CREATE TABLE orders (
  id      VARBINARY(64) NOT NULL,
  status  VARBINARY(32) NOT NULL,
  version BIGINT        NOT NULL,
  amount  BIGINT        NULL,
  at      DATETIME(6)   NULL,
  PRIMARY KEY (id),
  UNIQUE KEY orders_amount (amount)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;`

func migrate(t *testing.T, db *gorm.DB, ddl string) {
	require.NoError(t, schema.Migrate(ctx, db, schema.Component{Name: "test", Version: 1, DDL: ddl}))
}
