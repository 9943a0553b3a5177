package sqldb_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
)

func updateOf(rows ...sqldb.UpdateRow) sqldb.Update {
	return sqldb.Update{Table: "orders", ID: "id", State: "status", Version: "version", Rows: rows}
}

func run(t *testing.T, db *sqldb.DB, u sqldb.Update) (rows int64, err error) {
	t.Helper()
	err = db.InTx(ctx, func(tx *sqldb.Tx) error {
		rows, err = tx.Update(ctx, u)
		return err
	})
	return rows, err
}

func TestUpdateMovesExactlyTheRowsThatAreWhereTheyMustBe(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 700)
		for _, n := range []int{1, 2, 250, 251, 600} {
			_, err := db.Exec(ctx, "UPDATE orders SET status = 'new', version = 1")
			require.NoError(t, err)
			var u = updateOf()
			want := int64(0)
			for i := range n {
				r := sqldb.UpdateRow{ID: orderID(i), From: "new", To: "paid", Version: 1, NewVersion: int64(2 + i%3)}
				switch i % 5 {
				case 1:
					r.From = "old"
				case 2:
					r.Version = 7
				case 3:
					r.ID = "missing" + orderID(i)
				default:
					want++
				}
				u.Rows = append(u.Rows, r)
			}
			rows, err := run(t, db, u)
			require.NoError(t, err)
			assert.Equal(t, want, rows, "of %d", n)
			assert.Equal(t, want, value[int64](t, db, "SELECT COUNT(*) FROM orders WHERE status = 'paid' AND version > 1"))
			assert.Equal(t, 700-want, value[int64](t, db, "SELECT COUNT(*) FROM orders WHERE status = 'new' AND version = 1"))
		}
	})
}

func TestUpdateOfASelfLoopCountsToo(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 3)
		u := updateOf()
		for i := range 3 {
			u.Rows = append(u.Rows, sqldb.UpdateRow{ID: orderID(i), From: "new", To: "new", Version: 1, NewVersion: 2})
		}
		rows, err := run(t, db, u)
		require.NoError(t, err)
		assert.EqualValues(t, 3, rows)
	})
}

func TestUpdateComparesKeysAndStatesByteForByte(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 0)
		for _, id := range []string{"a", "A", "a ", "é", "e"} {
			_, err := db.Exec(ctx, insertOrder, id)
			require.NoError(t, err)
		}
		rows, err := run(t, db, updateOf(
			sqldb.UpdateRow{ID: "a", From: "new", To: "paid", Version: 1, NewVersion: 2},
			sqldb.UpdateRow{ID: "A", From: "NEW", To: "paid", Version: 1, NewVersion: 2},
			sqldb.UpdateRow{ID: "e", From: "new ", To: "paid", Version: 1, NewVersion: 2},
		))
		require.NoError(t, err)
		assert.EqualValues(t, 1, rows)
		assert.Equal(t, "a", value[string](t, db, "SELECT id FROM orders WHERE status = 'paid'"))
	})
}

// extras are values of every type, and what a reader must find.
type extras struct {
	note   any
	amount any
	paid   any
	at     any
	secret any
	hash   any
}

