package sqlitedb_test

import (
	"cmp"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"example.com/orderd/engine/sqlitedb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string, opts ...sqlitedb.Option) *gorm.DB {
	db, err := sqlitedb.Open(path, opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		d, err := db.DB()
		require.NoError(t, err)
		require.NoError(t, d.Close())
		assert.Error(t, db.Raw("SELECT 1").Row().Err(), "the readers are closed, too")
	})
	return db
}

func TestNewDatabaseBelongsToItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd ?name#%41.db")
	db := open(t, path)
	require.NoError(t, db.Exec("CREATE TABLE t (a INT)").Error)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode(), suffix)
	}
	var n int
	require.NoError(t, open(t, path).Raw("SELECT COUNT(*) FROM t").Scan(&n).Error, "it can be opened again")
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	for _, path := range []string{"", ":memory:", "file::memory:?cache=shared", "file:x.db", t.TempDir(), "/nowhere/at/all.db"} {
		_, err := sqlitedb.Open(path)
		assert.Error(t, err, path)
	}
}

func TestEveryConnectionIsDurableAndStrict(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": "0"} {
		var got string
		require.NoError(t, db.Raw("PRAGMA "+pragma).Row().Scan(&got))
		assert.Equal(t, want, got, pragma)
	}
	assert.Error(t, db.Raw(`SELECT "no such column"`).Row().Err(), "a misspelt column is no text")
}

func TestReadersNeitherWaitForTheWriterNorWrite(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), sqlitedb.Readers(2))
	require.NoError(t, db.Exec("CREATE TABLE t (a INT)").Error)
	count := func() (n int) {
		require.NoError(t, db.Raw("SELECT COUNT(*) FROM t").Scan(&n).Error)
		return n
	}
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		require.NoError(t, tx.Exec("INSERT INTO t VALUES (1)").Error)
		assert.Equal(t, 0, count(), "outside, the writer has not committed")
		var n int
		require.NoError(t, tx.Raw("SELECT COUNT(*) FROM t").Scan(&n).Error)
		assert.Equal(t, 1, n, "inside, it sees its own row")
		return nil
	}))
	assert.Equal(t, 1, count(), "a committed row is seen at once")
}

func TestGormWritesThatReturnRowsReachTheWriter(t *testing.T) {
	type item struct {
		ID   int64
		Kind string `gorm:"default:plain"`
	}
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, db.Exec("CREATE TABLE items (id INTEGER PRIMARY KEY, kind TEXT DEFAULT 'plain')").Error)
	row := item{}
	require.NoError(t, db.Create(&row).Error)
	assert.Equal(t, item{1, "plain"}, row)
	require.NoError(t, db.Model(&row).Where("kind = ?", "plain").Update("kind", "fancy").Error)
	require.NoError(t, db.First(&row).Error)
	assert.Equal(t, "fancy", row.Kind)
}

func TestTimesComeBackInUTCAndSortAsText(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, db.Exec("CREATE TABLE t (n INTEGER, at DATETIME)").Error)
	base := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	random := rand.New(rand.NewPCG(1, 2))
	var times []time.Time
	for i := range 300 {
		digits := []time.Duration{1, 10, 1000, 100_000, 1_000_000, 90_000_000}[i%6] * time.Microsecond
		at := base.Add(time.Duration(random.IntN(40)-20) * digits)
		times = append(times, at)
		require.NoError(t, db.Exec("INSERT INTO t VALUES (?, ?)", i, at.In(time.FixedZone("", (i%27-13)*3600))).Error)
	}
	var rows []struct {
		N  int
		At time.Time
	}
	require.NoError(t, db.Raw("SELECT n, at FROM t ORDER BY at").Scan(&rows).Error)
	require.Len(t, rows, len(times))
	for i, row := range rows {
		assert.Equal(t, times[row.N], row.At)
		if i > 0 {
			assert.LessOrEqual(t, cmp.Compare(rows[i-1].At.UnixNano(), row.At.UnixNano()), 0)
		}
	}
}

// Deferred transactions that read and then write fail at once with "database is locked".
func TestReadThenWriteFromTwoPoolsNeverFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	pools := []*gorm.DB{open(t, path), open(t, path)}
	require.NoError(t, pools[0].Exec("CREATE TABLE t (n INTEGER)").Error)
	require.NoError(t, pools[0].Exec("INSERT INTO t VALUES (0)").Error)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 10 {
				assert.NoError(t, pools[i%2].Transaction(func(tx *gorm.DB) error {
					var n int
					if err := tx.Raw("SELECT n FROM t").Scan(&n).Error; err != nil {
						return err
					}
					return tx.Exec("UPDATE t SET n = ?", n+1).Error
				}))
			}
		})
	}
	all.Wait()
	var n int
	require.NoError(t, pools[1].Raw("SELECT n FROM t").Scan(&n).Error)
	assert.Equal(t, 80, n)
}
