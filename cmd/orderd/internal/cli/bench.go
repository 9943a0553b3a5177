package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"example.com/orderd/cmd/orderd/internal/bench"
)

// Bench measures the engine beside what people write by hand.
type Bench struct {
	Transitions BenchTransitions `cmd:"" help:"Orders move step by step, each by one caller."`
	Duplicates  BenchDuplicates  `cmd:"" help:"An event that has happened is asked for again and again."`
	Hot         BenchHot         `cmd:"" help:"Everybody moves the same order, through one daemon and through two."`
	Transfers   BenchTransfers   `cmd:"" help:"Money leaves one hot account for many others."`
	HTTP        BenchHTTP        `cmd:"" name:"http" help:"Transitions through the API of a daemon of its own."`
	Growth      BenchGrowth      `cmd:"" help:"Transitions in tables of different sizes."`
}

// BenchTransitions lets orders move step by step.
type BenchTransitions struct{ benchRun }

// BenchDuplicates asks for what has happened.
type BenchDuplicates struct{ benchRun }

// BenchHot moves one order.
type BenchHot struct{ benchRun }

// BenchTransfers moves money.
type BenchTransfers struct{ benchRun }

// BenchHTTP goes through the API.
type BenchHTTP struct{ benchRun }

// BenchGrowth compares sizes of tables.
type BenchGrowth struct {
	benchRun
	Orders []int `default:"10000,1000000,10000000" placeholder:"N,…" help:"Sizes of the table."`
}

// Run is the command.
func (c *BenchTransitions) Run(e *Env, g *Globals) error {
	return c.run(e, g, bench.Transitions, nil, 1, 64, 256, 1024)
}

// Run is the command.
func (c *BenchDuplicates) Run(e *Env, g *Globals) error {
	return c.run(e, g, bench.Duplicates, nil, 64)
}

// Run is the command.
func (c *BenchHot) Run(e *Env, g *Globals) error { return c.run(e, g, bench.Hot, nil, 64) }

// Run is the command.
func (c *BenchTransfers) Run(e *Env, g *Globals) error {
	return c.run(e, g, bench.Transfers, nil, 256)
}

// Run is the command.
func (c *BenchHTTP) Run(e *Env, g *Globals) error { return c.run(e, g, bench.HTTP, nil, 64) }

// Run is the command.
func (c *BenchGrowth) Run(e *Env, g *Globals) error { return c.run(e, g, bench.Growth, c.Orders, 256) }

// Help has the example.
func (Bench) Help() string {
	return `Measures in a database of its own, on the server (or in the folder) that --db names, and drops it after.
Contenders take turns in every round; what counts are the ratios within a round, as min, median and max.
The run ends with verify: figures of a run that does not verify are not printed, and the exit code is 1.

Example: orderd bench transitions --db 'mysql:root@unix(/run/mysqld/mysqld.sock)/mysql' --callers 1,64,256,1024 --plot plot.svg`
}

// benchRun is what all benches are told.
type benchRun struct {
	Callers    []int   `placeholder:"N,…" help:"How many ask at once. Default 1,64,256,1024 for transitions, 256 for transfers and growth, else 64."`
	Rounds     int     `default:"3" help:"How often every contender has its turn."`
	Seconds    float64 `default:"3" help:"Length of one turn."`
	Plot       string  `type:"path" placeholder:"FILE.svg" help:"Draw callers against requests per second."`
	CPUProfile string  `name:"cpuprofile" type:"path" placeholder:"FILE" help:"Write a CPU profile of this process."`
	MemProfile string  `name:"memprofile" type:"path" placeholder:"FILE" help:"Write a profile of this process's allocations."`
}

