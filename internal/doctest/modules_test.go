package doctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const databaseProgram = `package main

import (
	"fmt"

	"example.com/orderd/engine"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/engine/sqlitedb"
)

func main() { fmt.Println(engine.Migrate, mysqldb.Open, sqlitedb.Open) }
`

// Whoever builds with a C compiler at hand, as most do, gets no C by using a database of either kind.
func TestAProgramOnTheEngineBringsNoC(t *testing.T) {
	here, err := filepath.Abs(top)
	require.NoError(t, err)
	folder := t.TempDir()
	version := strings.Split(read(t, "go.mod"), "\n")[2]
	write(t, "module reader\n\n"+version+"\n\nrequire example.com/orderd v0.0.0\n\nreplace example.com/orderd => "+here+"\n", folder, "go.mod")
	write(t, read(t, "go.sum"), folder, "go.sum")
	write(t, databaseProgram, folder, "main.go")

	cmd := exec.CommandContext(t.Context(), "go", "list", "-mod=mod", "-deps", "-f",
		`{{with .Module}}{{.Path}} {{end}}{{if not .Standard}}{{with .CgoFiles}}has C{{end}}{{end}}`, ".")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "modernc.org/sqlite", "it has the database")
	require.NotContains(t, string(out), "github.com/mattn/go-sqlite3")
	for line := range strings.Lines(string(out)) {
		require.NotContains(t, line, "has C")
	}
	require.NotContains(t, read(t, "go.mod"), "mattn/go-sqlite3")
}
