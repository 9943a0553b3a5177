// Package bench measures the engine beside what people write by hand, on the same database, in the
// same minutes. Contenders take turns, so that what a noisy machine does to one it does to all, and
// what counts is the ratio within a round. Every run works in a database of its own, which is
// verified and then dropped; what does not verify is not reported.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Options says what to measure and how long.
type Options struct {
	DB      string        // as database.Open takes it; only the server, or the folder, is used
	Callers []int         // how many ask at once, each waiting for its answer
	Rounds  int           // how often every contender has its turn
	Time    time.Duration // of one turn
	Orders  []int         // sizes of the table, for Growth
	Program string        // the orderd program, for HTTP

	// Progress, if set, is told how many turns are done and how many there will be.
	Progress func(done, about int64)
}

// limits of what may be asked for.
const (
	callersMax = 4096
	roundsMax  = 100
	timeMax    = 10 * time.Minute
	ordersMax  = 100_000_000
)

func (o Options) check() error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	for _, n := range o.Callers {
		if n < 1 || n > callersMax {
			wrong("%d callers: want 1 to %d", n, callersMax)
		}
	}
	for _, n := range o.Orders {
		if n < 1000 || n > ordersMax {
			wrong("%d orders: want 1,000 to %d", n, ordersMax)
		}
	}
	if len(o.Callers) == 0 {
		wrong("how many callers?")
	}
	if o.Rounds < 1 || o.Rounds > roundsMax {
		wrong("%d rounds: want 1 to %d", o.Rounds, roundsMax)
	}
	if o.Time < 10*time.Millisecond || o.Time > timeMax {
		wrong("a turn of %s: want 10ms to %s", o.Time, timeMax)
	}
	return errors.Join(mistakes...)
}

// Kind is one kind of measurement.
type Kind string

// The kinds.
const (
	Transitions Kind = "transitions" // orders move step by step, each by one caller
	Duplicates  Kind = "duplicates"  // an event that has happened is asked for again and again
	Hot         Kind = "hot"         // everybody moves the same order
	Transfers   Kind = "transfers"   // money leaves one hot account
	HTTP        Kind = "http"        // transitions through the daemon's API
	Growth      Kind = "growth"      // transitions in tables of different sizes
)

// ErrNotVerified says that a run left a database that does not verify. The report then has findings
// and no figures.
var ErrNotVerified = errors.New("the database does not verify after the run: no figures")

// ErrOptions says that what was asked for makes no bench.
var ErrOptions = errors.New("this cannot be measured")

// Run measures. Whatever it makes on the server is gone when it returns, also after an error.
func Run(ctx context.Context, kind Kind, o Options) (report *Report, err error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	measure, known := map[Kind]func(context.Context, *run) error{
		Transitions: transitions, Duplicates: duplicates, Hot: hot, Transfers: transfers, HTTP: overHTTP, Growth: growth,
	}[kind]
	if !known {
		return nil, fmt.Errorf("there is no bench %q", kind)
	}
	r := &run{Options: o, report: &Report{
		Bench: kind, Rounds: o.Rounds, Seconds: o.Time.Seconds(),
		Machine: Machine{CPUs: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()},
	}}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := measure(ctx, r); err != nil {
		return nil, err
	}
	err = r.verify(ctx)
	if err != nil && !errors.Is(err, ErrNotVerified) {
		return nil, err // nobody knows what the ratios are worth
	}
	return r.report, err
}

// run is one measurement under way.
type run struct {
	Options
	report  *Report
	sites   []*site
	samples []sample
	turns   int64 // there will be
	done    int64
	closers []func() error
}

// atEnd remembers what has to be undone, the last first.
func (r *run) atEnd(f func() error) { r.closers = append(r.closers, f) }

func (r *run) close() error {
	var errs []error
	for _, f := range slices.Backward(r.closers) {
		errs = append(errs, f())
	}
	r.closers = nil
	return errors.Join(errs...)
}

// turn measures one contender once and keeps the sample.
func (r *run) turn(ctx context.Context, s *site, c contender, callers int) (sample, error) {
	got, err := measure(ctx, s, c, callers, r.Time)
	if err != nil {
		return sample{}, fmt.Errorf("%s with %d callers: %w", c.name(), callers, err)
	}
	r.samples = append(r.samples, got)
	r.done++
	if r.Progress != nil {
		r.Progress(r.done, max(r.turns, r.done))
	}
	return got, nil
}

// verify checks every database of the run and turns the samples into figures if it may.
func (r *run) verify(ctx context.Context) error {
	for _, s := range r.sites {
		if err := s.verify(ctx, r.report); err != nil {
			return err
		}
	}
	if r.report.Verify.Findings > 0 {
		r.report.Ratios, r.report.Figures = nil, nil
		return ErrNotVerified
	}
	r.report.Figures = figures(r.samples)
	return nil
}
