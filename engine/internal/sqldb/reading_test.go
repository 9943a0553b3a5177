package sqldb_test

import (
	"database/sql"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/internal/sqldb"
)

// Whichever of several statements fails, its error is the database's own: on its class rests whether the
// whole is run again. No row of a later one passes for missing.
func TestReadingTellsWhatTheDatabaseSaid(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 3)
		for broken := range 3 {
			var read [3]int
			rs := make([]sqldb.Reading, 3)
			for i := range rs {
				rs[i] = sqldb.Reading{Query: "SELECT id FROM orders WHERE version = ?", Args: []any{1}, Row: func(rows *sql.Rows) error {
					read[i]++
					var id string
					return rows.Scan(&id)
				}}
			}
			rs[broken].Query = "SELECT id FROM no_orders WHERE version = ?"
			err := db.Read(ctx, rs)
			require.Error(t, err)
			if db.Dialect() == sqldb.MySQL {
				var said *mysql.MySQLError
				require.ErrorAs(t, err, &said)
				assert.EqualValues(t, 1146, said.Number)
			} else {
				assert.ErrorContains(t, err, "no_orders")
			}
			for i, n := range read {
				want := 0
				if i < broken {
					want = 3
				}
				assert.Equal(t, want, n, "statement %d of a reading whose statement %d is broken", i, broken)
			}
		}
	})
}

func TestReadingStopsAtARowThatCannotBeUsed(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 3)
		n := 0
		refuse := sqldb.Reading{Query: "SELECT id FROM orders", Row: func(*sql.Rows) error { n++; return assert.AnError }}
		require.ErrorIs(t, db.Read(ctx, []sqldb.Reading{refuse, refuse}), assert.AnError)
		assert.Equal(t, 1, n)
	})
}
