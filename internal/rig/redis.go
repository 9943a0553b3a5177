//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// startRedis starts a Redis that keeps nothing on disk and returns its URL. Debian's package redis-tools
// has the server as well: what it is, it learns from the name it is started by. The package redis-server
// would also start one of the machine's own.
func startRedis(ctx context.Context, dir string) (string, error) {
	program, err := find("redis-check-rdb", "redis-tools")
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	log := filepath.Join(dir, "redis.log")
	server := exec.Command(program, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "",
		"--appendonly", "no", "--dir", dir, "--logfile", log)
	server.Args[0] = "redis-server"
	if err := confine(server, dir); err != nil {
		return "", err
	}
	ended, err := spawn(server)
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := await(ctx, ended, func() error { return replies(addr, "PING\r\n", "+PONG\r\n") }); err != nil {
		return "", errors.Join(err, tail(log))
	}
	go mourn("Redis", ended, log)
	return "redis://" + addr, nil
}

// replies fails unless a server at addr answers what it should.
func replies(addr, say, want string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(say)); err != nil {
		return err
	}
	answer := make([]byte, len(want))
	if n, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("%s answers %q: %w", addr, answer[:n], err)
	}
	if string(answer) != want {
		return fmt.Errorf("%s answers %q", addr, answer)
	}
	return nil
}
