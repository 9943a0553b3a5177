package sqldb_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	gormsqlite "github.com/libtnb/sqlite"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/sqldb"
)

// usersMySQL opens a database as a user does, with nothing but gorm.
func usersMySQL(t *testing.T, s enginetest.Server, params string, cfg *gorm.Config) *gorm.DB {
	cfg.Logger = logger.Discard
	g, err := gorm.Open(gormmysql.Open(newDatabase(t, s)+params), cfg)
	require.NoError(t, err)
	return closeAtEnd(t, g)
}

func usersSQLite(t *testing.T, params string) *gorm.DB {
	d, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "user.db")+params)
	require.NoError(t, err)
	g, err := gorm.Open(gormsqlite.New(gormsqlite.Config{Conn: d}), &gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	return closeAtEnd(t, g)
}

func TestWrapNamesEveryWrongSettingAtOnce(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		_, err := sqldb.Wrap(ctx, usersMySQL(t, s, "?sql_mode=%27%27&time_zone=%27%2B08:00%27", &gorm.Config{}))
		for _, remedy := range []string{"STRICT_ALL_TABLES", "parseTime=true", "time_zone=%27%2B00:00%27"} {
			assert.ErrorContains(t, err, remedy)
		}
		_, err = sqldb.Wrap(ctx, usersMySQL(t, s, "?parseTime=true&loc=Asia%2FShanghai&sql_mode=%27TRADITIONAL,ANSI_QUOTES%27&time_zone=%27%2B00:00%27", &gorm.Config{}))
		assert.ErrorContains(t, err, "loc=UTC")
		assert.ErrorContains(t, err, "ANSI_QUOTES")
		assert.NotContains(t, err.Error(), "STRICT_ALL_TABLES")
		assert.NotContains(t, err.Error(), "time_zone")
		for _, zone := range []string{"Europe%2FLondon", "Africa%2FCasablanca"} { // where it is UTC for half a year, or was once
			_, err = sqldb.Wrap(ctx, usersMySQL(t, s, usersParams+"&loc="+zone, &gorm.Config{}))
			assert.ErrorContains(t, err, "loc=UTC", zone)
		}
	})
	t.Run("SQLite", func(t *testing.T) {
		_, err := sqldb.Wrap(ctx, usersSQLite(t, "?_pragma=synchronous(normal)"))
		for _, remedy := range []string{"_txlock=immediate", "journal_mode", "synchronous", "foreign_keys", "_time_format=sqlite"} {
			assert.ErrorContains(t, err, remedy)
		}
	})
	t.Run("no database", func(t *testing.T) {
		_, err := sqldb.Wrap(ctx, nil)
		assert.Error(t, err)
		_, err = sqldb.Wrap(ctx, &gorm.DB{})
		assert.Error(t, err)
	})
}

const usersParams = "?parseTime=true&sql_mode=%27STRICT_TRANS_TABLES%27&time_zone=%27%2B00:00%27"

func TestWrapTakesAUsersOwnHandle(t *testing.T) {
	all := map[string]func(t *testing.T) *gorm.DB{
		"SQLite": func(t *testing.T) *gorm.DB {
			return usersSQLite(t, "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(extra)&_pragma=foreign_keys(1)&_time_format=sqlite")
		},
	}
	for _, s := range enginetest.Servers() {
		all[s.Name] = func(t *testing.T) *gorm.DB {
			return usersMySQL(t, s, usersParams+"&interpolateParams=true", &gorm.Config{})
		}
		all[s.Name+" with prepared statements, translated errors"] = func(t *testing.T) *gorm.DB {
			return usersMySQL(t, s, usersParams, &gorm.Config{PrepareStmt: true, TranslateError: true})
		}
	}
	for name, open := range all {
		t.Run(name, func(t *testing.T) {
			db := wrap(t, open(t))
			withOrders(t, db, 10)
			var n int64
			require.NoError(t, db.Gorm(ctx).Table("orders").Count(&n).Error)
			assert.EqualValues(t, 10, n, "no condition is left over")
			g := db.Gorm(ctx)
			require.NoError(t, g.Table("orders").Where("id = ?", orderID(1)).Count(&n).Error)
			require.NoError(t, g.Table("orders").Count(&n).Error)
			assert.EqualValues(t, 10, n, "no condition accumulates")

			_, err := db.Exec(ctx, insertOrder, orderID(1))
			assert.Equal(t, dberr.Duplicate, dberr.Classify(err))
			u := updateOf()
			for i := range 10 {
				u.Rows = append(u.Rows, sqldb.UpdateRow{ID: orderID(i), From: "new", To: "paid", Version: 1, NewVersion: 2})
			}
			rows, err := run(t, db, u)
			require.NoError(t, err)
			assert.EqualValues(t, 10, rows)
			assert.NotEmpty(t, db.Server())
		})
	}
}

func TestWrapSaysThatADatabaseIsBusy(t *testing.T) {
	g := usersSQLite(t, "?_txlock=immediate&_pragma=busy_timeout(0)&_pragma=journal_mode(wal)&_pragma=foreign_keys(1)&_time_format=sqlite")
	holder := g.Begin()
	require.NoError(t, holder.Error)
	defer holder.Rollback()
	_, err := sqldb.Wrap(ctx, g)
	assert.ErrorContains(t, err, "beginning a transaction")
	assert.Equal(t, dberr.Conflict, dberr.Classify(err), "and it may be tried again")
}

func TestWrapRefusesATransaction(t *testing.T) {
	g := openSQLite(t).Begin()
	defer g.Rollback()
	wrap(t, openSQLite(t)) // the same, outside
	g.ConnPool = g.Statement.ConnPool
	_, err := sqldb.Wrap(ctx, g)
	assert.ErrorContains(t, err, "inside a transaction")
}

func TestTransactionsAreReadCommitted(t *testing.T) {
	all := map[string]func(t *testing.T) *gorm.DB{}
	for _, s := range enginetest.Servers() {
		all[s.Name+", our pool"] = func(t *testing.T) *gorm.DB { return openMySQL(t, s, "") }
		all[s.Name+", user's pool"] = func(t *testing.T) *gorm.DB { return usersMySQL(t, s, usersParams, &gorm.Config{}) }
	}
	for name, open := range all {
		t.Run(name, func(t *testing.T) {
			db := wrap(t, open(t))
			withOrders(t, db, 1)
			require.NoError(t, db.InTx(ctx, func(tx *sqldb.Tx) error {
				read := func() (version int) {
					require.NoError(t, tx.Each(ctx, "SELECT version FROM orders", nil, func(r *sql.Rows) error { return r.Scan(&version) }))
					return version
				}
				assert.Equal(t, 1, read())
				_, err := db.Exec(ctx, "UPDATE orders SET version = 2")
				require.NoError(t, err)
				assert.Equal(t, 2, read(), "what others committed meanwhile is seen")
				return nil
			}))
		})
	}
}