func TestUpdateStoresEveryTypeUnchanged(t *testing.T) {
	at := time.Date(2026, 2, 28, 23, 59, 59, 999_999_999, time.FixedZone("", 8*3600))
	stored := at.UTC().Truncate(time.Microsecond)
	type state string
	all := []struct{ give, want extras }{
		{extras{"plain", int64(5), true, at, []byte("\x00\xff'\\"), []byte("\x00\x01\x02\xff")},
			extras{"plain", int64(5), true, stored, []byte("\x00\xff'\\"), []byte("\x00\x01\x02\xff")}},
		{extras{nil, nil, false, nil, nil, nil}, extras{nil, nil, false, nil, nil, nil}},
		{extras{"  padded 'quoted' \\ é 😀 \n\x00 ", int64(math.MaxInt64), true, &at, []byte("x  "), []byte("    ")},
			extras{"  padded 'quoted' \\ é 😀 \n\x00 ", int64(math.MaxInt64), true, stored, []byte("x  "), []byte("    ")}},
		{extras{strings.Repeat("long é ", 30_000), int64(math.MinInt64), true, sql.NullTime{Time: at, Valid: true}, []byte(strings.Repeat("\xfe", 60_000)), nil},
			extras{strings.Repeat("long é ", 30_000), int64(math.MinInt64), true, stored, []byte(strings.Repeat("\xfe", 60_000)), nil}},
		{extras{state("named"), int32(-7), sql.NullBool{Bool: true, Valid: true}, sql.NullTime{}, nil, nil},
			extras{"named", int64(-7), true, nil, nil, nil}},
		{extras{sql.NullString{}, uint16(9), 1, nil, []byte("b"), nil}, extras{nil, int64(9), true, nil, []byte("b"), nil}},
		{extras{"12", uint64(77), false, nil, nil, nil}, extras{"12", int64(77), false, nil, nil, nil}},
	}
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, len(all))
		read := func() (found []extras) {
			require.NoError(t, db.Each(ctx, "SELECT note, amount, paid, at, secret, hash FROM orders ORDER BY id", nil, func(r *sql.Rows) error {
				var note sql.NullString
				var amount sql.NullInt64
				var paid bool
				var at sql.NullTime
				var secret, hash []byte
				err := r.Scan(&note, &amount, &paid, &at, &secret, &hash)
				e := extras{paid: paid}
				if note.Valid {
					e.note = note.String
				}
				if amount.Valid {
					e.amount = amount.Int64
				}
				if at.Valid {
					e.at = at.Time
				}
				if secret != nil {
					e.secret = secret
				}
				if hash != nil {
					e.hash = hash
				}
				found = append(found, e)
				return err
			}))
			return found
		}
		var want []extras
		many := updateOf()
		many.Columns = []string{"note", "amount", "paid", "at", "secret", "hash"}
		for i, e := range all {
			want = append(want, e.want)
			v := e.give
			many.Rows = append(many.Rows, sqldb.UpdateRow{
				ID: orderID(i), From: "new", To: "paid", Version: 1, NewVersion: 2,
				Values: []any{v.note, v.amount, v.paid, v.at, v.secret, v.hash},
			})
		}
		rows, err := run(t, db, many)
		require.NoError(t, err)
		require.EqualValues(t, len(all), rows)
		assert.Equal(t, want, read(), "all at once")

		_, err = db.Exec(ctx, "UPDATE orders SET note = NULL, amount = NULL, paid = 0, at = NULL, secret = NULL, hash = NULL")
		require.NoError(t, err)
		for _, r := range many.Rows {
			r.From, r.To, r.Version, r.NewVersion = "paid", "sent", 2, 3
			one := many
			one.Rows = []sqldb.UpdateRow{r}
			rows, err := run(t, db, one)
			require.NoError(t, err)
			require.EqualValues(t, 1, rows)
		}
		assert.Equal(t, want, read(), "one by one")
	})
}

// Users have tables of their own: numbers or text as keys, other collations, floats, JSON.
func TestUpdateOfAUsersTable(t *testing.T) {
	tables := map[string]struct{ key, options string }{
		"BIGINT":             {"BIGINT", ""},
		"VARCHAR utf8mb4_ci": {"VARCHAR(191)", " COLLATE utf8mb4_general_ci"},
		"VARCHAR unicode_ci": {"VARCHAR(191)", " COLLATE utf8mb4_unicode_ci"},
		"VARCHAR latin1":     {"VARCHAR(191)", " CHARACTER SET latin1"},
	}
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		json := hasJSON(t, db)
		for name, table := range tables {
			document, options := "JSON", table.options
			if db.Dialect() == sqldb.SQLite {
				options = ""
			}
			if !json {
				document = "TEXT"
			}
			_, err := db.Exec(ctx, fmt.Sprintf("CREATE TABLE mine (pk %s PRIMARY KEY, `sta``te` VARCHAR(20), v BIGINT, price DOUBLE, doc %s)%s", table.key, document, options))
			require.NoError(t, err, name)
			u := sqldb.Update{Table: "mine", ID: "pk", State: "sta`te", Version: "v", Columns: []string{"price", "doc"}}
			for i := range 20 {
				var id any = orderID(i)
				if name == "BIGINT" {
					id = int64(i)
				}
				_, err := db.Exec(ctx, "INSERT INTO mine VALUES (?, 'new', 1, 0, NULL)", id)
				require.NoError(t, err)
				u.Rows = append(u.Rows, sqldb.UpdateRow{ID: id, From: "new", To: "paid", Version: 1, NewVersion: 2,
					Values: []any{0.1 + float64(i)*1e20, `{"a":1}`}})
			}
			shout := u
			shout.Rows = slices.Clone(u.Rows[:2])
			for i := range shout.Rows {
				shout.Rows[i].From = "NEW"
			}
			for n := range 2 {
				shout.Rows = shout.Rows[:2-n]
				rows, err := run(t, db, shout)
				require.NoError(t, err, name)
				assert.Zero(t, rows, "%s: states compare byte for byte, %d at once", name, 2-n)
			}
			rows, err := run(t, db, u)
			require.NoError(t, err, name)
			assert.EqualValues(t, 20, rows, name)
			assert.Equal(t, 0.1+19*1e20, value[float64](t, db, "SELECT MAX(price) FROM mine"), name)
			assert.Equal(t, 0.1, value[float64](t, db, "SELECT MIN(price) FROM mine"), name)
			assert.EqualValues(t, 20, value[int64](t, db, "SELECT COUNT(*) FROM mine WHERE doc = '{\"a\":1}' AND `sta``te` = 'paid'"), name)
			_, err = db.Exec(ctx, "DROP TABLE mine")
			require.NoError(t, err)
		}
	})
}

