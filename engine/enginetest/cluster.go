package enginetest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine/mysqldb"
)

// GaleraEnv names the variable that holds DSNs of the nodes of a Galera cluster, with commas between:
// MariaDBs each of which takes writes. A node that is killed must come back by itself.
const GaleraEnv = "ORDERD_TEST_GALERA"

// returnMax is how long a node may take to come back, and returnPause how often it is asked.
const (
	returnMax   = 90 * time.Second
	returnPause = 50 * time.Millisecond
)

// Cluster is a fresh database on every node of the cluster of GaleraEnv.
type Cluster struct {
	DSNs  []string // of the database, one for each node
	nodes []*sql.DB
}

// Galera returns an empty database on a whole cluster. When the test ends it is dropped, and the cluster
// is whole again. Without a cluster the test is skipped.
func Galera(tb testing.TB) *Cluster {
	tb.Helper()
	list := os.Getenv(GaleraEnv)
	if list == "" {
		tb.Skipf("no Galera cluster: %s is not set (make cluster starts one)", GaleraEnv)
	}
	c, name := &Cluster{}, "test_"+randomName()
	for dsn := range strings.SplitSeq(list, ",") {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			tb.Fatalf("%s: %v", GaleraEnv, err)
		}
		cfg.DBName, cfg.Logger, cfg.Timeout, cfg.ReadTimeout = "", &mysql.NopLogger{}, 5*time.Second, 30*time.Second
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			tb.Fatalf("%s: %v", GaleraEnv, err)
		}
		node := sql.OpenDB(connector)
		tb.Cleanup(func() { _ = node.Close() })
		c.nodes = append(c.nodes, node)
		cfg.DBName = name
		c.DSNs = append(c.DSNs, cfg.FormatDSN())
	}
	c.AwaitWhole(tb)
	c.exec(tb, 0, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
	tb.Cleanup(func() {
		for n := range c.nodes {
			c.Rejoin(tb, n)
		}
		c.AwaitWhole(tb)
		c.exec(tb, 0, "DROP DATABASE "+name)
	})
	c.Settle(tb)
	return c
}

// Open opens the database as each node has it, with the engine's tables.
func (c *Cluster) Open(tb testing.TB, opts ...mysqldb.Option) []*gorm.DB {
	tb.Helper()
	var all []*gorm.DB
	for _, dsn := range c.DSNs {
		db, err := mysqldb.Open(dsn, opts...)
		if err != nil {
			tb.Fatalf("open a node: %v", err)
		}
		closeAtEnd(tb, db)
		all = append(all, db)
	}
	migrate(tb, all[0])
	c.Settle(tb)
	return all
}

// Settle waits until every node has carried out what any node has committed.
func (c *Cluster) Settle(tb testing.TB) {
	tb.Helper()
	for n, node := range c.nodes {
		if err := settle(node); err != nil {
			tb.Fatalf("node %d does not settle: %v", n, err)
		}
	}
}

func settle(node *sql.DB) error {
	ctx := context.Background()
	conn, err := node.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for _, statement := range []string{"SET SESSION wsrep_sync_wait = 1", "START TRANSACTION", "ROLLBACK",
		"SET SESSION wsrep_sync_wait = DEFAULT"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Isolate cuts a node off from the others, and returns when they go on without it. It then refuses all
// work.
func (c *Cluster) Isolate(tb testing.TB, n int) {
	tb.Helper()
	before := c.configuration(tb, n)
	c.exec(tb, n, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
	c.awaitLeft(tb, n, before)
}

// Rejoin lets a node back that was isolated. AwaitWhole tells when it has caught up.
func (c *Cluster) Rejoin(tb testing.TB, n int) {
	tb.Helper()
	c.exec(tb, n, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
}

// Kill ends a node as the loss of its machine would, and returns when the others go on without it. The
// node must run on this machine; otherwise the test is skipped.
func (c *Cluster) Kill(tb testing.TB, n int) {
	tb.Helper()
	var file string
	if err := c.nodes[n].QueryRowContext(context.Background(), "SELECT @@pid_file").Scan(&file); err != nil {
		tb.Fatalf("ask node %d for its process: %v", n, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Skipf("node %d does not run here, or is not this user's to kill: %v", n, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		tb.Fatalf("%s holds %q", file, text)
	}
	before := c.configuration(tb, n)
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		tb.Fatalf("kill node %d: %v", n, err)
	}
	c.awaitLeft(tb, n, before)
}

// AwaitWhole waits until every node takes part in the cluster.
func (c *Cluster) AwaitWhole(tb testing.TB) {
	tb.Helper()
	for n := range c.nodes {
		c.await(tb, n, func(s status) bool { return s.state == "Synced" && s.part == "Primary" && s.size == len(c.nodes) })
	}
}

// configuration is the number of the cluster's make-up, as the other nodes than n see it.
func (c *Cluster) configuration(tb testing.TB, n int) int64 {
	tb.Helper()
	s, err := c.status((n + 1) % len(c.nodes))
	if err != nil {
		tb.Fatalf("ask for the make-up of the cluster: %v", err)
	}
	return s.configuration
}

// awaitLeft waits until the others have a make-up without n. By then it may be back.
func (c *Cluster) awaitLeft(tb testing.TB, n int, before int64) {
	tb.Helper()
	for other := range c.nodes {
		if other != n {
			c.await(tb, other, func(s status) bool { return s.part == "Primary" && s.configuration > before })
		}
	}
}

// status is what a node says of itself.
type status struct {
	state         string // "Synced" if it takes part
	part          string // "Primary" if it is with most of the others
	size          int    // nodes in its part
	configuration int64  // grows with every change of the make-up
}

func (c *Cluster) await(tb testing.TB, n int, is func(status) bool) {
	tb.Helper()
	deadline := time.Now().Add(returnMax)
	for {
		s, err := c.status(n)
		if err == nil && is(s) {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("node %d does not get there: %+v, %v", n, s, err)
		}
		time.Sleep(returnPause)
	}
}

func (c *Cluster) status(n int) (s status, err error) {
	rows, err := c.nodes[n].QueryContext(context.Background(), "SHOW GLOBAL STATUS LIKE 'wsrep%'")
	if err != nil {
		return status{}, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return status{}, err
		}
		switch strings.ToLower(name) {
		case "wsrep_local_state_comment":
			s.state = value
		case "wsrep_cluster_status":
			s.part = value
		case "wsrep_cluster_size":
			s.size, err = strconv.Atoi(value)
		case "wsrep_cluster_conf_id":
			s.configuration, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return status{}, fmt.Errorf("%s is %q: %w", name, value, err)
		}
	}
	return s, rows.Err()
}

// exec tries again for a node that is just coming back.
func (c *Cluster) exec(tb testing.TB, n int, statement string) {
	tb.Helper()
	deadline := time.Now().Add(returnMax)
	for {
		_, err := c.nodes[n].ExecContext(context.Background(), statement)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("node %d: %s: %v", n, statement, err)
		}
		time.Sleep(returnPause)
	}
}
