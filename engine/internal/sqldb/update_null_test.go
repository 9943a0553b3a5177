package sqldb_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/internal/sqldb"
)

// A version that may be NULL is 0 where it is, in statements for one row and for many.
func TestANullVersionIsZero(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		_, err := db.Exec(ctx, "CREATE TABLE old (id VARCHAR(20) NOT NULL PRIMARY KEY, status VARCHAR(20) NOT NULL, version BIGINT NULL)")
		require.NoError(t, err)
		_, err = db.Exec(ctx, "INSERT INTO old VALUES ('a', 'new', NULL), ('b', 'new', NULL), ('c', 'new', 0), ('d', 'new', 4)")
		require.NoError(t, err)
		u := sqldb.Update{Table: "old", ID: "id", State: "status", Version: "version", NullVersion: true, Keep: []string{"id"}}
		row := func(id string, version int64) sqldb.UpdateRow {
			return sqldb.UpdateRow{ID: id, From: "new", To: "paid", Version: version, NewVersion: version + 1}
		}
		u.Rows = []sqldb.UpdateRow{row("a", 0)}
		n, err := run(t, db, u)
		require.NoError(t, err)
		assert.EqualValues(t, 1, n)
		u.Rows = []sqldb.UpdateRow{row("a", 0), row("b", 0), row("c", 0), row("d", 4)}
		n, err = run(t, db, u)
		require.NoError(t, err)
		assert.EqualValues(t, 3, n, "a has moved already")
		assert.EqualValues(t, 8, value[int64](t, db, "SELECT SUM(version) FROM old"))
		u.NullVersion = false
		_, err = db.Exec(ctx, "UPDATE old SET status = 'new', version = NULL WHERE id = 'a'")
		require.NoError(t, err)
		u.Rows = u.Rows[:1]
		n, err = run(t, db, u)
		require.NoError(t, err)
		assert.Zero(t, n, "where nobody says so it is nothing")
	})
}
