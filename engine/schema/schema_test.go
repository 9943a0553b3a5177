package schema_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/schema"
)

const insertOrder = "INSERT INTO orders (id, status, version) VALUES (?, 'new', 1)"

func TestMigrateIsRepeatableAndRefusesAnotherVersion(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		c := schema.Component{Name: "engine", Version: 2, DDL: ordersDDL}
		var mismatch *schema.VersionError
		require.ErrorAs(t, schema.Check(ctx, db, c), &mismatch)
		assert.Equal(t, schema.VersionError{Component: "engine", Have: 0, Want: 2}, *mismatch)
		assert.ErrorContains(t, mismatch, "orderd migrate")

		for range 2 {
			require.NoError(t, schema.Migrate(ctx, db, c))
			require.NoError(t, schema.Check(ctx, db, c))
		}
		require.NoError(t, db.Exec(insertOrder, "a").Error)
		for _, version := range []int{1, 3} {
			other := c
			other.Version = version
			for _, err := range []error{schema.Migrate(ctx, db, other), schema.Check(ctx, db, other)} {
				require.ErrorAs(t, err, &mismatch)
				assert.Equal(t, schema.VersionError{Component: "engine", Have: 2, Want: version, Stuck: version > 2}, *mismatch)
			}
		}
		second := schema.Component{Name: "orders", Version: 1, DDL: "CREATE TABLE x (id BIGINT NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB"}
		require.NoError(t, schema.Migrate(ctx, db, second))
		require.NoError(t, schema.Check(ctx, db, c))
	})
}

func TestMigrateByManyAtOnceInstallsOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				assert.NoError(t, schema.Migrate(ctx, db, schema.Component{Name: "engine", Version: 1, DDL: ordersDDL}))
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, value[int64](t, db, "SELECT COUNT(*) FROM engine_schema"))
	})
}

func TestMigrateCompletesWhatAnotherLeftHalfDone(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		migrate(t, db, ordersDDL)
		require.NoError(t, db.Exec(insertOrder, "a").Error)
		require.NoError(t, db.Exec("DELETE FROM engine_schema").Error)
		migrate(t, db, ordersDDL)
		assert.EqualValues(t, 1, value[int64](t, db, "SELECT COUNT(*) FROM orders"), "what is there stays")
	})
}

func TestAHandleThatIsNotOpenIsRefused(t *testing.T) {
	c := schema.Component{Name: "test", Version: 1, DDL: ordersDDL}
	for _, db := range []*gorm.DB{nil, {}} {
		assert.ErrorContains(t, schema.Check(ctx, db, c), "not open")
		assert.Error(t, schema.Migrate(ctx, db, c))
	}
}
