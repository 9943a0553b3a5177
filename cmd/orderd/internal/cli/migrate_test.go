package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/cli"
	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/schema"
)

// An upgrade as the person sees it who runs it: what would be done, what is done, what is pending, and the end.
func TestAnUpgradeTellsEachOfItsSteps(t *testing.T) {
	setting := "sqlite:" + filepath.Join(t.TempDir(), "shop.db")
	run := func(c interface {
		Run(*cli.Env, *cli.Globals) error
	},
	) (string, error) {
		var out bytes.Buffer
		env := &cli.Env{Context: context.Background(), Out: &out, Now: time.Now, Schema: noTables}
		err := c.Run(env, &cli.Globals{DB: setting})
		return out.String(), err
	}
	_, err := run(&cli.Migrate{DryRun: true})
	require.Error(t, err, "a dry run makes no file")

	db, err := database.Create(t.Context(), setting)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	out, err := run(&cli.Migrate{DryRun: true})
	require.NoError(t, err)
	assert.Contains(t, out, "-- engine: version 3, all tables")
	assert.Contains(t, out, "CREATE TABLE IF NOT EXISTS `daemon_things`")
	out, err = run(&cli.Doctor{})
	require.ErrorIs(t, err, cli.ErrTold)
	assert.Regexp(t, `failure +tables +not installed +run orderd migrate`, out)

	first, err := os.ReadFile("../../../../engine/testdata/schema-1.sql")
	require.NoError(t, err)
	require.NoError(t, schema.Migrate(t.Context(), db.Gorm, schema.Component{Name: "engine", Version: 1, DDL: string(first)}))
	out, err = run(&cli.Migrate{DryRun: true})
	require.NoError(t, err)
	assert.Contains(t, out, "-- engine: version 1 to 2\nALTER TABLE `engine_transitions` ADD COLUMN `timers` TEXT")
	assert.Contains(t, out, "-- engine: version 2 to 3, with --finish only\nINSERT INTO engine_watermarks")
	out, err = run(&cli.Doctor{})
	require.ErrorIs(t, err, cli.ErrTold)
	assert.Regexp(t, `failure +tables of engine +version 1, not those of this program +.*version 1, this program needs 2: run "orderd migrate"`, out)
	assert.Regexp(t, `failure +tables of daemon +not installed +run orderd migrate`, out)

	for range 2 {
		out, err = run(&cli.Migrate{})
		require.NoError(t, err)
		assert.Regexp(t, `engine +2\n`, out)
		assert.Contains(t, out, "Pending: engine: version 2 to 3. Once no program of a version before 2 runs: orderd migrate --finish")
	}
	out, err = run(&cli.Doctor{})
	require.NoError(t, err, "it is a warning")
	assert.Regexp(t, `warning +tables of engine +pending: engine: version 2 to 3 +Once no program of a version before 2 runs: orderd migrate --finish`, out)

	out, err = run(&cli.Migrate{Finish: true})
	require.NoError(t, err)
	assert.Regexp(t, `engine +3\n`, out)
	assert.NotContains(t, out, "Pending")
	out, err = run(&cli.Migrate{DryRun: true})
	require.NoError(t, err)
	assert.Equal(t, "-- nothing to do\n", out)
	out, err = run(&cli.Doctor{})
	require.NoError(t, err)
	assert.Regexp(t, `ok +tables of engine +version 3`, out)
	out, err = run(&cli.Verify{Max: 10})
	require.NoError(t, err)
	assert.Contains(t, out, "Findings: 0")
}
