package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/schema"
)

// The tables of a component that has gone from version 1 to 4. The third is a closing step: since then each row has
// a hash or is counted among those that may lack it.
const (
	firstDDL = `
CREATE TABLE things (
  id   VARBINARY(64) NOT NULL COMMENT 'it''s the key, (really)',
  note TEXT                   COMMENT 'note',
  due  DATETIME(6)   NOT NULL COMMENT 'due',
  PRIMARY KEY (id),
  KEY queue (due)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='things';`

	fourthDDL = `
CREATE TABLE things (
  id      VARBINARY(64) NOT NULL COMMENT 'it''s the key, (really)',
  channel VARBINARY(16) NOT NULL DEFAULT 'it''s, (new)' COMMENT 'a channel, (new)',
  note    TEXT                   COMMENT 'note',
  due     DATETIME(6)   NOT NULL COMMENT 'due',
  hash    BINARY(16)             COMMENT 'hash',
  PRIMARY KEY (id),
  KEY queue (channel, due),
  UNIQUE KEY hash (hash)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='things';
CREATE TABLE marks (
  name VARBINARY(64) NOT NULL COMMENT 'name',
  gone BIGINT        NOT NULL DEFAULT -1 COMMENT 'how many',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='marks';`
)

var steps = []schema.Step{
	{To: 2, SQL: `-- columns
ALTER TABLE things
  ADD COLUMN channel VARBINARY(16) NOT NULL DEFAULT 'it''s, (new)' COMMENT 'a channel, (new)' AFTER id,
  ADD COLUMN hash BINARY(16) COMMENT 'hash',
  DROP KEY queue,
  ADD KEY queue (channel, due);
CREATE TABLE marks (
  name VARBINARY(64) NOT NULL COMMENT 'name',
  gone BIGINT        NOT NULL DEFAULT -1 COMMENT 'how many',
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='marks';`},
	{To: 3, Closing: true, SQL: `INSERT INTO marks (name, gone) SELECT 'unhashed', COUNT(*) FROM things WHERE hash IS NULL HAVING COUNT(*) > 0;`},
	{To: 4, Closing: true, SQL: `ALTER TABLE things ADD UNIQUE KEY hash (hash); UPDATE marks SET gone = gone + 1000;`},
}

// at is the component in a program of a version, which runs on tables of the version before.
func at(version int) schema.Component {
	c := schema.Component{Name: "things", Version: version, DDL: fourthDDL, Oldest: max(1, version-1), Steps: steps[: version-1 : version-1]}
	if version == 1 {
		c.DDL = firstDDL
	}
	return c
}

func withThings(t *testing.T, db *gorm.DB) {
	t.Helper()
	require.NoError(t, schema.Migrate(ctx, db, at(1)))
	for _, id := range []string{"a", "b"} {
		require.NoError(t, insertThing(db, id))
	}
}

func insertThing(db *gorm.DB, id string) error {
	return db.Exec("INSERT INTO things (id, note, due) VALUES (?, 'x', ?)", id, time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)).Error
}

func TestStepsLeadToTheTablesOfAFreshDatabase(t *testing.T) {
	var fresh, stepped []map[string][]string
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		require.NoError(t, schema.Migrate(ctx, db, at(4)))
		fresh = append(fresh, enginetest.Tables(t, db))
	})
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		withThings(t, db)
		require.NoError(t, schema.Finish(ctx, db, at(4)))
		stepped = append(stepped, enginetest.Tables(t, db))
		assert.EqualValues(t, 1002, value[int64](t, db, "SELECT gone FROM marks"), "every step ran, once")
		assert.Equal(t, "it's, (new)", value[string](t, db, "SELECT channel FROM things WHERE id = 'a'"))
		list, err := schema.List(ctx, db)
		require.NoError(t, err)
		assert.Equal(t, []schema.Installed{{Component: "things", Version: 4, Oldest: 3}}, list)
	})
	require.Equal(t, fresh, stepped)
	require.Contains(t, fresh[0]["things"], "key queue: channel due")
}

