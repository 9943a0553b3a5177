//go:build linux

// Command rig starts the servers that the tests need, runs a command that finds them in its
// environment, and leaves no process and no file behind:
//
//	go run ./internal/rig -- go test ./...
//
// A variable that is set already is kept, so the tests can be pointed at another server:
//
//	ORDERD_TEST_MYSQL='root@tcp(127.0.0.1:3306)/' go run ./internal/rig -- go test ./...
//
// A cluster takes a while to start, so it is started only when it is named:
//
//	go run ./internal/rig -only ORDERD_TEST_GALERA -- go test ./engine/internal/cluster
//
// Everything is a child of the rig: it dies with the rig, however the rig ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// needs are what the tests cannot bring themselves. The order is that of starting.
var needs = []need{
	{env: "ORDERD_TEST_MYSQL", provide: startMariaDB},
	{env: "ORDERD_TEST_MYSQL56", provide: startMySQL56},
	{env: "ORDERD_TEST_REDIS", provide: startRedis},
	{env: "ORDERD_TEST_ZOOKEEPER", provide: startZooKeeper},
	{env: "ORDERD_TEST_CHROMIUM", provide: findChromium},
	{env: "ORDERD_TEST_GALERA", provide: startGalera, named: true},
}

// need is something that tests find through an environment variable.
type need struct {
	env string

	// provide returns the variable's value. What it starts keeps its files in dir, an empty folder,
	// is started by spawn, and answers when provide returns. An error of type absent is no failure:
	// the tests go on without.
	provide func(ctx context.Context, dir string) (string, error)

	named bool // is provided only when the command line names it
}

// absent says why there is something that the tests have to do without.
type absent string

func (a absent) Error() string { return string(a) }

// patience is how long the command may take to end after it was asked to.
const patience = 10 * time.Second

func main() {
	flags := flag.NewFlagSet("rig", flag.ExitOnError)
	only := flags.String("only", "", "the `variables` to provide, with commas between; without it all but a cluster")
	_ = flags.Parse(os.Args[1:]) // ends the rig by itself
	wanted, err := choose(*only)
	if err == nil && flags.NArg() == 0 {
		err = errors.New("usage: rig [-only VARIABLE,...] -- command [argument ...]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(2)
	}
	// The kernel counts a child as orphaned when the thread that started it ends, so all of them are
	// started on the main thread, which ends last.
	runtime.LockOSThread()
	os.Exit(run(flags.Args(), wanted))
}

// choose returns the needs that the command line wants.
func choose(only string) (wanted []need, err error) {
	names := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	for _, n := range needs {
		if slices.Contains(names, n.env) || len(names) == 0 && !n.named {
			wanted = append(wanted, n)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(wanted, func(n need) bool { return n.env == name }) {
			err = errors.Join(err, fmt.Errorf("nothing provides %s", name))
		}
	}
	return wanted, err
}

// run runs a command with all that is needed and returns its exit code, 128 and the signal's number
// if a signal ended it, or 1 if it could not be started.
func run(args []string, wanted []need) int {
	code, err := runIn(args, wanted)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
	}
	return code
}

func runIn(args []string, wanted []need) (code int, err error) {
	ctx, ignore := signal.NotifyContext(context.Background(), endings()...)
	defer ignore()
	if err := adoptOrphans(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "orderd-rig-")
	if err != nil {
		return 1, err
	}
	defer func() {
		killChildren()
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := os.Chmod(dir, 0o711); err != nil { // servers run as another user
		return 1, err
	}
	env, err := provideAll(ctx, dir, wanted)
	if err != nil {
		return 1, err
	}
	return command(ctx, args, env)
}

// endings are the signals that ask the rig to end, without those that nohup, say, had it ignore.
func endings() []os.Signal {
	return slices.DeleteFunc([]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
}

// provideAll returns the environment for the command.
func provideAll(ctx context.Context, dir string, wanted []need) ([]string, error) {
	tmp := filepath.Join(dir, "tmp") // so that what tests forget is deleted, too
	if err := os.Mkdir(tmp, 0o711); err != nil {
		return nil, err
	}
	env := append(os.Environ(), "TMPDIR="+tmp)
	for _, n := range wanted {
		if os.Getenv(n.env) != "" {
			continue
		}
		own := filepath.Join(dir, n.env)
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		value, err := n.provide(ctx, own)
		if why, ok := errors.AsType[absent](err); ok {
			fmt.Fprintf(os.Stderr, "rig: there is no %s: %s\n", n.env, why)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.env, err)
		}
		env = append(env, n.env+"="+value)
	}
	return env, nil
}

func command(ctx context.Context, args, env []string) (int, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	ended, err := spawn(cmd)
	if err != nil {
		return 1, err
	}
	err = <-ended
	if cmd.ProcessState == nil {
		return 1, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil // which says all that err does
}
