package mysqldb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/mysqldb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContradictingDSNIsRefusedWithEveryReason(t *testing.T) {
	_, err := mysqldb.Open("shop:s3cret@tcp(127.0.0.1:1)/shop?parseTime=false&loc=Asia%2FShanghai&interpolateParams=0" +
		"&rejectReadOnly=false&collation=utf8mb4_general_ci&charset=latin1&timeTruncate=1ms&sql_mode=%27%27" +
		"&time_zone=%27%2B08:00%27&tx_isolation=%27SERIALIZABLE%27")
	require.Error(t, err)
	for _, name := range []string{"parseTime", "loc", "interpolateParams", "rejectReadOnly", "collation", "charset", "timeTruncate", "sql_mode", "time_zone", "tx_isolation"} {
		assert.ErrorContains(t, err, "the DSN sets "+name+"=")
	}
	assert.NotContains(t, err.Error(), "s3cret")
}

func TestErrorsNeverShowThePassword(t *testing.T) {
	for _, dsn := range []string{
		"shop:s3cret@tcp(127.0.0.1:1)/shop",                 // no server
		"shop:s3cret@tcp(127.0.0.1:1)/shop?parseTime=maybe", // bad parameter
		"shop:s3cret@tcp(127.0.0.1:1)/",                     // no database
		"shop:s3cret@tcp(127.0.0.1:1",                       // no slash
		"shop:x(s3cret@tcp(127.0.0.1:1/shop",                // no end of address
		"shop@s3cret(y)/shop",
		"s3cret(y)/shop?tls=missing",
	} {
		_, err := mysqldb.Open(dsn)
		require.Error(t, err, dsn)
		assert.NotContains(t, err.Error(), "s3cret")
		assert.Contains(t, err.Error(), "mysqldb: ")
	}
}

func open(t *testing.T, s enginetest.Server, params string, opts ...mysqldb.Option) *gorm.DB {
	plain, _, _ := strings.Cut(s.DSN(t), "?")
	db, err := mysqldb.Open(plain+params, opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		d, err := db.DB()
		require.NoError(t, err)
		require.NoError(t, d.Close())
	})
	return db
}

func TestEverySessionIsStrictUTCAndReadCommitted(t *testing.T) {
	enginetest.OnServers(t, sessionsAreStrict)
}

func sessionsAreStrict(t *testing.T, s enginetest.Server) {
	for _, params := range []string{"", "?clientFoundRows=true&parseTime=true&loc=UTC&time_zone=%27%2B00:00%27&readTimeout=7s&charset=utf8mb4"} {
		db := open(t, s, params, mysqldb.MaxConns(3), mysqldb.LockWait(time.Second))
		d, err := db.DB()
		require.NoError(t, err)
		for range 3 {
			conn, err := d.Conn(t.Context()) // held, so that each is another
			require.NoError(t, err)
			defer func() { require.NoError(t, conn.Close()) }()
			var zone, mode, collation, isolation string
			var wait int
			require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT @@session.time_zone, @@session.sql_mode, @@session.collation_connection, @@session.innodb_lock_wait_timeout").
				Scan(&zone, &mode, &collation, &wait))
			assert.Equal(t, "+00:00", zone)
			assert.Contains(t, mode, "STRICT_ALL_TABLES")
			assert.Equal(t, "utf8mb4_bin", collation)
			assert.Equal(t, 1, wait)
			err = conn.QueryRowContext(t.Context(), "SELECT @@session.tx_isolation").Scan(&isolation)
			if err != nil { // not MariaDB
				require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT @@session.transaction_isolation").Scan(&isolation))
			}
			assert.Equal(t, "READ-COMMITTED", isolation)
		}
		assert.Equal(t, 3, d.Stats().MaxOpenConnections)
		require.Implements(t, (*interface{ ReadCommitted() bool })(nil), d.Driver())
	}
}

func TestTooLongKeyIsRefusedWhateverTheServersDefault(t *testing.T) {
	enginetest.OnServers(t, tooLongKeysAreRefused)
}

func tooLongKeysAreRefused(t *testing.T, s enginetest.Server) {
	db := open(t, s, "")
	require.NoError(t, db.Exec("CREATE TABLE t (k VARBINARY(4) PRIMARY KEY)").Error)
	var tooLong *mysql.MySQLError
	require.ErrorAs(t, db.Exec("INSERT INTO t VALUES ('12345')").Error, &tooLong)
	assert.EqualValues(t, 1406, tooLong.Number)
}

func TestTimesAreCutToMicroseconds(t *testing.T) { enginetest.OnServers(t, timesAreCut) }

func timesAreCut(t *testing.T, s enginetest.Server) {
	db := open(t, s, "")
	require.NoError(t, db.Exec("CREATE TABLE t (at DATETIME(6))").Error)
	at := time.Date(2026, 12, 31, 23, 59, 59, 999_999_600, time.UTC)
	require.NoError(t, db.Exec("INSERT INTO t VALUES (?)", at).Error)
	var got time.Time
	require.NoError(t, db.Raw("SELECT at FROM t").Row().Scan(&got))
	assert.Equal(t, at.Truncate(time.Microsecond), got)
	var sent string // MariaDB would cut it, MySQL would round it into the next year
	require.NoError(t, db.Raw("SELECT CAST(? AS CHAR)", at).Row().Scan(&sent))
	assert.Equal(t, "2026-12-31 23:59:59.999999", sent)
}
