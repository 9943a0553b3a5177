package cli

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/verify"
)

// Verify walks every invariant on a live database.
type Verify struct {
	Max int `default:"1000" placeholder:"N" help:"List at most so many findings; all are counted."`
}

// Help has the example.
func (Verify) Help() string {
	var b strings.Builder
	b.WriteString("Looks for rows that no history of requests can explain. It only reads, and the daemon may go on working.\n" +
		"Exits with 0 if there are none, with 1 if there are, with 3 if it could not finish.\n\n" +
		"Example: orderd verify --db sqlite:shop.db\n\nWhat it checks:\n")
	for _, i := range verify.Invariants() {
		fmt.Fprintf(&b, "\n%s: %s.\n", i.ID, i.Text)
	}
	return b.String()
}

// verified is a report as JSON.
type verified struct {
	Finished bool `json:"finished"`
	verify.Report
	Seconds float64 `json:"seconds"`
}

// Run is the command.
func (c *Verify) Run(e *Env, g *Globals) error {
	if c.Max < 1 {
		return usage(fmt.Errorf("--max %d: want at least 1", c.Max))
	}
	db, err := e.open(g)
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	progress, done := bar(g)
	report, unfinished := verify.Run(e.Context, db.Gorm, verify.Options{
		Machines: database.Machines(), Extra: database.Checks(), MaxFindings: c.Max, Progress: progress,
	})
	done()
	if report.Findings == nil {
		report.Findings = []verify.Finding{}
	}
	shown := verified{Finished: unfinished == nil, Report: report, Seconds: report.Took.Seconds()}
	err = e.print(g, shown, func(w *tabwriter.Writer) { tell(w, shown) })
	switch {
	case unfinished != nil:
		return fmt.Errorf("could not finish: %w", unfinished)
	case err == nil && report.Total > 0:
		return ErrTold
	}
	return err
}

// tell writes a report for a person: the findings, what they mean, and what was looked at.
func tell(w *tabwriter.Writer, r verified) {
	broken := map[string]bool{}
	if len(r.Findings) > 0 {
		say(w, "INVARIANT", "MACHINE", "SUBJECT", "VERSION", "FINDING")
	}
	for _, f := range r.Findings {
		broken[f.Invariant] = true
		say(w, f.Invariant, or(f.Machine, "-"), or(f.Subject, "-"), or(f.Version, "-"), f.Text)
	}
	_ = w.Flush() // keeps its error until the last one
	for _, i := range verify.Invariants() {
		if broken[i.ID] {
			say(w, i.ID+" says: "+i.Text+".")
		}
	}
	if r.Truncated {
		say(w, fmt.Sprintf("Only the first %d findings are listed.", len(r.Findings)))
	}
	if len(r.Tableless) > 0 {
		say(w, "History without rows to compare it with, because this program does not have the machine: "+
			strings.Join(r.Tableless, ", ")+".")
	}
	until := ""
	if !r.Finished {
		until = " until it stopped"
	}
	say(w, fmt.Sprintf("Findings: %d. Looked at %d subjects, %d transitions, %d messages and %d attempts%s (%s).",
		r.Total, r.Subjects, r.Transitions, r.Messages, r.Attempts, until, r.Took.Round(time.Millisecond)))
	if r.Unhashed > 0 {
		say(w, fmt.Sprintf("%d transitions and attempts are older than hashes: what was changed in them shows only where "+
			"something else tells it.", r.Unhashed))
	}
}

// or is v, or a sign for its absence.
func or[T comparable](v T, none string) any {
	var zero T
	if v == zero {
		return none
	}
	return v
}

// bar shows the progress where somebody is watching.
func bar(g *Globals) (progress func(done, about int64), done func()) {
	if g.JSON || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil, func() {}
	}
	b := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription("transitions"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish())
	return func(done, about int64) {
			b.ChangeMax64(max(about, done+1)) // full only at the end
			_ = b.Set64(done)                 // a terminal that has gone is no reason to stop
		}, func() {
			_ = b.Finish()
		}
}
