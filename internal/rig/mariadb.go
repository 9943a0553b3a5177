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

// startMariaDB starts a MariaDB that is as durable as one that takes orders must be, and returns a
// DSN of go-sql-driver for a user who may do everything.
func startMariaDB(ctx context.Context, dir string) (string, error) {
	install, err := find("mariadb-install-db", "mariadb-server-core")
	if err != nil {
		return "", err
	}
	mariadbd, err := find("mariadbd", "mariadb-server-core")
	if err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	data, log := filepath.Join(dir, "data"), filepath.Join(dir, "error.log")

	prepare := exec.CommandContext(ctx, install, "--no-defaults", "--datadir="+data, "--skip-test-db",
		"--skip-name-resolve", "--auth-root-authentication-method=normal")
	if err := confine(prepare, dir); err != nil {
		return "", err
	}
	if err := output(prepare); err != nil {
		return "", err
	}

	server := exec.Command(mariadbd, "--no-defaults", "--datadir="+data, "--log-error="+log,
		"--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--skip-name-resolve",
		"--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"),
		"--character-set-server=utf8mb4", "--max-connections=1500",
		"--innodb-buffer-pool-size=512M", "--innodb-flush-log-at-trx-commit=1",
		"--log-bin=binlog", "--server-id=1", "--sync-binlog=1")
	if err := confine(server, dir); err != nil {
		return "", err
	}
	ended, err := spawn(server)
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := await(ctx, ended, func() error { return greets(addr) }); err != nil {
		return "", errors.Join(err, tail(log))
	}
	go mourn("MariaDB", ended, log)
	return fmt.Sprintf("root@tcp(%s)/", addr), nil
}

// greets fails unless a server of the MySQL family greets those who connect to addr.
func greets(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	greeting := make([]byte, 5) // length of the packet, its number, version of the protocol
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return err
	}
	if greeting[4] != 10 {
		return fmt.Errorf("%s answers %q, which is not how MySQL greets", addr, greeting)
	}
	return nil
}
