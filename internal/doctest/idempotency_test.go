package doctest

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// named is a link whose text is the name of a test, and the file that it leads to.
var named = regexp.MustCompile(`\[(Test\w+)\]\(([^)]+_test\.go)\)`)

func TestEveryNamedTestIsWhereItsLinkLeads(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(read(t, page), -1) {
			seen++
			file := filepath.Join(filepath.Dir(page), m[2])
			require.Contains(t, read(t, file), "func "+m[1]+"(t *testing.T)", "%s names %s", page, m[1])
		}
	}
	require.Greater(t, seen, 30)
}

var numbered = regexp.MustCompile(`(?m)^\| (\d+) \|.*$`)

var scene = regexp.MustCompile(`func TestScene\w+`)

// The table of the ten ways has all of them, each with its test; every scene is told of; and the
// pages of both languages lead to the same places.
func TestTheTenWaysHaveTheirTestsInBothLanguages(t *testing.T) {
	english, chinese := read(t, "docs", "idempotency.md"), read(t, "docs", "idempotency.zh.md")
	for _, text := range []string{english, chinese} {
		rows := numbered.FindAllString(text, -1)
		require.Len(t, rows, 10)
		for _, row := range rows {
			cells := strings.Split(strings.Trim(row, "|"), "|")
			require.Len(t, cells, 7, row)
			require.Contains(t, cells[6], "_test.go", row)
		}
		for _, played := range scene.FindAllString(read(t, "cmd", "orderd", "scenes_test.go"), -1) {
			require.Contains(t, text, "["+strings.TrimPrefix(played, "func ")+"]")
		}
	}
	links := func(text string) (all []string) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "idempotency.") {
				all = append(all, m[1])
			}
		}
		return all
	}
	require.Equal(t, links(english), links(chinese))
	require.Equal(t, source.FindAllString(english, -1), source.FindAllString(chinese, -1))
}
