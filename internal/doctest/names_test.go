package doctest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// A walk names functions, and then the file that they are in: `judge` (`engine/decide.go`), or
// `writeAlone` and `write` (`engine/write.go`).
var (
	inFile   = regexp.MustCompile("((?:`\\w+`(?:,?\\s+and\\s+|,\\s+)?)+)\\s+\\(`([a-z]+/[\\w./-]+\\.go)`")
	backtick = regexp.MustCompile("`(\\w+)`")
)

func TestEveryNamedFunctionIsInItsFile(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		for _, m := range inFile.FindAllStringSubmatch(read(t, page), -1) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, m[2]), nil, parser.SkipObjectResolution)
			require.NoError(t, err, page)
			has := map[string]bool{}
			for _, decl := range file.Decls {
				if f, isFunc := decl.(*ast.FuncDecl); isFunc {
					has[f.Name.Name] = true
				}
			}
			for _, name := range backtick.FindAllStringSubmatch(m[1], -1) {
				seen++
				require.True(t, has[name[1]], "%s says that %s has a function %s", page, m[2], name[1])
			}
		}
	}
	require.Greater(t, seen, 35)
}
