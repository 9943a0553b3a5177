//go:build linux

// Package outage gives a test a MariaDB of its own, to make it go away, hang, refuse or run out of disk, and
// come back.
package outage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/mysqldb"
)

// startMax is how long the server may take until it answers; much, because the machine may be busy.
const startMax = time.Minute

// Server is a MariaDB that is as durable as one that takes orders must be.
type Server struct {
	tb     testing.TB
	dir    string
	port   int
	binlog string // folder of the binary log
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
}

// Start starts a server that ends with the test. binlogSize, if not 0, is how many bytes its binary log has
// room for. The test is skipped where tests have no server of the MySQL family at all, without MariaDB, and
// without the right to mount what is so small.
func Start(tb testing.TB, binlogSize int) *Server {
	tb.Helper()
	if os.Getenv(enginetest.MySQLEnv) == "" {
		tb.Skipf("no servers: %s is not set (make test starts one)", enginetest.MySQLEnv)
	}
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		tb.Skip("mariadb-install-db is not installed (Debian's package mariadb-server-core has it)")
	}
	dir, err := os.MkdirTemp("", "outage-")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, dir: dir, binlog: filepath.Join(dir, "binlog")}
	tb.Cleanup(func() {
		s.Kill()
		if binlogSize > 0 {
			_ = syscall.Unmount(s.binlog, 0) // fails if it was not mounted
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("remove the server's files: %v", err)
		}
	})
	if err := errors.Join(os.Mkdir(s.binlog, 0o700), os.Chmod(s.binlog, 0o777)); err != nil {
		tb.Fatal(err)
	}
	if binlogSize > 0 {
		if err := syscall.Mount("tmpfs", s.binlog, "tmpfs", 0, "mode=777,size="+strconv.Itoa(binlogSize)); err != nil {
			tb.Skipf("a small file system cannot be mounted here: %v", err)
		}
	}
	prepare := exec.Command(install, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--skip-test-db",
		"--skip-name-resolve", "--auth-root-authentication-method=normal")
	if err := s.confine(prepare); err != nil {
		tb.Fatal(err)
	}
	if out, err := prepare.CombinedOutput(); err != nil {
		tb.Fatalf("prepare the server: %v\n%s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		tb.Fatal(err)
	}
	s.Run()
	s.Exec("CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	s.Exec("CREATE USER shop@'127.0.0.1'")
	s.Exec("GRANT ALL ON shop.* TO shop@'127.0.0.1'") // no right to write while the server is read-only
	return s
}

// confine makes root's command work as a user without rights.
func (s *Server) confine(cmd *exec.Cmd) error {
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "TMPDIR="+s.dir)
	if os.Geteuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, err1 := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(nobody.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(s.dir, int(uid), int(gid))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Run starts the server, anew after Kill, and returns when it answers.
func (s *Server) Run() {
	s.tb.Helper()
	mariadbd, err := exec.LookPath("mariadbd")
	if err != nil {
		mariadbd = "/usr/sbin/mariadbd" // in the search path of root only
	}
	s.cmd = exec.Command(mariadbd, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
		"--log-error="+filepath.Join(s.dir, "error.log"), "--bind-address=127.0.0.1", "--port="+strconv.Itoa(s.port),
		"--skip-name-resolve", "--socket="+filepath.Join(s.dir, "socket"), "--pid-file="+filepath.Join(s.dir, "pid"),
		"--character-set-server=utf8mb4", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=1",
		"--log-bin="+filepath.Join(s.binlog, "log"), "--server-id=1", "--sync-binlog=1")
	if err := s.confine(s.cmd); err != nil {
		s.tb.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatalf("start the server: %v", err)
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() {
		_ = cmd.Wait() // killed, as a rule
		close(ended)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	for err = s.try(ctx, "SELECT 1"); err != nil; err = s.try(ctx, "SELECT 1") {
		select {
		case <-ended:
			s.tb.Fatalf("the server ended before it answered: %v\n%s", err, s.log())
		case <-ctx.Done():
			s.tb.Fatalf("the server does not answer: %v\n%s", err, s.log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) log() []byte {
	text, err := os.ReadFile(filepath.Join(s.dir, "error.log"))
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-4000):]
}

// DSN is for a user who has all rights in the database shop, and none elsewhere. Who asks waits for an answer
// no longer than timeout.
func (s *Server) DSN(timeout time.Duration) string {
	return fmt.Sprintf("shop@tcp(127.0.0.1:%d)/shop?timeout=%s&readTimeout=%s&writeTimeout=%s", s.port, timeout, timeout, timeout)
}

// Exec runs a statement as root.
func (s *Server) Exec(statement string) {
	s.tb.Helper()
	if err := s.try(context.Background(), statement); err != nil {
		s.tb.Fatalf("%s: %v", statement, err)
	}
}

func (s *Server) try(ctx context.Context, statement string) error {
	db, err := mysqldb.Open(fmt.Sprintf("root@tcp(127.0.0.1:%d)/mysql?timeout=2s&readTimeout=20s", s.port))
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, statement)
	return errors.Join(err, pool.Close())
}

// Kill is kill -9. A server that has ended is left alone.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill() // also one that is frozen; fails if it has ended
	<-s.ended
}

// Freeze makes the server hang: it keeps its connections and answers nothing.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets it go on where it hung.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(which os.Signal) {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(which); err != nil {
		s.tb.Fatalf("%v: %v", which, err)
	}
}

// FillDisk leaves no room for the binary log; EmptyDisk takes that back.
func (s *Server) FillDisk() {
	s.tb.Helper()
	f, err := os.Create(s.filler())
	if err != nil {
		s.tb.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.tb.Fatalf("fill the disk: %v", err)
	}
	_ = f.Close() // it is full
}

// EmptyDisk makes room again.
func (s *Server) EmptyDisk() {
	s.tb.Helper()
	if err := os.Remove(s.filler()); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *Server) filler() string { return filepath.Join(s.binlog, "filler") }
