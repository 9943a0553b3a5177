package mysqldb

import (
	"context"
	"database/sql/driver"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/internal/sqldb"
)

// recorder is a connection to a server that has some variables, refuses to set some of them, and keeps what it
// was told.
type recorder struct {
	driver.Conn
	has     map[string]string
	unknown []string
	told    []string
}

func (r *recorder) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	r.told = append(r.told, query)
	var found [][2]string
	for name, value := range r.has {
		if strings.Contains(query, "'"+name+"'") {
			found = append(found, [2]string{name, value})
		}
	}
	return &settings{rows: found}, nil
}

func (r *recorder) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	r.told = append(r.told, query)
	for _, name := range r.unknown {
		if strings.Contains(query, name+" =") {
			return nil, &mysql.MySQLError{Number: 1193, Message: "Unknown system variable '" + name + "'"}
		}
	}
	return driver.ResultNoRows, nil
}

type settings struct{ rows [][2]string }

func (s *settings) Columns() []string { return []string{"Variable_name", "Value"} }
func (s *settings) Close() error      { return nil }

func (s *settings) Next(dest []driver.Value) error {
	if len(s.rows) == 0 {
		return io.EOF
	}
	dest[0], dest[1] = []byte(s.rows[0][0]), []byte(s.rows[0][1])
	s.rows = s.rows[1:]
	return nil
}

var servers = map[string]map[string]string{
	"MySQL 5.6": {"tx_isolation": "REPEATABLE-READ", "eq_range_index_dive_limit": "10"},
	"MySQL 8":   {"transaction_isolation": "REPEATABLE-READ", "eq_range_index_dive_limit": "200"},
	"MariaDB 10.11": {
		"tx_isolation": "REPEATABLE-READ", "eq_range_index_dive_limit": "200", "idle_write_transaction_timeout": "0",
		"wsrep_on": "OFF", "wsrep_sync_wait": "0", "wsrep_dirty_reads": "OFF",
	},
	"MariaDB 11.4, a Galera node": {
		"transaction_isolation": "REPEATABLE-READ", "tx_isolation": "REPEATABLE-READ", "idle_write_transaction_timeout": "0",
		"wsrep_on": "ON", "wsrep_sync_wait": "0", "wsrep_dirty_reads": "ON",
	},
}

// Vitess looks into each setting and asks its servers for it, under the name that is set.
func TestASessionIsToldPlainSettingsThatTheServerHas(t *testing.T) {
	for name, has := range servers {
		r := &recorder{has: has}
		require.NoError(t, session{lockWait: 3 * time.Second}.prepare(t.Context(), r), name)
		said := strings.Join(r.told, "\n")
		assert.LessOrEqual(t, len(r.told), 3, name)
		assert.NotContains(t, said, "/*", name)
		assert.NotContains(t, said, "ISOLATION LEVEL", name)
		assert.Contains(t, said, "innodb_lock_wait_timeout = 3", name)
		assert.Equal(t, 1, strings.Count(said, "isolation = 'READ-COMMITTED'"), name)
		for _, setting := range []string{"tx_isolation", "transaction_isolation", "eq_range_index_dive_limit", "idle_write_transaction_timeout", "wsrep_sync_wait", "wsrep_dirty_reads"} {
			if _, ok := has[setting]; !ok {
				assert.NotContains(t, said, setting+" =", name)
			} else if setting != "tx_isolation" || has["transaction_isolation"] == "" {
				assert.Contains(t, said, setting+" =", name)
			}
		}
	}
}

func TestASettingThatAProxyOnlyShowsIsDoneWithout(t *testing.T) {
	r := &recorder{has: servers["MariaDB 10.11"], unknown: []string{"idle_write_transaction_timeout", "wsrep_sync_wait", "wsrep_dirty_reads"}}
	require.NoError(t, session{}.prepare(t.Context(), r))
	assert.True(t, slices.Contains(r.told, "SET SESSION eq_range_index_dive_limit = 1"), r.told)
	r = &recorder{has: servers["MariaDB 10.11"], unknown: []string{"time_zone"}}
	assert.Error(t, session{}.prepare(t.Context(), r), "what is needed")
	r = &recorder{has: servers["MariaDB 11.4, a Galera node"], unknown: []string{"wsrep_sync_wait"}}
	assert.Error(t, session{}.prepare(t.Context(), r), "what a Galera node must hold")
}

func TestNoConnectionToAGaleraNodeCarriesPackets(t *testing.T) {
	for name, has := range servers {
		err := session{packets: true}.prepare(t.Context(), &recorder{has: has})
		var no sqldb.NoPackets
		if has["wsrep_on"] == "ON" {
			assert.ErrorAs(t, err, &no, name)
			assert.ErrorContains(t, err, "Galera")
		} else {
			assert.NoError(t, err, name)
		}
	}
}
