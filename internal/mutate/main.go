//go:build unix

// Command mutate changes the source in one small place after another, each a slip that people make, and says
// which of these mutants no test notices:
//
//	go run ./internal/rig -- go run ./internal/mutate
//
// What it changes is a fixed list, so the figure can be repeated. The working tree stays as it is: the go
// command gets each mutant as an overlay.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// wanted is how many of a hundred mutants the tests must kill.
const wanted = 85

type options struct {
	top, list string
	workers   int
	floor     time.Duration

	sample      int
	only, tests string
	without     string
	record      bool

	generate, sites bool
	size            int
	seed            string
}

func main() { os.Exit(run(os.Args[1:])) }

// run returns the exit code: 2 if the arguments are wrong, 1 if too many mutants survive.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(args)
	if err != nil {
		return 2
	}
	good, err := o.do(ctx, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	if err != nil || !good {
		return 1
	}
	return 0
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.StringVar(&o.top, "top", ".", "the module's top folder")
	flags.StringVar(&o.list, "list", "internal/mutate/mutants.txt", "the list of mutants")
	flags.IntVar(&o.workers, "workers", runtime.NumCPU(), "mutants at a time")
	flags.DurationVar(&o.floor, "floor", time.Minute, "the least time that a package's tests get")
	flags.IntVar(&o.sample, "sample", 0, "try only so many, spread over the list")
	flags.StringVar(&o.only, "only", "", "try only those whose line in the list matches this regular expression")
	flags.StringVar(&o.tests, "run", "", "run only tests whose name matches this regular expression")
	flags.StringVar(&o.without, "without", "ORDERD_TEST_MYSQL",
		"let tests run without this environment variable first, which is faster")
	flags.BoolVar(&o.record, "record", false, "write into the list which test killed which mutant")
	flags.BoolVar(&o.generate, "generate", false, "bring the list up to date with the source, and run nothing")
	flags.BoolVar(&o.sites, "sites", false, "show all places that -only matches as lines of a list, and run nothing")
	flags.IntVar(&o.size, "size", 250, "with -generate: the mutants of the list")
	flags.StringVar(&o.seed, "seed", "1", "with -generate and -sample: what the choice depends on")
	return o, flags.Parse(args)
}

// do returns whether enough mutants were killed.
func (o options) do(ctx context.Context, out io.Writer) (bool, error) {
	l, err := readList(o.list)
	if err != nil {
		return false, err
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return false, err
	}
	switch {
	case o.generate:
		err := generate(ctx, o.top, l, o.size, o.seed)
		return err == nil, errors.Join(err, l.write(o.list)) // what was found is not looked for again
	case o.sites:
		all, err := l.allSites(o.top)
		for _, s := range all {
			if only.MatchString(s.String()) {
				_, _ = fmt.Fprintf(out, "# %s:%d\n%s\n", s.File, s.Line, s.identity)
			}
		}
		return true, err
	}
	return o.run(ctx, l, only, out)
}

func (o options) run(ctx context.Context, l *list, only *regexp.Regexp, out io.Writer) (bool, error) {
	r := &runner{top: o.top, list: l, workers: o.workers, floor: o.floor, tests: o.tests, without: o.without,
		report: func(format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }}
	chosen := o.choose(l, only)
	if len(chosen) == 0 {
		return false, fmt.Errorf("no mutant of %s is meant", o.list)
	}
	outcomes, err := r.run(ctx, chosen)
	if o.record { // also what a run has found that was cut short
		l.record(outcomes)
		err = errors.Join(err, l.write(o.list))
	}
	if err != nil {
		return false, err
	}
	text, good := summary(l, outcomes)
	r.report("%s", text)
	return good, nil
}

// choose returns the mutants that the flags mean.
func (o options) choose(l *list, only *regexp.Regexp) []mutant {
	var chosen []mutant
	for _, m := range l.Mutants {
		if only.MatchString(m.String()) {
			chosen = append(chosen, m)
		}
	}
	if o.sample <= 0 || o.sample >= len(chosen) {
		return chosen
	}
	slices.SortFunc(chosen, func(a, b mutant) int {
		if rank(o.seed, a.identity) < rank(o.seed, b.identity) {
			return -1
		}
		return 1
	})
	return chosen[:o.sample]
}
