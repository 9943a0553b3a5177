package doctest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pages are all documents, as paths below the root.
func pages(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(top, "*.md"))
	require.NoError(t, err)
	err = filepath.WalkDir(filepath.Join(top, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			all = append(all, path)
		}
		return err
	})
	require.NoError(t, err)
	for i, path := range all {
		all[i], err = filepath.Rel(top, path)
		require.NoError(t, err)
	}
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]*)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	dropped = regexp.MustCompile(`[^\pL\pN _-]`)
)

// anchors are the names under which headings can be linked to.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		text := read(t, page)
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			seen++
			file, anchor, _ := strings.Cut(m[1], "#")
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), file)
			}
			_, err := os.Stat(filepath.Join(top, path))
			require.NoError(t, err, "%s links to %s", page, m[1])
			if anchor != "" {
				require.True(t, anchors(read(t, path))[anchor], "%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
	require.Greater(t, seen, 20)
}

// source is a file or folder of this repository that a document names in backticks.
var source = regexp.MustCompile("`((?:engine|orders|cmd|internal|docs)/[A-Za-z0-9_./-]*)`")

func TestEveryNamedFileExists(t *testing.T) {
	for _, page := range pages(t) {
		if page == "CONTRIBUTING.md" { // names packages that are to come
			continue
		}
		for _, m := range source.FindAllStringSubmatch(read(t, page), -1) {
			_, err := os.Stat(filepath.Join(top, m[1]))
			require.NoError(t, err, "%s names %s", page, m[1])
		}
	}
}
