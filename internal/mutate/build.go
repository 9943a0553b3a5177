//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// grace is how long a test binary may go on after its own timeout before it is killed.
const grace = 5 * time.Second

// verdict is how the tests of one package judged.
type verdict int

const (
	passed verdict = iota
	failed
	timedOut
)

// judgement is a verdict with the name of the test that gave it, if the output says that.
type judgement struct {
	verdict verdict
	test    string
	output  string
}

// overlay writes what makes the go command compile a mutant: the mutated file and the JSON file that puts it in
// the place of the original, both in dir. The module itself is not touched. It returns the JSON file's path.
func overlay(top, dir string, s site) (string, error) {
	text, err := s.mutated(top)
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(filepath.Join(top, s.File))
	if err != nil {
		return "", err
	}
	mutated, replace := filepath.Join(dir, filepath.Base(s.File)), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(mutated, []byte(text), 0o600); err != nil {
		return "", err
	}
	content, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutated}})
	if err != nil {
		return "", err
	}
	return replace, os.WriteFile(replace, content, 0o600)
}

// copyModule copies a module's files, but what git and the Makefile keep, into a folder of dir.
func copyModule(top, dir string) (string, error) {
	to := filepath.Join(dir, "module")
	return to, filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == ".cache") {
			return filepath.SkipDir
		}
		below, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, below)
		switch {
		case d.IsDir():
			return os.MkdirAll(at, 0o700)
		case !d.Type().IsRegular() || d.Name() == ".git": // which is a file in a worktree
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(at, text, info.Mode().Perm())
	})
}

// goCommand runs the go command at the top of the module.
func goCommand(ctx context.Context, top string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// testBinary compiles the tests of a package; replace is an overlay's path, or empty.
func testBinary(ctx context.Context, top, dir, pkg, replace string) (string, error) {
	binary := filepath.Join(dir, "package.test")
	if err := goCommand(ctx, top, "test", "-c", "-vet=off", "-overlay", replace, "-o", binary, "./"+pkg); err != nil {
		return "", err
	}
	if _, err := os.Stat(binary); err != nil {
		return "", fmt.Errorf("package %s has no tests", pkg)
	}
	return binary, nil
}

// testRun is one run of a test binary. Its top is a copy of the module, because tests that fail leave files.
type testRun struct {
	top, pkg, binary string
	tests            string // a regular expression for their names; empty for all
	without          string // an environment variable that they do not see
	limit            time.Duration
}

// runTests runs a test binary in its package's folder until the first test fails. What it starts ends with it.
func runTests(ctx context.Context, r testRun) (judgement, error) {
	running, cancel := context.WithTimeout(ctx, r.limit+grace)
	defer cancel()
	cmd := exec.CommandContext(running, "sh", "-c", limited, r.binary,
		"-test.failfast", "-test.timeout="+r.limit.String(), "-test.run="+r.tests)
	cmd.Dir = filepath.Join(r.top, r.pkg)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return r.without != "" && strings.HasPrefix(v, r.without+"=") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, grace
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		_ = end() // fails if it left nobody behind
	}
	j := judgement{output: string(out)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return j, ctx.Err()
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return j, nil
	case running.Err() != nil || testTimeout.Match(out):
		j.verdict, j.test = timedOut, firstName(runningTest, out)
		return j, nil
	case errors.As(err, &exit):
		j.verdict, j.test = failed, firstName(failedTest, out)
		return j, nil
	default:
		return j, fmt.Errorf("run the tests of %s: %w", r.pkg, err)
	}
}

// limited runs a command in 6 GiB of addresses at most: a mutant that never stops to grow fails, alone.
const limited = `ulimit -v 6291456 && exec "$0" "$@"`

func firstName(in *regexp.Regexp, out []byte) string {
	if name := in.FindSubmatch(out); name != nil {
		return string(name[1])
	}
	return ""
}

// A top-level test that failed, and what package testing says when the time is up.
var (
	failedTest  = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)
	testTimeout = regexp.MustCompile(`(?m)^panic: test timed out after `)
	runningTest = regexp.MustCompile(`(?m)^\s+running tests:\s+(\w+)`)
)
