package txn_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/txn"
)

// jar is a row that a transaction writes.
type jar struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"size:16;<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func jars(t *testing.T, db *gorm.DB) []string {
	t.Helper()
	var ids []string
	require.NoError(t, db.Model(&jar{}).Order("id").Pluck("id", &ids).Error)
	return ids
}

func put(tx *gorm.DB, id string) error {
	return tx.Exec("INSERT INTO jars (id, status, version) VALUES (?, 'new', 1)", id).Error
}

func each(t *testing.T, f func(*testing.T, *gorm.DB)) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		require.NoError(t, db.AutoMigrate(&jar{}))
		f(t, db)
	})
}

func TestATransactionRunsAgainWhereThatMayHelp(t *testing.T) {
	for name, scene := range map[string]struct {
		fault enginetest.Fault
		at    enginetest.CallKind
		says  error // what f makes of it; nil: the error itself
		runs  int
		left  string
	}{
		"a deadlock":                {fault: enginetest.Deadlock, at: enginetest.CallExec, runs: 2, left: "[a b]"},
		"a lock wait":               {fault: enginetest.LockWait, at: enginetest.CallExec, runs: 2, left: "[a b]"},
		"a lost connection":         {fault: enginetest.LostBefore, at: enginetest.CallExec, runs: 2, left: "[a b]"},
		"an error that f hides":     {fault: enginetest.Deadlock, at: enginetest.CallExec, says: errors.New("hidden"), runs: 2, left: "[a b]"},
		"an answer that never came": {fault: enginetest.LostAfter, at: enginetest.CallCommit, runs: 1, left: "[a b]"},
		"a COMMIT that never left":  {fault: enginetest.LostBefore, at: enginetest.CallCommit, runs: 1, left: "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, db *gorm.DB) {
				done := false
				faulty, _ := enginetest.NewFaulty(db, func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
					if done || kind != scene.at || kind == enginetest.CallExec && !strings.Contains(query, "INSERT") {
						return enginetest.NoFault
					}
					done = true
					return scene.fault
				})
				runs := 0
				err := txn.Run(t.Context(), faulty, func(tx *gorm.DB) error {
					runs++
					for _, id := range []string{"a", "b"} {
						if err := put(tx, id); err != nil {
							if scene.says != nil {
								return scene.says
							}
							return err
						}
					}
					return nil
				})
				var commit *dberr.CommitError
				if scene.at == enginetest.CallCommit {
					require.ErrorAs(t, err, &commit)
					require.True(t, commit.Unknown)
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, scene.runs, runs)
				require.Equal(t, scene.left, fmt.Sprint(jars(t, db)))
			})
		})
	}
}

func TestWhoWantsAnotherRunGetsABoundedNumber(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB) {
		runs := 0
		err := txn.Run(t.Context(), db, func(tx *gorm.DB) error {
			if runs++; runs < 3 {
				require.NoError(t, put(tx, "a"))
				return fmt.Errorf("not yet: %w", engine.ErrRunAgain)
			}
			return put(tx, "a")
		})
		require.NoError(t, err)
		require.Equal(t, 3, runs)

		runs = 0
		err = txn.Run(t.Context(), db, func(*gorm.DB) error { runs++; return engine.ErrRunAgain })
		require.ErrorIs(t, err, engine.ErrRunAgain)
		require.Equal(t, 5, runs)
	})
}

func TestAnErrorOrAPanicLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB) {
		no, runs := errors.New("no"), 0
		require.Equal(t, no, txn.Run(t.Context(), db, func(tx *gorm.DB) error {
			runs++
			require.NoError(t, put(tx, "a"))
			return no
		}))
		require.Equal(t, 1, runs)
		require.PanicsWithValue(t, "oh", func() {
			_ = txn.Run(t.Context(), db, func(tx *gorm.DB) error {
				require.NoError(t, put(tx, "a"))
				panic("oh")
			})
		})
		err := txn.Run(t.Context(), db, func(tx *gorm.DB) error {
			require.NoError(t, put(tx, "a"))
			_ = put(tx, "a") // its error sticks
			return nil
		})
		require.Equal(t, dberr.Duplicate, dberr.Classify(err))
		for _, ending := range []string{"COMMIT", "ROLLBACK", "DROP TABLE jars"} {
			require.ErrorContains(t, txn.Run(t.Context(), db, func(tx *gorm.DB) error {
				_ = tx.Exec(ending)
				return nil
			}), "would end the engine's transaction")
		}
		require.Empty(t, jars(t, db))
		gone, cancel := context.WithCancel(t.Context())
		require.ErrorIs(t, txn.Run(gone, db, func(tx *gorm.DB) error { cancel(); return put(tx.WithContext(t.Context()), "a") }), context.Canceled)
		require.Empty(t, jars(t, db))
	})
}

