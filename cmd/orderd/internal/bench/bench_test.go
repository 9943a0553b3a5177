package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/bench"
	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/enginetest"
)

// contenders are those of the bench of transitions, in the order of their turns.
var contenders = []string{"hand-written", "gorm + looplab/fsm", "conditional update", "engine, no batcher", "engine", "bulk load"}

func short(setting string, callers ...int) bench.Options {
	return bench.Options{DB: setting, Callers: callers, Rounds: 1, Time: 200 * time.Millisecond}
}

func TestTransitions(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		folder := t.TempDir()
		transitions(t, "sqlite:"+filepath.Join(folder, "shop.db"))
		left, err := os.ReadDir(folder)
		require.NoError(t, err)
		assert.Empty(t, left, "the named file is not made, and what was made is gone")
	})
	t.Run("MySQL", func(t *testing.T) {
		setting := "mysql:" + enginetest.MySQLDSN(t)
		before := databases(t, setting)
		transitions(t, setting)
		assert.Equal(t, before, databases(t, setting))
		db, err := database.OpenUnchecked(setting)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		var tables int
		require.NoError(t, db.Pool.QueryRowContext(t.Context(),
			"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&tables))
		assert.Zero(t, tables, "the named database is left alone")
	})
}

// databases are the benches' databases on a server.
func databases(t *testing.T, setting string) (n int) {
	t.Helper()
	db, err := database.OpenUnchecked(setting)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.Pool.QueryRowContext(t.Context(),
		`SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE 'orderd\_bench\_%'`).Scan(&n))
	return n
}

func transitions(t *testing.T, setting string) {
	t.Helper()
	var done, about int64
	o := short(setting, 1, 4)
	o.Progress = func(d, a int64) { done, about = d, a }
	report, err := bench.Run(t.Context(), bench.Transitions, o)
	require.NoError(t, err)
	assert.EqualValues(t, 2*len(contenders), done)
	assert.Equal(t, done, about)

	text, err := json.Marshal(report)
	require.NoError(t, err)
	var got struct {
		Bench, Server string
		Machine       struct {
			CPUs   int
			OS, Go string
		}
		Rounds  int
		Ratios  []map[string]any
		Figures []struct {
			Contender string
			Callers   int
			PerSecond map[string]float64 `json:"per_second"`
			P50       float64            `json:"p50_ms"`
			P99       float64            `json:"p99_ms"`
			P999      float64            `json:"p999_ms"`
			Raw       []float64
		}
		Verify struct{ Transitions, Findings int }
	}
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, "transitions", got.Bench)
	assert.NotEmpty(t, got.Server)
	assert.Positive(t, got.Machine.CPUs)
	assert.Equal(t, 1, got.Rounds)
	assert.Positive(t, got.Verify.Transitions, "verify has run")
	assert.Zero(t, got.Verify.Findings)

	var seen, want []string
	for _, f := range got.Figures {
		seen = append(seen, fmt.Sprint(f.Callers, " ", f.Contender))
		assert.Positive(t, f.PerSecond["median"], f.Contender)
		assert.Len(t, f.Raw, 1)
		assert.Positive(t, f.P50, f.Contender)
		assert.LessOrEqual(t, f.P50, f.P99, f.Contender)
		assert.LessOrEqual(t, f.P99, f.P999, f.Contender)
	}
	for _, callers := range []int{1, 4} {
		for _, name := range contenders {
			want = append(want, fmt.Sprint(callers, " ", name))
		}
	}
	assert.Equal(t, want, seen)

	require.Len(t, got.Ratios, 2*(len(contenders)-1), "the engine beside all others, at each number of callers")
	for _, r := range got.Ratios {
		for _, field := range []string{"figure", "callers", "against", "min", "median", "max"} {
			assert.Contains(t, r, field)
		}
	}
	for _, name := range contenders {
		assert.Contains(t, report.Plot(), ">"+name+"<")
	}
}

// The other benches run, verify and leave nothing behind. That of HTTP needs the program.
func TestTheOthersVerify(t *testing.T) {
	for _, kind := range []bench.Kind{bench.Duplicates, bench.Hot, bench.Transfers, bench.Growth} {
		t.Run(string(kind), func(t *testing.T) {
			folder := t.TempDir()
			o := short("sqlite:"+filepath.Join(folder, "shop.db"), 4)
			o.Orders = []int{1000, 2000}
			report, err := bench.Run(t.Context(), kind, o)
			require.NoError(t, err)
			assert.NotEmpty(t, report.Ratios)
			assert.NotEmpty(t, report.Figures)
			assert.Positive(t, report.Verify.Transitions)
			left, err := os.ReadDir(folder)
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

// Figures of a run that does not verify, or of which nobody knows, are not given.
func TestNoFiguresWithoutVerify(t *testing.T) {
	run := func(t *testing.T, damage string) (*bench.Report, error) {
		folder := t.TempDir()
		o := short("sqlite:"+filepath.Join(folder, "shop.db"), 2)
		o.Progress = func(done, about int64) {
			if done < about {
				return
			}
			files, err := filepath.Glob(filepath.Join(folder, "*", "bench.db"))
			require.NoError(t, err)
			require.Len(t, files, 1)
			db, err := database.OpenUnchecked("sqlite:" + files[0])
			require.NoError(t, err)
			_, err = db.Pool.ExecContext(t.Context(), damage)
			require.NoError(t, err)
			require.NoError(t, db.Close())
		}
		return bench.Run(t.Context(), bench.Duplicates, o)
	}
	for name, damage := range map[string]string{
		"a history row of the engine is lost":     "DELETE FROM engine_transitions WHERE version = 2",
		"a history row of the baselines is lost":  "DELETE FROM hand_history WHERE rowid = (SELECT MIN(rowid) FROM hand_history)",
		"an order moved that nobody was told of":  "UPDATE hand_orders SET version = version + 1 WHERE id = (SELECT MIN(id) FROM hand_orders)",
		"a message of the engine was never there": "DELETE FROM engine_messages",
	} {
		t.Run(name, func(t *testing.T) {
			report, err := run(t, damage)
			require.ErrorIs(t, err, bench.ErrNotVerified)
			assert.Empty(t, report.Ratios)
			assert.Empty(t, report.Figures)
			assert.Positive(t, report.Verify.Findings)
			assert.NotEmpty(t, report.Verify.First)
		})
	}
	t.Run("verify cannot finish", func(t *testing.T) {
		report, err := run(t, "DROP TABLE engine_schema")
		require.Error(t, err)
		assert.NotErrorIs(t, err, bench.ErrNotVerified)
		assert.Nil(t, report)
	})
}

func TestAnInterruptedRunLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o := short("sqlite:"+filepath.Join(folder, "shop.db"), 4)
	o.Progress = func(int64, int64) { cancel() }
	_, err := bench.Run(ctx, bench.Transitions, o)
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestOptionsNameEveryMistake(t *testing.T) {
	_, err := bench.Run(t.Context(), bench.Transitions, bench.Options{Callers: []int{0}, Orders: []int{1}, Rounds: -1, Time: time.Hour})
	for _, part := range []string{"0 callers", "1 orders", "-1 rounds", "1h0m0s"} {
		assert.ErrorContains(t, err, part)
	}
	_, err = bench.Run(t.Context(), "speed", short("sqlite:x", 1))
	assert.ErrorContains(t, err, `there is no bench "speed"`)
}
