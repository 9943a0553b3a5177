//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	galeraNodes    = 3
	galeraProvider = "/usr/lib/galera/libgalera_smm.so"

	// galeraScripts is where make keeps the scripts with which a node copies another's files, seen
	// from the root of the checkout. Debian has them in a package that would start a server.
	galeraScripts = ".cache/galera"

	// restartsMax bounds how often a node is started again, and restartPause how soon: after the others
	// have seen that it is gone.
	restartsMax  = 20
	restartPause = 5 * time.Second
)

// galera is a cluster of MariaDBs each of which takes writes, and every write is every node's.
type galera struct {
	dir     string
	path    string // where nodes find programs, as in PATH
	server  string // path of mariadbd
	client  string // path of mariadb
	members string // addresses of the nodes
	nodes   []*galeraNode
}

type galeraNode struct {
	*galera
	name string
	dir  string

	// Ports for SQL, for the group, and for receiving what was missed and whole copies.
	sql, group, missed, copies int
}

// startGalera starts a cluster and returns DSNs of its nodes with commas between, for a user who may
// do everything. A node that ends, or is killed, is started again and catches up with the others.
func startGalera(ctx context.Context, dir string) (string, error) {
	c, err := newGalera(dir)
	if err != nil {
		return "", err
	}
	if err := c.seed(ctx); err != nil {
		return "", fmt.Errorf("make the first state: %w", err)
	}
	var dsns []string
	for i, n := range c.nodes {
		members := c.members
		if i == 0 {
			members = "" // of a cluster that is founded here
		}
		if err := c.nodes[i].join(ctx, members); err != nil {
			return "", fmt.Errorf("%s: %w", n.name, err)
		}
		dsns = append(dsns, fmt.Sprintf("root@tcp(127.0.0.1:%d)/", n.sql))
	}
	return strings.Join(dsns, ","), nil
}

func newGalera(dir string) (*galera, error) {
	c := &galera{dir: dir}
	var err error
	if c.server, err = find("mariadbd", "mariadb-server-core"); err != nil {
		return nil, err
	}
	if c.client, err = find("mariadb", "mariadb-client-core"); err != nil {
		return nil, err
	}
	if _, err := find("rsync", "rsync"); err != nil {
		return nil, err
	}
	if _, err := os.Stat(galeraProvider); err != nil {
		return nil, fmt.Errorf("%w (Debian's package galera-4 has it)", err)
	}
	scripts := filepath.Join(dir, "scripts") // the servers' user may not be able to reach the checkout
	if err := os.CopyFS(scripts, os.DirFS(galeraScripts)); err != nil {
		return nil, fmt.Errorf("%w (\"make %s\" fetches it)", err, galeraScripts)
	}
	c.path = filepath.Join(scripts, "usr", "bin") + ":/usr/sbin:/usr/bin:/sbin:/bin"
	const kinds = 4
	ports, err := steadyPorts(kinds * (galeraNodes + 1))
	if err != nil {
		return nil, err
	}
	var members []string
	for i := range galeraNodes + 1 {
		p := ports[kinds*i:]
		n := &galeraNode{galera: c, name: fmt.Sprintf("node%d", i), sql: p[0], group: p[1], missed: p[2], copies: p[3]}
		n.dir = filepath.Join(dir, n.name)
		c.nodes = append(c.nodes, n)
		members = append(members, fmt.Sprintf("127.0.0.1:%d", n.group))
	}
	c.members = strings.Join(members[1:], ",")
	return c, give(dir)
}

// seed founds a cluster of one node, node0, which ends in good order. The others begin with copies of
// its files: they have a position in the history of the cluster, so that they need only what they have
// missed. That takes a second; copying a running node's files takes ten.
func (c *galera) seed(ctx context.Context) error {
	first := c.nodes[0]
	c.nodes = c.nodes[1:]
	install, err := find("mariadb-install-db", "mariadb-server-core")
	if err != nil {
		return err
	}
	if err := c.run(ctx, "mkdir", first.dir); err != nil {
		return err
	}
	if err := c.run(ctx, install, "--no-defaults", "--datadir="+first.data(), "--skip-test-db",
		"--skip-name-resolve", "--auth-root-authentication-method=normal"); err != nil {
		return err
	}
	server, ended, err := first.start("", "")
	if err != nil {
		return err
	}
	if err := await(ctx, ended, first.synced); err != nil {
		return errors.Join(err, tail(first.log()))
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return errors.Join(err, tail(first.log()))
	}
	for _, n := range c.nodes {
		if err := c.run(ctx, "cp", "-a", first.dir, n.dir); err != nil {
			return err
		}
	}
	return nil
}

