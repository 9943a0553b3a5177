package doctest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The shop is a customer like any other: it builds in a module of its own, which sees of this one what a stranger's
// program sees, and nothing internal.
func TestTheShopIsBuiltOnWhatAStrangerCanImport(t *testing.T) {
	here, err := filepath.Abs(top)
	require.NoError(t, err)
	folder := t.TempDir()
	gomod := read(t, "go.mod")
	write(t, strings.Replace(gomod, "module example.com/orderd", "module stranger.example/shop", 1)+
		fmt.Sprintf("\nrequire example.com/orderd v0.0.0\n\nreplace example.com/orderd => %s\n", here), folder, "go.mod")
	write(t, read(t, "go.sum"), folder, "go.sum")
	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(top, "orders"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".go") {
			files++
			text = []byte(strings.ReplaceAll(string(text), `"example.com/orderd/orders`, `"stranger.example/shop/orders`))
		}
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(relative)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, relative), text, 0o644)
	}))
	require.Greater(t, files, 30)
	goRun(t, folder, "vet", "-mod=mod", "./...")
}
