package doctest

import (
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// needServers are packages whose examples are compiled only.
var needServers = map[string]bool{
	"engine/lock/redislock": true, "engine/lock/zklock": true, "engine/mysqldb": true, "engine/once/redistokens": true,
	"engine/outbox/kafkasink": true, "engine/outbox/natssink": true,
}

// Every package that others can import has an example in example_test.go, written as others have to write it.
// Unless it needs a server, it is held to its output.
func TestEveryPublicPackageHasAnExample(t *testing.T) {
	seen := 0
	for pkg := range strings.FieldsSeq(goRun(t, top, "list", "./engine/...", "./orders/...")) {
		folder := strings.TrimPrefix(pkg, "example.com/orderd/")
		if strings.Contains(folder+"/", "/internal/") || folder == "engine/enginetest" { // its example is a test
			continue
		}
		seen++
		path := filepath.Join(top, folder, "example_test.go")
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(file.Name.Name, "_test"), "%s sees its package from inside", path)
		for _, i := range file.Imports {
			require.NotContains(t, i.Path.Value, "/internal/", path)
		}
		examples := doc.Examples(file)
		require.NotEmpty(t, examples, path)
		for _, e := range examples {
			require.Equal(t, needServers[folder], e.Output == "", "Example%s in %s: a server is needed, or it has output", e.Name, path)
		}
	}
	require.Greater(t, seen, 25)
}
