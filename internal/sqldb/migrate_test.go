package sqldb_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/internal/sqldb"
)

func TestMigrateIsRepeatableAndRefusesAnotherVersion(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		c := sqldb.Component{Name: "engine", Version: 2, DDL: ordersDDL}
		var mismatch *sqldb.VersionError
		require.ErrorAs(t, sqldb.CheckVersion(ctx, db, c), &mismatch)
		assert.Equal(t, sqldb.VersionError{Component: "engine", Have: 0, Want: 2}, *mismatch)
		assert.ErrorContains(t, mismatch, "orderd migrate")

		for range 2 {
			require.NoError(t, sqldb.Migrate(ctx, db, c))
			require.NoError(t, sqldb.CheckVersion(ctx, db, c))
		}
		_, err := db.Exec(ctx, insertOrder, "a")
		require.NoError(t, err)
		for _, version := range []int{1, 3} {
			other := c
			other.Version = version
			for _, err := range []error{sqldb.Migrate(ctx, db, other), sqldb.CheckVersion(ctx, db, other)} {
				require.ErrorAs(t, err, &mismatch)
				assert.Equal(t, sqldb.VersionError{Component: "engine", Have: 2, Want: version}, *mismatch)
			}
		}
		second := sqldb.Component{Name: "orders", Version: 1, DDL: "CREATE TABLE x (id BIGINT NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB"}
		require.NoError(t, sqldb.Migrate(ctx, db, second))
		require.NoError(t, sqldb.CheckVersion(ctx, db, c))
	})
}

func TestMigrateByManyAtOnceInstallsOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				assert.NoError(t, sqldb.Migrate(ctx, db, sqldb.Component{Name: "engine", Version: 1, DDL: ordersDDL}))
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, value[int64](t, db, "SELECT COUNT(*) FROM engine_schema"))
	})
}

func TestMigrateCompletesWhatAnotherLeftHalfDone(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 1)
		_, err := db.Exec(ctx, "DELETE FROM engine_schema")
		require.NoError(t, err)
		withOrders(t, db, 0)
		assert.EqualValues(t, 1, orders(t, db), "what is there stays")
	})
}
