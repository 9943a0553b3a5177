package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/cli"
	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/schema"
)

var noTables = schema.Component{Name: "daemon", Version: 1, DDL: `CREATE TABLE daemon_things (
  id VARBINARY(64) NOT NULL COMMENT 'id',
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='things';`}

func TestVerify(t *testing.T) {
	setting := "sqlite:" + filepath.Join(t.TempDir(), "shop.db")
	run := func(json bool) (string, error) {
		var out bytes.Buffer
		env := &cli.Env{Context: context.Background(), Out: &out, Now: time.Now, Schema: noTables}
		err := (&cli.Verify{Max: 10}).Run(env, &cli.Globals{DB: setting, JSON: json})
		return out.String(), err
	}

	out, err := run(false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, cli.ExitTrouble, cli.ExitCode(err))
	assert.Empty(t, out)

	db, err := database.Create(t.Context(), setting)
	require.NoError(t, err)
	out, err = run(false)
	require.Error(t, err)
	assert.Equal(t, cli.ExitTrouble, cli.ExitCode(err), "there are no tables")
	assert.Contains(t, out, "until it stopped")
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.Migrate(t.Context(), noTables))
	out, err = run(false)
	require.NoError(t, err)
	assert.Contains(t, out, "Findings: 0. Looked at 0 subjects")

	_, err = db.Pool.ExecContext(t.Context(), `DROP INDEX engine_transitions_request`)
	require.NoError(t, err)
	out, err = run(false)
	assert.Equal(t, cli.ExitNo, cli.ExitCode(err))
	assert.Regexp(t, `I4 +- +- +- +table engine_transitions has no unique key on \[source seq\]`, out)
	assert.Contains(t, out, "I4 says: ")
	assert.Contains(t, out, "Findings: 1. Looked at 0 subjects")

	out, err = run(true)
	assert.Equal(t, cli.ExitNo, cli.ExitCode(err))
	var report struct {
		Finished bool
		Total    int
		Findings []struct{ Invariant string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.True(t, report.Finished)
	assert.Equal(t, 1, report.Total)
	assert.Equal(t, "I4", report.Findings[0].Invariant)

	err = (&cli.Verify{}).Run(&cli.Env{}, &cli.Globals{})
	assert.Equal(t, cli.ExitUsage, cli.ExitCode(err), "--max 0")
}