func TestHandlesThatMeanSomethingElseAreRefused(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB) {
		own := db.Begin()
		defer own.Rollback()
		for name, handle := range map[string]*gorm.DB{
			"in a transaction": own, "none": nil, "narrowed": db.Where("id = 1"), "dry": db.Session(&gorm.Session{DryRun: true}),
		} {
			err := txn.Run(t.Context(), handle, func(*gorm.DB) error { t.Error(name, "ran"); return nil })
			require.Error(t, err, name)
		}
		require.NoError(t, own.Rollback().Error)
		require.ErrorContains(t, txn.Run(t.Context(), db, func(tx *gorm.DB) error {
			return txn.Run(t.Context(), tx, func(*gorm.DB) error { t.Error("a nested one ran"); return nil })
		}), "inside a transaction")
	})
}

// A race that a request of ApplyTx has lost is run again, whatever f makes of the answer.
func TestARaceThatARequestLosesRunsTheWholeAgain(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB) {
		require.NoError(t, engine.Migrate(t.Context(), db))
		lost := 3 // times within one run, after which ApplyTx gives up
		m, err := engine.NewMachine(engine.Definition[jar]{
			Name: "jar", Events: map[engine.Event]engine.Spec{"make": {}, "fill": {}},
			Edges: []engine.Edge[jar]{
				{Event: "make", To: "new"},
				{Event: "fill", From: []engine.State{"new"}, To: "full", Actions: []engine.Action[jar]{
					engine.Exec("race", func(context.Context, *gorm.DB, engine.Call[jar, engine.NoInput]) error {
						if lost--; lost >= 0 {
							return engine.ErrRunAgain
						}
						return nil
					}),
				}},
			},
		})
		require.NoError(t, err)
		e, err := engine.New(db, engine.Config{}, m)
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close(context.Background())) }()
		_, err = engine.Create(t.Context(), e, &jar{ID: "j"}, engine.Request{Machine: "jar"})
		require.NoError(t, err)
		var outcomes []engine.Outcome
		require.NoError(t, txn.Run(t.Context(), db, func(tx *gorm.DB) error {
			result, _ := e.ApplyTx(t.Context(), tx, engine.Request{Machine: "jar", ID: "j", Event: "fill"})
			outcomes = append(outcomes, result.Outcome)
			return nil
		}))
		require.Equal(t, []engine.Outcome{engine.Conflict, engine.Applied}, outcomes)
		row, err := engine.Load[jar](t.Context(), e, "jar", "j")
		require.NoError(t, err)
		require.Equal(t, engine.State("full"), row.Status)
	})
}

func TestEachRowIsSeenAndTheFirstErrorIsReturned(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB) {
		read := func(db *gorm.DB, stop string) (ids []string, err error) {
			err = txn.Each(db, "SELECT id FROM jars WHERE id > ? ORDER BY id", []any{"a"}, func(rows *sql.Rows) error {
				var id string
				if err := rows.Scan(&id); err != nil {
					return err
				}
				if id == stop {
					return errors.New("stopped")
				}
				ids = append(ids, id)
				return nil
			})
			return ids, err
		}
		require.NoError(t, txn.Run(t.Context(), db, func(tx *gorm.DB) error {
			for _, id := range []string{"a", "b", "c"} {
				require.NoError(t, put(tx, id))
			}
			ids, err := read(tx, "")
			require.Equal(t, []string{"b", "c"}, ids)
			return err
		}))
		ids, err := read(db, "c")
		require.EqualError(t, err, "stopped")
		require.Equal(t, []string{"b"}, ids)
		require.Error(t, txn.Each(db, "SELECT id FROM nowhere", nil, func(*sql.Rows) error { return nil }))
	})
}
