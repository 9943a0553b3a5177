package mysqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"example.com/orderd/engine/internal/sqldb"
)

// setting is one variable of a session and the SQL of its value.
type setting struct{ name, value string }

// session is how a connection is prepared. The server is asked first which variables it has: names differ
// from member to member of the family, and what Vitess is told must be plain SQL, without the comments and
// the further statements that would hide such differences.
type session struct {
	lockWait time.Duration
	packets  bool // the connection is to carry packets
}

// isolations are the names of one variable, the one to prefer first: MySQL 8 has only the first, MySQL 5.6
// and MariaDB before 11.1 only the second.
var isolations = []string{"transaction_isolation", "tx_isolation"}

// needed are the settings without which nothing is right. isolation is the name of its variable.
func (s session) needed(isolation string) []setting {
	return []setting{
		{isolation, "'READ-COMMITTED'"},
		{"time_zone", "'+00:00'"},
		{"sql_mode", "'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"},
		{"innodb_lock_wait_timeout", fmt.Sprint(max(1, int(s.lockWait.Seconds())))},
	}
}

// helpful are settings that only some servers have.
var helpful = []setting{
	// Spares the optimizer a look into the index for each of the hundreds of keys in one IN list, all of
	// which are unique.
	{"eq_range_index_dive_limit", "1"},
	// Frees the locks of a client that is gone but whose connection does not know. MariaDB has it.
	{"idle_write_transaction_timeout", "8"},
	// On a Galera node: no statement begins before the node has applied what others had committed, reads (1),
	// updates and deletes (2), inserts and replaces (4); and no read is answered by a node that has lost the others.
	{"wsrep_sync_wait", strconv.Itoa(sqldb.SyncWait)},
	{"wsrep_dirty_reads", "OFF"},
}

// unknownVariable is the server's error number.
const unknownVariable = 1193

// galera is why a connection carries no packets.
const galera = sqldb.NoPackets("this server is a Galera node (wsrep_on), which may roll back between two statements " +
	"of a packet and carry out the rest")

// prepare makes a new connection what the engine needs. Its error for a connection that must not carry
// packets is a sqldb.NoPackets.
func (s session) prepare(ctx context.Context, conn driver.Conn) error {
	has, err := variables(ctx, conn.(driver.QueryerContext))
	if err != nil {
		return err
	}
	cluster := sqldb.SwitchedOn(has["wsrep_on"])
	if cluster && s.packets {
		return galera
	}
	i := slices.IndexFunc(isolations, func(name string) bool { _, ok := has[name]; return ok })
	if i < 0 {
		return errors.New("the server has no setting for the isolation of transactions")
	}
	exec := conn.(driver.ExecerContext)
	if err := set(ctx, exec, s.needed(isolations[i])); err != nil {
		return err
	}
	extra := slices.DeleteFunc(slices.Clone(helpful), func(v setting) bool { _, ok := has[v.name]; return !ok })
	if err := set(ctx, exec, extra); !unknown(err) {
		return err
	}
	for _, v := range extra { // a proxy shows what it does not let everybody set
		if err := set(ctx, exec, []setting{v}); err != nil && (!unknown(err) || cluster && strings.HasPrefix(v.name, "wsrep_")) {
			return err
		}
	}
	return nil
}

func set(ctx context.Context, conn driver.ExecerContext, values []setting) error {
	if len(values) == 0 {
		return nil
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = v.name + " = " + v.value
	}
	_, err := conn.ExecContext(ctx, "SET SESSION "+strings.Join(parts, ", "), nil)
	return err
}

func unknown(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == unknownVariable
}

// on reports whether the value of a boolean variable means yes, as the members of the family show it.

// variables asks which of the variables that matter the server has, and for their values.
func variables(ctx context.Context, conn driver.QueryerContext) (found map[string]string, err error) {
	names := append([]string{"wsrep_on"}, isolations...)
	for _, v := range helpful {
		names = append(names, v.name)
	}
	rows, err := conn.QueryContext(ctx, "SHOW VARIABLES WHERE Variable_name IN ('"+strings.Join(names, "', '")+"')", nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found = map[string]string{}
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return found, nil
		case err != nil:
			return nil, err
		case len(row) < 2:
			return nil, fmt.Errorf("settings of %d columns", len(row))
		}
		found[strings.ToLower(text(row[0]))] = text(row[1])
	}
}

func text(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v)
}

// SyncWait is what wsrep_sync_wait must have on a Galera node, where Open sets it: reads (1), updates and deletes (2),
// inserts and replaces (4) wait until the node has applied what was committed on others before.
const SyncWait = sqldb.SyncWait

// SwitchedOn reads a server variable that is a switch: servers show it as a word or as a number.
func SwitchedOn(value string) bool { return sqldb.SwitchedOn(value) }
