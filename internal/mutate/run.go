//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// runner runs mutants of a module.
type runner struct {
	top     string
	list    *list
	workers int
	floor   time.Duration // the least time that a package's tests get
	tests   string        // a regular expression for their names; empty for all
	without string        // an environment variable that the tests go without at first; empty for none
	report  func(format string, args ...any)

	limits map[string]time.Duration // of each package of tests
}

// slack is by how much a package's tests may take longer than without a mutant before they count as hanging.
const slack = 3

// outcome is what became of a mutant.
type outcome struct {
	mutant mutant
	site   site
	fate   fate
	by     string // the test that killed it, as PACKAGE.TestName, or its package
	took   time.Duration
}

type fate string

const (
	fateKilled     fate = "killed"
	fateTimeout    fate = "timeout"
	fateSurvived   fate = "SURVIVED"
	fateEquivalent fate = "equivalent"
	fateBroken     fate = "BROKEN" // it does not compile, or its tests could not be run
)

// run tries mutants, several at a time. Without a mutant all tests must pass, before and after: otherwise a broken
// server would kill everything.
func (r *runner) run(ctx context.Context, mutants []mutant) ([]outcome, error) {
	located, err := r.list.locate(r.top)
	if err != nil {
		return nil, err
	}
	if err := r.baseline(ctx, mutants); err != nil {
		return nil, err
	}
	outcomes := r.tryAll(ctx, mutants, located)
	if err := ctx.Err(); err != nil {
		return outcomes, context.Cause(ctx)
	}
	return outcomes, r.baseline(ctx, mutants)
}

// baseline runs the tests that mutants face on the source as it is. How long they took limits them later.
func (r *runner) baseline(ctx context.Context, mutants []mutant) error {
	r.limits = map[string]time.Duration{}
	for _, m := range mutants {
		for _, pkg := range r.list.by(m) {
			if _, done := r.limits[pkg]; done || m.Equivalent != "" {
				continue
			}
			took, err := r.unchanged(ctx, pkg)
			if err != nil {
				return err
			}
			r.limits[pkg] = max(r.floor, slack*took)
			r.report("%-10s %s (%s)\n", "unchanged", pkg, took.Round(time.Second))
		}
	}
	return nil
}

// unchangedLimit is the most that the tests of one package may take.
const unchangedLimit = 20 * time.Minute

func (r *runner) unchanged(ctx context.Context, pkg string) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := testBinary(ctx, r.top, dir, pkg, "")
	if err != nil {
		return 0, err
	}
	copied, err := copyModule(r.top, dir)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	j, err := runTests(ctx, testRun{top: copied, pkg: pkg, binary: binary, tests: r.tests, limit: unchangedLimit})
	if err == nil && j.verdict != passed {
		err = fmt.Errorf("the tests of %s fail without a mutant:\n%s", pkg, j.output)
	}
	return time.Since(start), err
}

// tryAll returns the outcomes in the order of the mutants. Those that it did not come to when ctx ended have no fate.
func (r *runner) tryAll(ctx context.Context, mutants []mutant, located map[identity]site) []outcome {
	outcomes := make([]outcome, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	var said sync.Mutex
	for range r.workers {
		workers.Go(func() {
			for i := range next {
				o, err := r.try(ctx, mutants[i], located[mutants[i].identity])
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					o.fate, o.by = fateBroken, err.Error()
				}
				outcomes[i] = o
				said.Lock()
				r.report("%s\n", o)
				said.Unlock()
			}
		})
	}
	for i := range mutants {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return outcomes
}

// try puts a mutant before the tests: first before the one that killed it last time, then before all.
func (r *runner) try(ctx context.Context, m mutant, s site) (outcome, error) {
	start := time.Now()
	o := outcome{mutant: m, site: s, fate: fateEquivalent}
	if m.Equivalent != "" {
		return o, nil
	}
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return o, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	replace, err := overlay(r.top, dir, s)
	if err != nil {
		return o, err
	}
	copied, err := copyModule(r.top, dir)
	if err != nil {
		return o, err
	}
	o.fate = fateSurvived
	for i, pkg := range r.order(m) {
		binary, err := testBinary(ctx, r.top, dir, pkg, replace)
		if err != nil {
			return o, err
		}
		for _, turn := range r.turns(m, pkg, i == 0) {
			turn.top, turn.pkg, turn.binary, turn.limit = copied, pkg, binary, r.limits[pkg]
			j, err := runTests(ctx, turn)
			if err != nil {
				return o, err
			}
			if j.verdict != passed {
				o.fate, o.by, o.took = fateKilled, strings.TrimSuffix(pkg+"."+j.test, "."), time.Since(start)
				if j.verdict == timedOut {
					o.fate = fateTimeout
				}
				return o, nil
			}
		}
	}
	o.took = time.Since(start)
	return o, nil
}

// order is that of the list, but the last killer's package comes first.
func (r *runner) order(m mutant) []string {
	by := r.list.by(m)
	pkg, _ := m.lastKiller()
	if i := slices.Index(by, pkg); i > 0 {
		by = slices.Concat(by[i:i+1], by[:i], by[i+1:])
	}
	return by
}

// turns are the runs of one test binary: the last killer alone, then the tests that do without what is slow, such
// as a server, and at last all of them.
func (r *runner) turns(m mutant, pkg string, first bool) (turns []testRun) {
	if killed, test := m.lastKiller(); first && killed == pkg && test != "" {
		turns = append(turns, testRun{tests: "^" + test + "$"})
	}
	if os.Getenv(r.without) != "" {
		turns = append(turns, testRun{tests: r.tests, without: r.without})
	}
	return append(turns, testRun{tests: r.tests})
}

// lastKiller is the package and the test that killed a mutant in the recorded run.
func (m mutant) lastKiller() (pkg, test string) {
	dir, last := path.Split(m.Killer)
	name, test, _ := strings.Cut(last, ".")
	return dir + name, test
}

func (o outcome) String() string {
	note := o.by
	switch o.fate {
	case fateEquivalent:
		note = o.mutant.Equivalent
	case fateSurvived:
		note = o.mutant.Survives
	}
	return strings.TrimSpace(fmt.Sprintf("%-10s %s:%d %s %s: %s  (%s) %s", o.fate, o.site.File, o.site.Line,
		o.mutant.Func, o.mutant.Kind, o.mutant.Text, o.took.Round(time.Second/10), note))
}
