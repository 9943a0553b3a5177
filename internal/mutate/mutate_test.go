//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "testdata/module"

// on returns the options for a module of this package's own, with a copy of its list.
func on(t *testing.T) options {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(module, "mutants.txt"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "mutants.txt")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	o, err := parse([]string{"-top", module, "-list", path, "-workers", "2", "-floor", "5s"})
	require.NoError(t, err)
	return o
}

func do(t *testing.T, o options) (bool, string, error) {
	t.Helper()
	var out strings.Builder
	good, err := o.do(t.Context(), &out)
	return good, out.String(), err
}

func TestEveryMutantMeetsTheFateThatTheTestsGiveIt(t *testing.T) {
	before := moduleText(t)
	o := on(t)
	o.record = true
	good, out, err := do(t, o)
	require.NoError(t, err, out)
	require.False(t, good, "five of six are less than 85 %%:\n%s", out)
	for _, want := range []string{
		"killed     count/count.go:11 Counter.Add negate: c.n >= c.limit  (",
		"killed     count/count.go:12 Counter.Add error: return errors.New(\"full\")  (",
		"killed     count/count.go:20 Max negate: a > b  (",
		"timeout    count/count.go:29 Down sign: n--  (",
		"killed     count/count.go:35 Both logic: a && b  (",
		"SURVIVED   count/count.go:38 Positive boundary: n > 0  (",
		"equivalent count/count.go:20 Max boundary: a > b  (0s) equal numbers are the same\n",
		"needs a server\n",
		"count                  4         1         1           1\n",
		"83.3 % of 6 mutants killed; at least 85 % are wanted\n",
	} {
		require.Contains(t, out, want)
	}
	require.Equal(t, before, moduleText(t), "the working tree is not touched")

	l, err := readList(o.list)
	require.NoError(t, err)
	killers := map[string]string{}
	for _, m := range l.Mutants {
		killers[m.Func+" "+m.Kind] = m.Killer
	}
	require.Equal(t, map[string]string{
		"Counter.Add negate": "count.TestCounterIsFullAtItsLimit",
		"Counter.Add error":  "count.TestCounterIsFullAtItsLimit",
		"Max boundary":       "",
		"Max negate":         "count.TestMaxIsTheLarger",
		"Down sign":          "count.TestDownEnds",
		"Both logic":         "twice.TestOneOfTwoIsNotBoth",
		"Positive boundary":  "",
	}, killers)
}

func moduleText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(module, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s\n%s\n", path, text)
		return err
	}))
	return all.String()
}

func TestAScoreOf85IsEnough(t *testing.T) {
	o := on(t)
	o.only = "\tMax\t|Both"
	good, out, err := do(t, o)
	require.NoError(t, err)
	require.True(t, good, out)
	require.Contains(t, out, "100.0 % of 2 mutants killed")
}

// Tests that need a server come last, and only what survived without it faces them.
func TestTestsGoWithoutAServerFirst(t *testing.T) {
	t.Setenv("MODULE_SERVER", "here")
	o := on(t)
	o.only, o.without, o.record = "Positive|Both", "MODULE_SERVER", true
	_, out, err := do(t, o)
	require.NoError(t, err)
	require.Contains(t, out, "100.0 % of 2 mutants killed", "TestPositive asks the server")
	l, err := readList(o.list)
	require.NoError(t, err)
	require.Equal(t, "count.TestPositive", l.Mutants[len(l.Mutants)-1].Killer)
	require.Empty(t, l.Mutants[len(l.Mutants)-1].Survives, "it does no longer")
}

// The others are tried all the same, and what was found is recorded: a run takes an hour.
func TestAMutantThatDoesNotCompileSpoilsOnlyTheFigure(t *testing.T) {
	o := on(t)
	o.record = true
	list := "tests\tcount\tcount\n\ncount\tUnused\tsign\t1\t\"a\" + text\ncount\tMax\tnegate\t1\ta > b\n"
	require.NoError(t, os.WriteFile(o.list, []byte(list), 0o600))
	o.workers = 1
	good, out, err := do(t, o)
	require.NoError(t, err)
	require.False(t, good)
	require.Contains(t, out, "BROKEN     count/count.go:41 Unused sign")
	require.Contains(t, out, "operator - not defined")
	require.Contains(t, out, "100.0 % of 1 mutants killed")
	l, err := readList(o.list)
	require.NoError(t, err)
	require.Equal(t, "count.TestMaxIsTheLarger", l.Mutants[1].Killer)
}

func TestOnlyTheNamedTestsCount(t *testing.T) {
	o := on(t)
	o.only, o.tests = "Counter", "TestMax"
	good, out, err := do(t, o)
	require.NoError(t, err)
	require.False(t, good, out)
}

func TestAMutantThatTheSourceNoLongerHasIsAnErrorThatSaysWhatToDo(t *testing.T) {
	o := on(t)
	l, err := readList(o.list)
	require.NoError(t, err)
	l.Mutants[0].Text = "c.n > c.limit"
	require.NoError(t, l.write(o.list))
	_, _, err = do(t, o)
	require.ErrorContains(t, err, "-generate:\ncount\tCounter.Add\tnegate\t1\tc.n > c.limit")

	o.generate, o.size = true, 9
	_, _, err = do(t, o)
	require.NoError(t, err)
	again, err := readList(o.list)
	require.NoError(t, err)
	require.Len(t, again.Mutants, 9)
	_, err = again.locate(module)
	require.NoError(t, err)
	for _, m := range l.Mutants[1:] {
		require.Contains(t, again.Mutants, m, "what the source still has stays, with its notes")
	}
}

func TestTheSameSeedChoosesTheSameMutants(t *testing.T) {
	var texts []string
	for _, seed := range []string{"1", "1", "2"} {
		o := on(t)
		o.generate, o.size, o.seed = true, 12, seed
		_, _, err := do(t, o)
		require.NoError(t, err)
		text, err := os.ReadFile(o.list)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	require.Equal(t, texts[0], texts[1])
	require.NotEqual(t, texts[0], texts[2])
}

func TestTestsThatFailWithoutAMutantStopTheRun(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(module)))
	broken := "package count\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Fatal(\"as ever\") }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "count", "broken_test.go"), []byte(broken), 0o600))
	o := on(t)
	o.top = dir
	_, _, err := do(t, o)
	require.ErrorContains(t, err, "the tests of count fail without a mutant")
	require.ErrorContains(t, err, "as ever")
}

// Whether the source still has them is for make mutants to say: a change should not have to wait for a new list.
func TestTheListOfThisModuleCanBeRead(t *testing.T) {
	l, err := readList("mutants.txt")
	require.NoError(t, err)
	for _, k := range l.Tests {
		require.NotEmpty(t, k.By)
		for _, pkg := range append(k.By, k.Package) {
			require.DirExists(t, filepath.Join("..", "..", pkg))
		}
	}
}
