package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine"
	"example.com/orderd/engine/mysqldb"
	"example.com/orderd/engine/schema"
)

// Doctor looks at the database's settings.
type Doctor struct{}

// Help has the example.
func (Doctor) Help() string {
	return `Shows which server it is, how it isolates transactions, how it treats values that do not fit,
what it has on disk when a commit returns, whether transactions go in packets, and which tables are installed,
with a warning and a remedy where that is not what an order needs. Exits with 1 if orderd would refuse to run.

Example: orderd doctor --db sqlite:orderd-dev.db`
}

// Verdicts of a check.
const (
	good = "ok"
	warn = "warning"
	fail = "failure"
)

// check is one thing looked at.
type check struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Verdict string `json:"verdict"`
	Remedy  string `json:"remedy,omitempty"`
}

// Run is the command.
func (c *Doctor) Run(e *Env, g *Globals) error {
	db, err := database.OpenUnchecked(g.DB, database.Packets(g.Packets))
	if err != nil {
		return err
	}
	defer closeQuietly(db)
	if err := db.Pool.PingContext(e.Context); err != nil {
		return fmt.Errorf("the database does not answer: %w", err)
	}
	checks, err := examine(e.Context, db, e.Schema)
	if err != nil {
		return err
	}
	err = e.print(g, checks, func(w *tabwriter.Writer) {
		for _, c := range checks {
			say(w, c.Verdict, c.Name, c.Value, c.Remedy)
		}
	})
	if err == nil && slices.ContainsFunc(checks, func(c check) bool { return c.Verdict == fail }) {
		return ErrTold
	}
	return err
}

func examine(ctx context.Context, db *database.Database, own schema.Component) ([]check, error) {
	var checks []check
	var err error
	if db.Gorm.Name() == "sqlite" {
		checks, err = examineSQLite(ctx, db.Pool)
	} else {
		checks, err = examineMySQL(ctx, db.Pool)
	}
	if err != nil {
		return nil, err
	}
	if found, err := engine.CheckDatabase(ctx, db.Gorm); err != nil {
		checks = append(checks, check{"settings", "refused", fail, err.Error()})
	} else {
		checks = append(checks, check{"settings", "as needed", good, ""})
		if db.Gorm.Name() == "mysql" {
			checks = append(checks, packets(found))
		}
	}
	more, err := tables(ctx, db, own)
	return append(checks, more...), err
}

// tables says which versions are installed, whether this program may use them, and what is pending.
func tables(ctx context.Context, db *database.Database, own schema.Component) ([]check, error) {
	installed, err := schema.List(ctx, db.Gorm)
	if err != nil {
		return nil, err
	}
	if len(installed) == 0 {
		return []check{{"tables", "not installed", fail, "run orderd migrate"}}, nil
	}
	var checks []check
	for _, c := range database.Components(own) {
		i := slices.IndexFunc(installed, func(i schema.Installed) bool { return i.Component == c.Name })
		if i < 0 {
			checks = append(checks, check{"tables of " + c.Name, "not installed", fail, "run orderd migrate"})
			continue
		}
		have := "version " + strconv.Itoa(installed[i].Version)
		var mismatch *schema.VersionError
		if err := schema.Check(ctx, db.Gorm, c); errors.As(err, &mismatch) {
			checks = append(checks, check{"tables of " + c.Name, have + ", not those of this program", fail, mismatch.Error()})
			continue
		} else if err != nil {
			return nil, err
		}
		checks = append(checks, check{"tables of " + c.Name, have, good, ""})
		pending, err := schema.Plan(ctx, db.Gorm, c)
		if err != nil {
			return nil, err
		}
		for _, p := range pending {
			checks = append(checks, check{"tables of " + c.Name, fmt.Sprintf("pending: %s", p), warn, remedy(p)})
		}
	}
	return append(checks, subjects(ctx, db)...), nil
}

// subjects looks at the tables of what the machines drive. A database whose settings are refused is not looked at:
// that has been said.
func subjects(ctx context.Context, db *database.Database) []check {
	machines := database.Machines()
	in, err := engine.Inspect(ctx, db.Gorm, machines...)
	if err != nil {
		return nil
	}
	if len(in.Findings) == 0 {
		return []check{{"tables of machines", fmt.Sprintf("%d, as needed", len(machines)), good, ""}}
	}
	var all []check
	for _, f := range in.Findings {
		verdict := warn
		if f.Severity == engine.SeverityRefuse {
			verdict = fail
		}
		all = append(all, check{strings.Trim("table "+f.Table+"."+f.Column, "."), f.Problem, verdict, f.Remedy})
	}
	return all
}

