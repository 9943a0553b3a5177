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
// Everything is a child of the rig: it dies with the rig, however the rig ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// needs are what the tests cannot bring themselves. The order is that of starting.
var needs = []need{
	{"ORDERD_TEST_MYSQL", startMariaDB},
	{"ORDERD_TEST_REDIS", startRedis},
	{"ORDERD_TEST_ZOOKEEPER", startZooKeeper},
	{"ORDERD_TEST_CHROMIUM", findChromium},
}

// need is something that tests find through an environment variable.
type need struct {
	env string

	// provide returns the variable's value. What it starts keeps its files in dir, an empty folder,
	// is started by spawn, and answers when provide returns.
	provide func(ctx context.Context, dir string) (string, error)
}

// patience is how long the command may take to end after it was asked to.
const patience = 10 * time.Second

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: rig -- command [argument ...]")
		os.Exit(2)
	}
	// The kernel counts a child as orphaned when the thread that started it ends, so all of them are
	// started on the main thread, which ends last.
	runtime.LockOSThread()
	os.Exit(run(args))
}

// run runs a command with all that is needed and returns its exit code, 128 and the signal's number
// if a signal ended it, or 1 if it could not be started.
func run(args []string) int {
	code, err := runIn(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
	}
	return code
}

func runIn(args []string) (code int, err error) {
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
	env, err := provideAll(ctx, dir)
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
func provideAll(ctx context.Context, dir string) ([]string, error) {
	tmp := filepath.Join(dir, "tmp") // so that what tests forget is deleted, too
	if err := os.Mkdir(tmp, 0o711); err != nil {
		return nil, err
	}
	env := append(os.Environ(), "TMPDIR="+tmp)
	for _, n := range needs {
		if os.Getenv(n.env) != "" {
			continue
		}
		own := filepath.Join(dir, n.env)
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		value, err := n.provide(ctx, own)
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
