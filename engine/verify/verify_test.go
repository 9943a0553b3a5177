package verify_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	gormschema "gorm.io/gorm/schema"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/sqlitedb"
	"example.com/orderd/engine/verify"
)

func TestAHealthyDatabaseHasNoFindings(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		fill(t, db)
		for name, opts := range map[string]verify.Options{
			"in usual parts": {},
			"in small parts": verify.Options{}.InSmallParts(2, 3, 3),
			"one by one":     verify.Options{}.InSmallParts(1, 1, 1),
		} {
			t.Run(name, func(t *testing.T) {
				report := run(t, db, opts)
				assert.Empty(t, report.Findings)
				assert.EqualValues(t, 5+3+3, report.Subjects)
				assert.EqualValues(t, 5*5+2+1+3+1, report.Transitions)
				assert.EqualValues(t, 5*3+2, report.Messages)
				assert.EqualValues(t, 5*7, report.Attempts)
				assert.Empty(t, report.Tableless)
				assert.False(t, report.Truncated)
			})
		}
	})
}

// A caller who pins the version that it has seen is told that its own request has happened, also when it
// comes back with a key that it did not have the first time. The checker must know that rule.
func TestARepeatThatAPinProvesIsNoFinding(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		e := prepare(t, db)
		ctx := context.Background()
		_, err := engine.Create(ctx, e, &box{ID: "b"}, engine.Request{Machine: "box", Input: label{"new"}, Actor: "ada"})
		require.NoError(t, err)
		send := engine.Request{Machine: "box", ID: "b", Event: "send", Actor: "ada"}
		_, err = e.Apply(ctx, send)
		require.NoError(t, err)
		for _, again := range []engine.Request{
			{Machine: "box", ID: "b", Event: "send", Actor: "ada", IfVersion: 1},
			{Machine: "box", ID: "b", Event: "send", Actor: "ada", IfVersion: 1, Key: engine.Key{Source: "test", Seq: "new"}},
		} {
			result, err := e.Apply(ctx, again)
			require.NoError(t, err)
			require.Equal(t, engine.Replayed, result.Detail)
		}
		other := engine.Request{Machine: "box", ID: "b", Event: "send", Actor: "bob", IfVersion: 1}
		result, err := e.Apply(ctx, other)
		require.ErrorIs(t, err, engine.ErrStale, "another's request, %s", result.Detail)
		require.NoError(t, e.Close(ctx)) // writes the counts of repeats
		assert.Empty(t, run(t, db, verify.Options{}).Findings)

		require.NoError(t, db.Exec(`UPDATE engine_attempts SET actor = 'bob' WHERE outcome = 'already'`).Error)
		assert.Equal(t, []string{"I5 box b 2", "I5 box b 2"}, told(run(t, db, verify.Options{})), "whose repeats these were not")
	})
}

func TestHistoryIsCheckedWithoutTheTableOfItsRows(t *testing.T) {
	db := enginetest.SQLite(t)
	fill(t, db)
	require.NoError(t, db.Exec(`UPDATE engine_transitions SET from_status = 'sent' WHERE subject = 'b1' AND version = 3`).Error)
	report := run(t, db, verify.Options{Machines: []engine.AnyMachine{crateMachine(t)}})
	assert.Equal(t, []string{"I2 box b1 3", "I7 box b1 3"}, told(report))
	assert.Equal(t, []string{"box"}, report.Tableless)
	assert.EqualValues(t, 3, report.Subjects)
}

func TestRowsAreFoundUnderTheNamesOfTheDatabase(t *testing.T) {
	db := enginetest.SQLite(t)
	db.NamingStrategy = gormschema.NamingStrategy{TablePrefix: "shop_"}
	walkBox(t, prepare(t, db), "b1")
	report := run(t, db, verify.Options{})
	assert.Empty(t, report.Findings)
	assert.EqualValues(t, 1, report.Subjects)
	require.NoError(t, db.Exec(`UPDATE shop_boxes SET status = 'sent'`).Error)
	assert.Equal(t, []string{"I1 box b1 5"}, told(run(t, db, verify.Options{})))
}

