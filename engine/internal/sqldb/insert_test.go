package sqldb_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/internal/sqldb"
)

func TestInsertOfMoreRowsThanOneStatementHolds(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 11_000) // 33 000 parameters
		assert.EqualValues(t, 11_000, orders(t, db))

		in := sqldb.Insert{Table: "orders", Columns: []string{"id", "status", "version", "note"}}
		for i := range 40 {
			in.Rows = append(in.Rows, []any{"big" + orderID(i), "new", 1, strings.Repeat("x", 100_000)})
		}
		require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error { return tx.Insert(ctx, in) }))
		assert.EqualValues(t, 40, value[int64](t, db, "SELECT COUNT(*) FROM orders WHERE LENGTH(note) = 100000"))
	})
}

func TestInsertIsAllOrNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 1)
		err := db.InTx(ctx, func(tx *sqldb.Tx) error {
			return tx.Insert(ctx, sqldb.Insert{Table: "orders", Columns: []string{"id", "status", "version"},
				Rows: [][]any{{"a", "new", 1}, {orderID(0), "new", 1}}})
		})
		assert.Equal(t, dberr.Duplicate, dberr.Classify(err))
		assert.EqualValues(t, 1, orders(t, db))

		err = db.InTx(ctx, func(tx *sqldb.Tx) error {
			_ = tx.Insert(ctx, sqldb.Insert{Table: "orders", Columns: []string{"id", "status"}, Rows: [][]any{{"a"}}})
			return nil
		})
		assert.ErrorContains(t, err, "1 values for 2 columns")
		require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error { return tx.Insert(ctx, sqldb.Insert{Table: "nowhere"}) }))
	})
}

func TestMergeAddsAndReplaces(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		migrate(t, db, `CREATE TABLE counters (day VARBINARY(10) NOT NULL, kind VARBINARY(10) NOT NULL,
			n BIGINT NOT NULL, last BIGINT NOT NULL, PRIMARY KEY (day, kind)) ENGINE=InnoDB;`)
		merge := func(rows ...[]any) {
			require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
				return tx.Merge(ctx, sqldb.Merge{
					Insert: sqldb.Insert{Table: "counters", Columns: []string{"day", "kind", "n", "last"}, Rows: rows},
					Key:    []string{"day", "kind"}, Add: []string{"n"}, Replace: []string{"last"},
				})
			}))
		}
		merge([]any{"mon", "a", 1, 10}, []any{"mon", "b", 2, 20})
		merge([]any{"mon", "a", 5, 11}, []any{"tue", "a", 7, 30}, []any{"mon", "a", 3, 12})
		assert.Equal(t, "mon a 9 12,mon b 2 20,tue a 7 30", value[string](t, db,
			"SELECT GROUP_CONCAT(line) FROM (SELECT "+concat(db, "day", "kind", "n", "last")+" AS line FROM counters ORDER BY day, kind) x"))
	})
}

// concat joins columns with blanks.
func concat(db *sqldb.DB, columns ...string) string {
	if db.Dialect() == sqldb.SQLite {
		return strings.Join(columns, " || ' ' || ")
	}
	return "CONCAT_WS(' ', " + strings.Join(columns, ", ") + ")"
}