// Programs of two versions share the tables, whichever of them is replaced first.
func TestAProgramAcceptsARangeOfTablesAndTheTablesARangeOfPrograms(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		check := func(version int) string {
			if err := schema.Check(ctx, db, at(version)); err != nil {
				return err.Error()
			}
			return ""
		}
		withThings(t, db)
		assert.Empty(t, check(2), "it runs on the tables of the version before")
		assert.Contains(t, check(3), `have version 1, this program needs 2: run "orderd migrate"`)
		assert.Contains(t, check(4), `have version 1, this program needs 3: run "orderd migrate"`)

		require.NoError(t, schema.Migrate(ctx, db, at(3)), "up to the closing step, which is enough")
		assert.Empty(t, check(1), "a step that adds leaves the programs of before alone")
		assert.Empty(t, check(2))
		assert.Empty(t, check(3))
		assert.Contains(t, check(4), `once no program of a version before 2 runs, run "orderd migrate --finish"`)
		require.ErrorContains(t, schema.Migrate(ctx, db, at(4)), "--finish")
		require.NoError(t, schema.Migrate(ctx, db, at(1)), "what it can use it leaves as it is")

		require.NoError(t, schema.Finish(ctx, db, at(3)))
		assert.Contains(t, check(1), "have version 3 and no longer serve a program of version 1: run a newer program")
		assert.Empty(t, check(2))
		assert.Empty(t, check(3))
		assert.Empty(t, check(4))
		require.NoError(t, schema.Finish(ctx, db, at(4)))
		assert.Contains(t, check(2), "run a newer program")
		assert.Empty(t, check(3))
	})
}

func TestAStepThatDiedHalfWayIsCompleted(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		withThings(t, db)
		whole := func() (n int) {
			plan, err := schema.Plan(ctx, db, at(4))
			require.NoError(t, err)
			for _, p := range plan {
				n += len(p.Statements)
			}
			return n
		}
		n := whole()
		done := 0
		for {
			plan, err := schema.Plan(ctx, db, at(4))
			require.NoError(t, err)
			if len(plan[0].Statements) == 0 {
				break
			}
			require.NoError(t, db.Exec(plan[0].Statements[0]).Error) // and then it died
			done++
			require.Equal(t, n-done, whole(), "what is there already is not done again")
			require.NoError(t, insertThing(db, fmt.Sprint(done)), "the program of before goes on")
		}
		require.GreaterOrEqual(t, done, 2)
		require.NoError(t, schema.Finish(ctx, db, at(4)))
		assert.EqualValues(t, 1002+done, value[int64](t, db, "SELECT gone FROM marks"))
	})
}

func TestManyProgramsTakeEachStepOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		withThings(t, db)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if i%2 == 0 {
					assert.NoError(t, schema.Migrate(ctx, db, at(3)))
				}
				assert.NoError(t, schema.Finish(ctx, db, at(4)))
			})
		}
		all.Wait()
		assert.EqualValues(t, 1002, value[int64](t, db, "SELECT gone FROM marks"))
	})
}

func TestAPlanIsWhatMigrateDoes(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		fresh, err := schema.Plan(ctx, db, at(4))
		require.NoError(t, err)
		require.Len(t, fresh, 1)
		assert.Contains(t, fresh[0].Statements[0], "things")
		withThings(t, db)
		before := enginetest.Tables(t, db)
		plan, err := schema.Plan(ctx, db, at(4))
		require.NoError(t, err)
		require.Len(t, plan, 3)
		assert.Equal(t, []bool{false, true, true}, []bool{plan[0].Closing, plan[1].Closing, plan[2].Closing})
		assert.Contains(t, strings.Join(plan[0].Statements, "\n"), "ADD COLUMN")
		assert.Contains(t, plan[1].Statements[0], "INSERT INTO marks")
		assert.Equal(t, before, enginetest.Tables(t, db), "planning changes nothing")
		require.NoError(t, schema.Finish(ctx, db, at(4)))
		plan, err = schema.Plan(ctx, db, at(4))
		require.NoError(t, err)
		assert.Empty(t, plan)
	})
}

