package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SyncWait is what wsrep_sync_wait must have on a Galera node: reads (1), updates and deletes (2), inserts and
// replaces (4) wait until the node has applied what was committed on others before.
const SyncWait = 7

// never is after every time that a database's clock will tell. The locks of a transaction hold up nobody on the
// other nodes of a cluster, and its COMMIT may still be on its way to one of them while it is settled on another.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// checkGalera reports what is wrong with a session on a Galera node. Elsewhere nothing is.
func checkGalera(ctx context.Context, db *DB) (problems []error) {
	v := map[string]string{}
	err := db.Each(ctx, "SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_sync_wait', 'wsrep_dirty_reads')", nil,
		func(r *sql.Rows) error {
			var name, value string
			err := r.Scan(&name, &value)
			v[strings.ToLower(name)] = value
			return err
		})
	if err != nil {
		return []error{fmt.Errorf("asking whether it is a Galera node: %w", err)}
	}
	if !SwitchedOn(v["wsrep_on"]) {
		return nil
	}
	db.inDoubtUntil = never
	if n, err := strconv.Atoi(v["wsrep_sync_wait"]); err != nil || n&SyncWait != SyncWait {
		problems = append(problems, fmt.Errorf("this Galera node answers before it has applied what others have committed"+
			" (wsrep_sync_wait is %s): add wsrep_sync_wait=%d to the DSN, or open the database with engine/mysqldb",
			v["wsrep_sync_wait"], SyncWait))
	}
	if SwitchedOn(v["wsrep_dirty_reads"]) {
		problems = append(problems, fmt.Errorf("this Galera node answers reads when it has lost the others: add "+
			"wsrep_dirty_reads=OFF to the DSN"))
	}
	return problems
}

// SwitchedOn reads a server variable that is a switch: servers show it as a word or as a number.
func SwitchedOn(value string) bool { return strings.EqualFold(value, "ON") || value == "1" }