func examineSQLite(ctx context.Context, pool *sql.DB) ([]check, error) {
	value := map[string]string{}
	for _, name := range []string{"journal_mode", "synchronous", "foreign_keys", "busy_timeout"} {
		var v string
		if err := pool.QueryRowContext(ctx, "PRAGMA "+name).Scan(&v); err != nil {
			return nil, fmt.Errorf("PRAGMA %s: %w", name, err)
		}
		value[name] = v
	}
	var version string
	if err := pool.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return nil, fmt.Errorf("ask for the version: %w", err)
	}
	return []check{
		{"server", "SQLite " + version, good, ""},
		{"isolation", "serializable, one writer", good, ""},
		judged("journal_mode", value["journal_mode"], value["journal_mode"] == "wal",
			"readers would wait for the writer: set journal_mode=WAL"),
		judged("synchronous", value["synchronous"], value["synchronous"] >= "2", "a power cut can lose commits: set synchronous=FULL"),
		{"busy_timeout", value["busy_timeout"] + " ms", good, ""},
	}, nil
}

func examineMySQL(ctx context.Context, pool *sql.DB) ([]check, error) {
	v, err := variables(ctx, pool)
	if err != nil {
		return nil, err
	}
	isolation := v["transaction_isolation"]
	if isolation == "" {
		isolation = v["tx_isolation"] // its older name
	}
	strict := strings.Contains(v["sql_mode"], "STRICT_ALL_TABLES") || strings.Contains(v["sql_mode"], "STRICT_TRANS_TABLES")
	checks := []check{
		{"server", v["version"] + " " + v["version_comment"], good, ""},
		{"isolation", isolation + " in this session; transactions of orderd are READ COMMITTED", good, ""},
		judged("sql_mode", v["sql_mode"], strict, "values that are too long would be cut in silence: set STRICT_ALL_TABLES"),
		judged("innodb_flush_log_at_trx_commit", v["innodb_flush_log_at_trx_commit"], v["innodb_flush_log_at_trx_commit"] == "1",
			"a crash can lose answered commits: set it to 1"),
		judged("innodb_doublewrite", v["innodb_doublewrite"], !strings.EqualFold(v["innodb_doublewrite"], "OFF"),
			"a power cut can tear pages: set it to ON unless the file system writes pages whole"),
	}
	if strings.EqualFold(v["log_bin"], "ON") {
		checks = append(checks, judged("sync_binlog", v["sync_binlog"], v["sync_binlog"] == "1",
			"a crash can lose what replicas or backups get: set it to 1"))
	} else {
		checks = append(checks, check{"log_bin", "OFF", good, "no point-in-time recovery and no replicas"})
	}
	if strings.EqualFold(v["read_only"], "ON") || v["read_only"] == "1" {
		checks = append(checks, check{"read_only", v["read_only"], warn, "this server takes no writes: connect to the primary"})
	}
	checks = append(checks, galera(v)...)
	wait, err := strconv.Atoi(v["innodb_lock_wait_timeout"])
	checks = append(checks, judged("innodb_lock_wait_timeout", v["innodb_lock_wait_timeout"]+" s", err == nil && wait <= 10,
		"a stuck transaction holds others for long: a few seconds are enough"))
	return checks, nil
}

// packets says whether transactions take one round trip, and why not. Either is right.
func packets(d engine.Database) check {
	if !d.Packets {
		return check{"packets", "off: " + d.NoPackets, good, ""}
	}
	return check{"packets", "on", good, ""}
}

// galera is what a node of a cluster has to hold: a read that began after somebody's commit sees it, whichever
// node that was on.
func galera(v map[string]string) []check {
	if !mysqldb.SwitchedOn(v["wsrep_on"]) {
		return nil
	}
	sync, err := strconv.Atoi(v["wsrep_sync_wait"])
	verdict := func(name string, ok bool, remedy string) check {
		c := judged(name, v[name], ok, remedy)
		if !ok {
			c.Verdict = fail
		}
		return c
	}
	return []check{
		verdict("wsrep_sync_wait", err == nil && sync&mysqldb.SyncWait == mysqldb.SyncWait,
			"what one node has committed would be denied by another: let the session's 7 reach the server"),
		verdict("wsrep_dirty_reads", !mysqldb.SwitchedOn(v["wsrep_dirty_reads"]),
			"a node that has lost the others would answer reads: set it to OFF"),
	}
}

func judged(name, value string, ok bool, remedy string) check {
	if ok {
		return check{name, value, good, ""}
	}
	return check{name, value, warn, remedy}
}

// variables are the session's settings that matter, by name.
func variables(ctx context.Context, pool *sql.DB) (map[string]string, error) {
	rows, err := pool.QueryContext(ctx, `SHOW VARIABLES WHERE Variable_name IN
		('version', 'version_comment', 'transaction_isolation', 'tx_isolation', 'sql_mode', 'log_bin', 'sync_binlog',
		 'innodb_flush_log_at_trx_commit', 'innodb_doublewrite', 'read_only', 'innodb_lock_wait_timeout',
		 'wsrep_on', 'wsrep_sync_wait', 'wsrep_dirty_reads')`)
	if err != nil {
		return nil, fmt.Errorf("ask for settings: %w", err)
	}
	defer func() { _ = rows.Close() }()
	found := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		found[name] = value
	}
	return found, rows.Err()
}