func TestARowOfAStateThatTheMachineHasLostIsFound(t *testing.T) {
	db := enginetest.SQLite(t)
	fill(t, db)
	type later crate // the next deploy
	m, err := engine.NewMachine(engine.Definition[later]{
		Name:   "crate",
		Events: map[engine.Event]engine.Spec{"build": {}},
		Edges:  []engine.Edge[later]{{Event: "build", To: "standing"}},
	})
	require.NoError(t, err)
	require.NoError(t, db.Exec(`ALTER TABLE crates_of_wood RENAME TO laters`).Error)
	report := run(t, db, verify.Options{Machines: []engine.AnyMachine{boxMachine(t), m}})
	assert.Equal(t, []string{"I16 crate 10 2"}, told(report), "its history was legal then and still is")
}

func TestFindingsAreBounded(t *testing.T) {
	db := enginetest.SQLite(t)
	fill(t, db)
	require.NoError(t, db.Exec(`UPDATE boxes SET version = version + 1 WHERE version > 0`).Error)
	report := run(t, db, verify.Options{MaxFindings: 3})
	assert.Len(t, report.Findings, 3)
	assert.Equal(t, 7, report.Total)
	assert.True(t, report.Truncated)
}

func TestProgressIsTold(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		fill(t, db)
		var last, calls int64
		report := run(t, db, verify.Options{Progress: func(done, about int64) {
			assert.GreaterOrEqual(t, done, last)
			assert.GreaterOrEqual(t, about, done)
			last = done
			calls++
		}}.InSmallParts(2, 3, 3))
		assert.Equal(t, report.Transitions, last)
		assert.Greater(t, calls, int64(5))
	})
}

func TestChecksOfOnesOwnAreRun(t *testing.T) {
	db := enginetest.SQLite(t)
	fill(t, db)
	heavy := verify.Check{Name: "crates", Run: func(ctx context.Context, db *gorm.DB, found func(verify.Finding)) error {
		var n int64
		if err := db.Model(&crate{}).Count(&n).Error; err != nil {
			return err
		}
		found(verify.Finding{Invariant: verify.Money, Machine: "crate", Text: "all of them"})
		return nil
	}}
	assert.Equal(t, []string{"I6 crate  0"}, told(run(t, db, verify.Options{Extra: []verify.Check{heavy}})))

	failure := errors.New("no paper")
	broken := verify.Check{Name: "paper", Run: func(context.Context, *gorm.DB, func(verify.Finding)) error { return failure }}
	report, err := verify.Run(context.Background(), db, verify.Options{Extra: []verify.Check{heavy, broken}})
	require.ErrorIs(t, err, failure)
	assert.ErrorContains(t, err, "check paper")
	assert.Equal(t, 1, report.Total, "what was found before is not lost")
}

func TestAWalkThatCannotFinishSaysSo(t *testing.T) {
	db, err := sqlitedb.Open(filepath.Join(t.TempDir(), "empty.db"))
	require.NoError(t, err)
	t.Cleanup(func() {
		pool, _ := db.DB()
		_ = pool.Close()
	})
	_, err = verify.Run(context.Background(), db, verify.Options{})
	var version *schema.VersionError
	require.ErrorAs(t, err, &version)

	full := enginetest.SQLite(t)
	fill(t, full)
	ctx, cancel := context.WithCancel(context.Background())
	_, err = verify.Run(ctx, full, verify.Options{Progress: func(int64, int64) { cancel() }}.InSmallParts(1, 1, 1))
	require.ErrorIs(t, err, context.Canceled)
}

func TestEveryInvariantIsExplained(t *testing.T) {
	explained := map[string]bool{}
	for _, i := range verify.Invariants() {
		assert.NotEmpty(t, i.Text)
		assert.False(t, explained[i.ID], i.ID)
		explained[i.ID] = true
	}
	for _, c := range corruptions {
		for _, want := range c.want {
			id := want[:len("I1")]
			if want[2] != ' ' {
				id = want[:len("I12")]
			}
			assert.True(t, explained[id], id)
		}
	}
}
