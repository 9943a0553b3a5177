package doctest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is the example of package engine as a program.
func program(t *testing.T) string {
	text := read(t, "engine", "example_test.go")
	text = strings.Replace(text, "package engine_test\n", "package main\n", 1)
	return strings.Replace(text, "func Example() {\n", "func main() {\n", 1)
}

// stormTest is the test that the README shows of the kit's example.
func stormTest(t *testing.T) string {
	text := read(t, "engine", "enginetest", "example_test.go")
	at := strings.Index(text, "func Test")
	require.Positive(t, at)
	return text[at:]
}

func TestTheReadmeShowsTheExamples(t *testing.T) {
	readme := read(t, "README.md")
	want := []string{program(t), stormTest(t)}
	got := blocks(readme, "go")
	require.Len(t, got, len(want))
	if *update {
		for i, block := range got {
			readme = strings.Replace(readme, "```go\n"+block+"```\n", "```go\n"+want[i]+"```\n", 1)
		}
		write(t, readme, top, "README.md")
		return
	}
	require.Equal(t, want, got, "run: go test ./internal/doctest -update")
}

// A reader's program is a module of its own that knows this one by a replace directive.
func TestTheReadmeProgramIsAModuleOfItsOwn(t *testing.T) {
	here, err := filepath.Abs(top)
	require.NoError(t, err)
	folder := t.TempDir()
	version := strings.Split(read(t, "go.mod"), "\n")[2]
	write(t, fmt.Sprintf("module reader\n\n%s\n\nrequire example.com/orderd v0.0.0\n\nreplace example.com/orderd => %s\n", version, here), folder, "go.mod")
	write(t, read(t, "go.sum"), folder, "go.sum")
	text := blocks(read(t, "README.md"), "go")[0]
	write(t, text, folder, "main.go")
	said := goRun(t, folder, "run", "-mod=mod", "-trimpath", ".")

	_, promised, found := strings.Cut(text, "\t// Output:\n")
	require.True(t, found)
	promised, _, _ = strings.Cut(promised, "}\n")
	require.Equal(t, strings.ReplaceAll(promised, "\t// ", ""), said)
}
