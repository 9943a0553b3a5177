//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
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
	if os.Geteuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, int(uid), int(gid))
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