// A change of a table waits for whoever uses it, and everybody else behind it. It gives way.
func TestATableInUseIsChangedOnceItIsFree(t *testing.T) {
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		db := bare(t, s.Open(t))
		withThings(t, db)
		reading := db.Begin()
		var n int64
		require.NoError(t, reading.Raw("SELECT COUNT(*) FROM things").Scan(&n).Error)
		done := make(chan error)
		go func() { done <- schema.Migrate(ctx, db, at(2)) }()
		require.Eventually(t, func() bool {
			return value[int64](t, db, "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND state LIKE 'Waiting for table%'") > 0
		}, 10*time.Second, time.Millisecond)
		began := time.Now()
		require.NoError(t, insertThing(db, "meanwhile"))
		assert.Less(t, time.Since(began), 5*time.Second)
		require.NoError(t, reading.Rollback().Error)
		require.NoError(t, <-done)
		require.NoError(t, schema.Check(ctx, db, at(2)))
		assert.Greater(t, value[int64](t, db, "SELECT @@lock_wait_timeout"), int64(60), "the connection is as it was")
	})
}

// Databases of before there were steps do not say which programs they serve.
func TestAListOfBeforeThereWereStepsIsRead(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		withThings(t, db)
		require.NoError(t, db.Exec("ALTER TABLE engine_schema DROP COLUMN oldest").Error)
		require.NoError(t, schema.Check(ctx, db, at(1)))
		require.NoError(t, schema.Check(ctx, db, at(2)))
		require.Error(t, schema.Check(ctx, db, at(3)))
		list, err := schema.List(ctx, db)
		require.NoError(t, err)
		assert.Equal(t, []schema.Installed{{Component: "things", Version: 1, Oldest: 1}}, list)
		require.NoError(t, schema.Migrate(ctx, db, at(2)))
		require.NoError(t, schema.Check(ctx, db, at(1)))
	})
}

func TestStepsThatHarmProgramsOfBeforeAreRefused(t *testing.T) {
	db := openSQLite(t)
	for sql, want := range map[string]string{
		"ALTER TABLE things DROP COLUMN note":                                  "things.note is dropped",
		"ALTER TABLE things ADD COLUMN n BIGINT NOT NULL":                      "things.n may not be null and has no default",
		"ALTER TABLE things ADD UNIQUE KEY n (note)":                           "the key n of things is unique",
		"ALTER TABLE things DROP KEY queue":                                    "the key queue of things is dropped",
		"ALTER TABLE things ADD KEY queue (due), DROP KEY queue":               "the key queue of things is dropped",
		"ALTER TABLE things MODIFY COLUMN note BLOB":                           "MODIFY is not known here",
		"ALTER TABLE things ADD COLUMN n JSON":                                 "unknown column type JSON",
		"ALTER TABLE things ADD COLUMN n BIGINT ALGORITHM=INSTANT":             "ALGORITHM is not supported",
		"DROP TABLE things":                                                    `"DROP" instead of "ALTER TABLE"`,
		"UPDATE things SET note = ''; ALTER TABLE things ADD COLUMN n BIGINT;": "rows are changed last",
	} {
		c := at(1)
		c.Version, c.Steps = 2, []schema.Step{{To: 2, SQL: sql}}
		err := schema.Migrate(ctx, db, c)
		assert.ErrorContains(t, err, want, sql)
		_, err = schema.Plan(ctx, db, c)
		assert.ErrorContains(t, err, want, sql)
	}
	for _, tos := range [][]int{{1}, {3}, {2, 2}, {3, 2}, {2, 4}} {
		c := at(1)
		c.Version = max(2, slices.Max(tos)-1)
		for _, to := range tos {
			c.Steps = append(c.Steps, schema.Step{To: to})
		}
		assert.ErrorContains(t, schema.Migrate(ctx, db, c), "without gaps", "%v", tos)
	}
	c := at(2)
	c.Oldest = 3
	assert.ErrorContains(t, schema.Migrate(ctx, db, c), "but its own is 2")
	assert.False(t, db.Migrator().HasTable("things"), "nothing was done")
}

func TestAKeyOfTheSameNameIsNotTakenForAnother(t *testing.T) {
	everywhere(t, func(t *testing.T, db *gorm.DB) {
		withThings(t, db)
		c := at(1)
		c.Version, c.Steps = 2, []schema.Step{{To: 2, SQL: "ALTER TABLE things ADD KEY queue (due, id)"}}
		assert.ErrorContains(t, schema.Migrate(ctx, db, c), "another key of the name queue, on due")
	})
}