func (c *benchRun) run(e *Env, g *Globals, kind bench.Kind, sizes []int, callers ...int) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if len(c.Callers) > 0 {
		callers = c.Callers
	}
	progress, done := benchBar(g)
	o := bench.Options{
		DB: g.DB, Callers: callers, Rounds: c.Rounds, Time: time.Duration(c.Seconds * float64(time.Second)),
		Orders: sizes, Program: program, Progress: progress,
	}
	stop, err := c.profile()
	if err != nil {
		return err
	}
	report, failed := bench.Run(e.Context, kind, o)
	done()
	if err := stop(); err != nil {
		return err
	}
	if errors.Is(failed, bench.ErrOptions) {
		return usage(failed)
	}
	if report == nil {
		return failed
	}
	if c.Plot != "" && failed == nil {
		if err := os.WriteFile(c.Plot, []byte(report.Plot()), 0o644); err != nil { //nolint:gosec // a picture for everybody
			return fmt.Errorf("the plot: %w", err)
		}
	}
	err = e.print(g, report, func(w *tabwriter.Writer) { tellBench(w, report) })
	if errors.Is(failed, bench.ErrNotVerified) {
		return errors.Join(err, ErrTold)
	}
	return errors.Join(err, failed)
}

// profile starts what was asked for; stop ends and writes it.
func (c *benchRun) profile() (stop func() error, err error) {
	var stops []func() error
	if c.CPUProfile != "" {
		f, err := os.Create(c.CPUProfile)
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		stops = append(stops, func() error { pprof.StopCPUProfile(); return f.Close() })
	}
	if c.MemProfile != "" {
		stops = append(stops, func() error {
			f, err := os.Create(c.MemProfile)
			if err != nil {
				return err
			}
			runtime.GC() // so that the profile is up to date
			return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
		})
	}
	return func() error {
		var errs []error
		for _, f := range slices.Backward(stops) {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}, nil
}

// tellBench writes a report for a person: the ratios, then what they were made of.
func tellBench(w *tabwriter.Writer, r *bench.Report) {
	say(w, fmt.Sprintf("%s on %s, %d CPUs, %s, %d rounds of %gs", r.Bench, r.Server, r.Machine.CPUs, r.Machine.Go,
		r.Rounds, r.Seconds))
	_ = w.Flush() // keeps its error until the last one
	if r.Verify.Findings > 0 {
		say(w, fmt.Sprintf("No figures: after the run, %d things do not verify.", r.Verify.Findings))
		for _, f := range r.Verify.First {
			say(w, "  "+f)
		}
		return
	}
	say(w, "")
	say(w, "RATIO", "CALLERS", "AGAINST", "MIN", "MEDIAN", "MAX", "TARGET")
	for _, x := range r.Ratios {
		goal := "-"
		if x.Target != 0 {
			sign, verdict := "≥", "met"
			if x.Below {
				sign = "≤"
			}
			if !x.Met() {
				verdict = "missed"
			}
			goal = fmt.Sprintf("%s %g %s", sign, x.Target, verdict)
		}
		say(w, x.Figure, x.Callers, x.Against, x.Min, x.Median, x.Max, goal)
	}
	_ = w.Flush()
	say(w, "")
	say(w, "CONTENDER", "CALLERS", "CONNS", "PER SECOND", "P50 ms", "P99 ms", "P999 ms", "CLIENT µs", "SERVER µs",
		"ROWS", "BYTES", "FLUSHES")
	for _, f := range r.Figures {
		say(w, f.Contender, f.Callers, or(f.Pool, "-"),
			fmt.Sprintf("%g (%g–%g)", f.PerSecond.Median, f.PerSecond.Min, f.PerSecond.Max), f.P50, f.P99, f.P999, f.ClientCPU, value(f.ServerCPU), value(f.Rows), value(f.Bytes), value(f.Flushes))
	}
	_ = w.Flush()
	say(w, "")
	say(w, fmt.Sprintf("CPU, rows, bytes and flushes are per request. Verified: %d transitions, no findings.", r.Verify.Transitions))
}

func value(f *float64) any {
	if f == nil {
		return "-"
	}
	return *f
}

// benchBar shows the turns where somebody is watching.
func benchBar(g *Globals) (progress func(done, about int64), done func()) {
	if g.JSON || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil, func() {}
	}
	b := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("turns"),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	return func(done, about int64) {
			b.ChangeMax64(max(about, done+1)) // full only at the end
			_ = b.Set64(done)                 // a terminal that has gone is no reason to stop
		}, func() {
			_ = b.Finish()
		}
}
