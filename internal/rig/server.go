//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// What the files of all servers share.

// startMax is how long a server may take until it answers; much, because the machine may be busy.
const startMax = time.Minute

// freePort returns a TCP port of the loopback interface on which nobody listens.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// steadyPorts returns n ports of the loopback interface on which nobody listens, below those that the
// kernel hands out to whoever wants any: a server that is started again finds its own still free.
func steadyPorts(n int) (ports []int, err error) {
	const first, last, tries = 20_000, 29_999, 1000
	for range tries {
		port := first + rand.IntN(last-first+1)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // not before all are found
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d ports are free between %d and %d", n, first, last)
}

// await tries until the server answers. It gives up when the server or ctx ends, or after startMax.
func await(ctx context.Context, ended <-chan error, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case end := <-ended:
			return fmt.Errorf("it ended before it answered: %w", errors.Join(end, err))
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", errors.Join(context.Cause(ctx), err))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// mourn tells of a server that ends while it is needed, because its log will be gone.
func mourn(name string, ended <-chan error, log string) {
	err := <-ended
	if !stopping.Load() {
		fmt.Fprintf(os.Stderr, "rig: %s ended while it was needed: %v\n", name, errors.Join(err, tail(log)))
	}
}

// confine makes a command work in dir, and root's command work as a user without rights, because a
// database must be unable to overwrite a file of root's.
//
// A command must not change its user by itself: that would undo what makes it die with the rig.
func confine(cmd *exec.Cmd, dir string) error {
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	as, err := unprivileged()
	if err != nil || as == nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return os.Chown(dir, int(as.Uid), int(as.Gid))
}

// unprivileged is the user whom root's servers work as, nil if the rig itself is not root's.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// give makes everything in dir the servers' own.
func give(dir string) error {
	as, err := unprivileged()
	if err != nil || as == nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(as.Uid), int(as.Gid))
	})
}

// output runs a command to its end. Its output is part of the error, and else of no interest.
func output(cmd *exec.Cmd) error {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended, err := spawn(cmd)
	if err == nil {
		err = <-ended
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out.Bytes())
	}
	return nil
}

// tail returns the end of a server's log as an error.
func tail(log string) error {
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	const most = 4000
	return fmt.Errorf("%s:\n%s", log, text[max(0, len(text)-most):])
}