// hasJSON reports whether the database knows the type JSON, which MySQL got with 5.7.
func hasJSON(t *testing.T, db *sqldb.DB) bool {
	if db.Dialect() == sqldb.SQLite {
		return false
	}
	_, err := db.Exec(ctx, "CREATE TEMPORARY TABLE documents (doc JSON)")
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && refused.Number == 1064 {
		return false
	}
	require.NoError(t, err)
	return true
}

func TestManyRowsAreOneStatement(t *testing.T) {
	enginetest.OnServers(t, manyRowsAreOneStatement)
}

func manyRowsAreOneStatement(t *testing.T, s enginetest.Server) {
	for _, params := range []string{"", "&interpolateParams=true"} {
		g := usersMySQL(t, s, usersParams+params, &gorm.Config{})
		db := wrap(t, g)
		withOrders(t, db, 3)
		updates := func(tx *sqldb.Tx) (n int64) {
			require.NoError(t, tx.Each(ctx, "SHOW SESSION STATUS LIKE 'Com_update'", nil, func(r *sql.Rows) error {
				var name string
				return r.Scan(&name, &n)
			}))
			return n
		}
		moved := func(tx *sqldb.Tx, from, to string, version int64) {
			before := updates(tx)
			rows, err := tx.Update(ctx, moveOrders(from, to, version, 0, 1, 2))
			require.NoError(t, err)
			assert.EqualValues(t, 3, rows)
			assert.EqualValues(t, 1, updates(tx)-before, params)
		}
		require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error { moved(tx, "new", "paid", 1); return nil }))
		own := g.Begin()
		tx, err := sqldb.Join(own)
		require.NoError(t, err)
		moved(tx, "paid", "shipped", 2)
		require.NoError(t, own.Commit().Error)
	}
}

// Locks on rows that do not match would make strangers wait.
func TestUpdateOnMySQLLocksOnlyItsOwnRows(t *testing.T) {
	enginetest.OnServers(t, updateLocksOnlyItsOwnRows)
}

func updateLocksOnlyItsOwnRows(t *testing.T, s enginetest.Server) {
	for name, table := range map[string]string{
		"VARBINARY": "VARBINARY(64)", "VARCHAR": "VARCHAR(64) COLLATE utf8mb4_general_ci",
	} {
		t.Run(name, func(t *testing.T) {
			db := wrap(t, openMySQL(t, s, ""))
			_, err := db.Exec(ctx, "CREATE TABLE orders (id "+table+" PRIMARY KEY, status VARCHAR(20), version BIGINT)")
			require.NoError(t, err)
			in := sqldb.Insert{Table: "orders", Columns: []string{"id", "status", "version"}}
			for i := range 5000 {
				in.Rows = append(in.Rows, []any{orderID(i), "new", 1})
			}
			require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error { return tx.Insert(ctx, in) }))
			u := updateOf()
			for i := range 200 {
				u.Rows = append(u.Rows, sqldb.UpdateRow{ID: orderID(i * 20), From: "new", To: "paid", Version: int64(1 + i%2), NewVersion: 9})
			}
			require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
				rows, err := tx.Update(ctx, u)
				require.NoError(t, err)
				assert.EqualValues(t, 100, rows)
				// Another session touches every other row and is refused none. A second is the least that
				// every server takes; who waits for it fails.
				return db.InTx(ctx, func(other *sqldb.Tx) error {
					if _, err := other.Exec(ctx, "SET SESSION innodb_lock_wait_timeout = 1"); err != nil {
						return err
					}
					for i := range 5000 {
						if i%20 != 0 {
							if _, err := other.Exec(ctx, "UPDATE orders SET version = 5 WHERE id = ?", orderID(i)); err != nil {
								return fmt.Errorf("row %d: %w", i, err)
							}
						}
					}
					return nil
				})
			}))
		})
	}
}

func TestUpdateRefusesWhatItCannotCount(t *testing.T) {
	everywhere(t, func(t *testing.T, db *sqldb.DB) {
		withOrders(t, db, 1)
		_, err := run(t, db, updateOf(sqldb.UpdateRow{ID: orderID(0), From: "new", To: "paid", Version: 1, NewVersion: 1}))
		assert.ErrorContains(t, err, "does not change its version")
		_, err = run(t, db, updateOf(sqldb.UpdateRow{ID: orderID(0), From: "new", To: "paid", Version: 1, NewVersion: 2, Values: []any{1}}))
		assert.ErrorContains(t, err, "1 values for 0 columns")
		rows, err := run(t, db, updateOf())
		assert.NoError(t, err)
		assert.Zero(t, rows)
	})
}
