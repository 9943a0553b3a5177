package sqldb_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

// An outage is told from a statement that was cut off by what the database says and whether it answers.
func TestADatabaseIsAwayWhenEverybodyMeetsIt(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		for _, everybody := range []uint16{1021, 1040, 1047, 1053, 1114, 1290, 1792, 1836} {
			assert.True(t, db.Away(ctx, fmt.Errorf("write: %w", &mysql.MySQLError{Number: everybody})), "%d", everybody)
		}
		for _, one := range []uint16{1317, 1927, 1969, 2006, 2013, 3024} {
			assert.False(t, db.Away(ctx, &mysql.MySQLError{Number: one}), "%d, and the database answers", one)
		}
		assert.False(t, db.Away(ctx, mysql.ErrInvalidConn), "a connection was lost, and the database answers")
		for _, other := range []error{nil, errors.New("x"), &mysql.MySQLError{Number: 1213}, &mysql.MySQLError{Number: 1205}, dberr.ErrRunAgain} {
			assert.False(t, db.Away(ctx, other), "%v", other)
		}
	})
	gone := openSQLite(t)
	db := wrap(t, gone)
	pool, err := gone.DB()
	require.NoError(t, err)
	require.NoError(t, pool.Close())
	assert.True(t, db.Away(ctx, mysql.ErrInvalidConn), "a connection was lost, and the database does not answer")
}
