package doctest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/enginetest"
)

const guide = "existing-table.md"

// file is a block that a page gives a name, so that its reader makes it a file.
var file = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```[a-z]+\n(.*?)```\n")

// said is a command of a page and what it prints.
type said struct{ command, output string }

// dialogue takes a page's console blocks apart.
func dialogue(text string) []said {
	var all []said
	for _, block := range blocks(text, "console") {
		for line := range strings.Lines(block) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, said{command: strings.TrimSuffix(command, "\n")})
			} else {
				all[len(all)-1].output += line
			}
		}
	}
	return all
}

// A stranger who does what the guide says sees what the guide shows. The program is built without a server, too.
func TestTheGuideToAnExistingTable(t *testing.T) {
	here, err := filepath.Abs(top)
	require.NoError(t, err)
	text, folder := read(t, "docs", guide), t.TempDir()
	version := strings.Split(read(t, "go.mod"), "\n")[2]
	write(t, fmt.Sprintf("module shop\n\n%s\n\nrequire example.com/orderd v0.0.0\n\nreplace example.com/orderd => %s\n", version, here), folder, "go.mod")
	write(t, read(t, "go.sum"), folder, "go.sum")
	files := file.FindAllStringSubmatch(text, -1)
	require.Len(t, files, 3)
	build := func() {
		for _, m := range files {
			write(t, m[2], folder, m[1])
		}
		require.Empty(t, goFormat(t, folder))
		goRun(t, folder, "build", "-mod=mod", "-trimpath", "-o", "shop", ".")
	}
	build()

	walk := dialogue(text)
	require.Greater(t, len(walk), 8)
	enginetest.OnServers(t, func(t *testing.T, s enginetest.Server) {
		dsn := s.DSN(t)
		build() // as the page has it: its commands edit files
		for _, step := range walk {
			require.Equal(t, step.output, do(t, folder, dsn, step.command), "$ %s", step.command)
		}
	})
}

// do does what a command of the guide does: runs the program as it was built, edits a file and builds it anew, and asks by
// the driver what the guide asks by the client.
func do(t *testing.T, folder, dsn, command string) string {
	t.Helper()
	if arg, ok := strings.CutPrefix(command, "go run . "); ok {
		cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "shop"), arg)
		cmd.Env = append(os.Environ(), "SHOP="+dsn)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
		return string(out)
	}
	if strings.HasPrefix(command, "sed -i ") {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
		goRun(t, folder, "build", "-mod=mod", "-trimpath", "-o", "shop", ".")
		return string(out)
	}
	cfg, err := mysql.ParseDSN(dsn)
	require.NoError(t, err)
	cfg.MultiStatements = true
	db, err := sql.Open("mysql", cfg.FormatDSN())
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	if name, ok := strings.CutPrefix(command, "mysql shop < "); ok {
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		_, err = db.ExecContext(context.Background(), string(text))
		require.NoError(t, err)
		return ""
	}
	if change, ok := strings.CutPrefix(command, `mysql shop -e "`); ok {
		_, err := db.ExecContext(context.Background(), strings.TrimSuffix(change, `"`))
		require.NoError(t, err)
		return ""
	}
	query, ok := strings.CutPrefix(command, `mysql -N shop -e "`)
	require.True(t, ok, command)
	var answer string
	require.NoError(t, db.QueryRowContext(context.Background(), strings.TrimSuffix(query, `"`)).Scan(&answer))
	return answer + "\n"
}

// goFormat names the files that are not formatted.
func goFormat(t *testing.T, folder string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "gofmt", "-l", folder).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
