// Command orderd is an order service: an HTTP API, payment callbacks, workers, and the tools of the
// person who runs them. orderd --help explains all of it.
package main

import (
	"context"
	_ "embed" // the daemon's tables
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"example.com/orderd/cmd/orderd/internal/cli"
	"example.com/orderd/engine/schema"
)

//go:embed schema.sql
var ddl string

// tables is the daemon's own.
var tables = schema.Component{Name: "orderd", Version: 1, DDL: ddl}

// commands is the command line.
type commands struct {
	cli.Globals

	Serve   serve       `cmd:"" help:"Run the daemon."`
	Dev     dev         `cmd:"" help:"Run the daemon for development: own database file, demo data, fake payments."`
	Migrate cli.Migrate `cmd:"" help:"Create the tables, or bring them to the next version."`
	Verify  cli.Verify  `cmd:"" help:"Check every invariant on a live database."`
	Doctor  cli.Doctor  `cmd:"" help:"Look at the database's settings."`
	Machine cli.Machine `cmd:"" help:"Show, lint, draw and check definitions."`
	Order   cli.Order   `cmd:"" help:"Look at and move orders, on the database."`
	Message cli.Message `cmd:"" help:"Look at messages, and send them again."`
	Timer   cli.Timer   `cmd:"" help:"Look at timers, and try them again."`
	Webhook cli.Webhook `cmd:"" help:"Look after webhook endpoints and deliveries."`
	Key     cli.Key     `cmd:"" help:"Make and end API keys."`
	Bench   cli.Bench   `cmd:"" help:"Measure the engine beside what people write by hand."`
}

// garbagePercent trades memory for time: the daemon keeps little and makes much garbage, so that with
// Go's default of 100 a fifth of its time under load goes into collecting it. The bench runs as the
// daemon does, all contenders alike.
const garbagePercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var c commands
	line := kong.Parse(&c, kong.Name("orderd"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("An order service. "+cli.ExitHelp), kong.Exit(exit))
	err := line.Run(&cli.Env{Context: ctx, Out: os.Stdout, Now: time.Now, Schema: tables}, &c.Globals)
	stop()
	cli.Tell(os.Stderr, c.Globals, err)
	os.Exit(cli.ExitCode(err))
}

// exit turns kong's own code for a wrong command line into ours.
func exit(code int) {
	if code != cli.ExitDone {
		code = cli.ExitUsage
	}
	os.Exit(code)
}