// run runs a program as the servers' user.
func (c *galera) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if err := confine(cmd, c.dir); err != nil {
		return err
	}
	return output(cmd)
}

// join starts a node, and whenever it ends starts it again. It returns when the node is in the cluster.
func (n *galeraNode) join(ctx context.Context, members string) error {
	up := make(chan error, 1)
	go func() {
		// What a thread has started dies with it, so this one must not end.
		runtime.LockOSThread()
		defer func() { select {} }()
		_, ended, err := n.start(members, "")
		if err == nil {
			err = await(ctx, ended, n.synced)
		}
		if err != nil {
			up <- errors.Join(err, tail(n.log()))
			return
		}
		up <- nil
		n.keep(ended)
	}()
	return <-up
}

// keep starts the node again whenever it ends.
func (n *galeraNode) keep(ended <-chan error) {
	for range restartsMax {
		err := <-ended
		if stopping.Load() {
			return
		}
		fmt.Fprintf(os.Stderr, "rig: %s ended (%v) and is started again\n", n.name, err)
		time.Sleep(restartPause)
		position, err := n.recover()
		if err == nil {
			_, ended, err = n.start(n.members, position)
		}
		if err != nil {
			if !stopping.Load() {
				fmt.Fprintf(os.Stderr, "rig: %s cannot be started again: %v\n", n.name, errors.Join(err, tail(n.log())))
			}
			return
		}
	}
	mourn(n.name, ended, n.log())
}

// start starts the node. Without members it founds a cluster. position is where in the cluster's
// history its files are, if that is known.
func (n *galeraNode) start(members, position string) (*exec.Cmd, <-chan error, error) {
	args := append(n.settings(members), "--log-error="+n.log())
	if position != "" {
		args = append(args, "--wsrep-start-position="+position)
	}
	cmd := exec.Command(n.server, args...)
	if err := confine(cmd, n.dir); err != nil {
		return nil, nil, err
	}
	cmd.Env = append(cmd.Env, "PATH="+n.path)
	ended, err := spawn(cmd)
	return cmd, ended, err
}

// settings are those of every start. A node that is killed loses no commit of which the others know,
// so it need not wait for its disk; that leaves the tests' time to the cluster.
func (n *galeraNode) settings(members string) []string {
	return []string{"--no-defaults", "--datadir=" + n.data(), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(n.sql),
		"--skip-name-resolve", "--socket=" + filepath.Join(n.dir, "socket"), "--pid-file=" + filepath.Join(n.dir, "pid"),
		"--character-set-server=utf8mb4", "--max-connections=500", "--innodb-buffer-pool-size=128M",
		"--innodb-flush-log-at-trx-commit=2", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
		"--wsrep-on=ON", "--wsrep-provider=" + galeraProvider, "--wsrep-cluster-name=orderd-rig",
		"--wsrep-cluster-address=gcomm://" + members, "--wsrep-node-name=" + n.name, "--wsrep-slave-threads=2",
		"--wsrep-node-address=127.0.0.1:" + strconv.Itoa(n.group),
		"--wsrep-sst-method=rsync", "--wsrep-sst-receive-address=127.0.0.1:" + strconv.Itoa(n.copies),
		fmt.Sprintf("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:%d;ist.recv_addr=127.0.0.1:%d;gcache.size=64M;"+
			"evs.suspect_timeout=PT3S;evs.inactive_timeout=PT6S;evs.inactive_check_period=PT0.5S", n.group, n.missed)}
}

func (n *galeraNode) data() string { return filepath.Join(n.dir, "data") }
func (n *galeraNode) log() string  { return filepath.Join(n.dir, "error.log") }

// synced fails unless the node takes part in the cluster.
func (n *galeraNode) synced() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, n.client, "--no-defaults", "--user=root", "--host=127.0.0.1", "--port="+strconv.Itoa(n.sql),
		"--connect-timeout=2", "--skip-column-names", "--execute=SHOW STATUS LIKE 'wsrep_local_state_comment'").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if !strings.Contains(string(out), "Synced") {
		return fmt.Errorf("its state is %q", out)
	}
	return nil
}

// positions are how a server that recovers says where in the cluster's history its files are.
var positions = regexp.MustCompile(`Recovered position: *([0-9a-f-]{36}:-?[0-9]+)`)

// recover returns where in the cluster's history the files of a node are that was killed.
func (n *galeraNode) recover() (string, error) {
	log := filepath.Join(n.dir, "recover.log")
	if err := os.Remove(log); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	if err := n.run(ctx, n.server, append(n.settings(n.members), "--log-error="+log, "--wsrep-recover")...); err != nil {
		return "", errors.Join(err, tail(log))
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return "", err
	}
	found := positions.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("it has no position: %w", tail(log))
	}
	return string(found[1]), nil
}
