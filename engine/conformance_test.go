package engine_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/internal/conformance"
)

func TestConformance(t *testing.T) {
	for _, k := range enginetest.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			conformance.Run(t, conformance.Setup{Open: func(t *testing.T) *gorm.DB { return k.Open(t) }})
		})
	}
}

// A handle that the user brings has settings of its own. Nothing may depend on them.
func TestConformanceOnABroughtHandle(t *testing.T) {
	for name, h := range map[string]struct {
		params string
		all    bool // on all servers, not on the first alone: two handles hold every value of each setting
	}{
		"read committed":                      {"tx_isolation='READ-COMMITTED'", false},
		"repeatable read":                     {"tx_isolation='REPEATABLE-READ'", true},
		"repeatable read, found rows":         {"tx_isolation='REPEATABLE-READ'&clientFoundRows=true", false},
		"read committed, found rows":          {"tx_isolation='READ-COMMITTED'&clientFoundRows=true&interpolateParams=true", true},
		"repeatable read, snapshot isolation": {"tx_isolation='REPEATABLE-READ'&innodb_snapshot_isolation=ON", false},
		"snapshot isolation, found rows":      {"tx_isolation='REPEATABLE-READ'&innodb_snapshot_isolation=ON&clientFoundRows=true&interpolateParams=true", false},
	} {
		servers := enginetest.Servers()
		if !h.all {
			servers = servers[:1]
		}
		for _, s := range servers {
			t.Run(name+"/"+s.Name, func(t *testing.T) {
				if strings.Contains(h.params, snapshotIsolation) && !knows(t, s, snapshotIsolation) {
					t.Skipf("this server has no %s: its REPEATABLE READ never refuses an update for its snapshot", snapshotIsolation)
				}
				conformance.Run(t, conformance.Setup{Open: func(t *testing.T) *gorm.DB { return brought(t, s, h.params) }})
			})
		}
	}
}

// snapshotIsolation is a setting of MariaDB's: an update of a row that has changed since the snapshot fails.
const snapshotIsolation = "innodb_snapshot_isolation"

// knows reports whether a server has a variable.
func knows(t *testing.T, s enginetest.Server, variable string) bool {
	t.Helper()
	var found []struct{ Value string }
	if err := s.Open(t).Raw("SHOW VARIABLES WHERE variable_name = ?", variable).Scan(&found).Error; err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

func brought(t *testing.T, s enginetest.Server, params string) *gorm.DB {
	t.Helper()
	dsn := s.DSN(t)
	glue := "?"
	if strings.Contains(dsn, "?") {
		glue = "&"
	}
	dsn += glue + "parseTime=true&loc=UTC&time_zone='%2B00:00'&sql_mode='STRICT_ALL_TABLES'&innodb_lock_wait_timeout=2&" +
		strings.NewReplacer("'", "%27").Replace(params)
	db, err := gorm.Open(mysql.Open(strings.ReplaceAll(dsn, "'", "%27")), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	if err := engine.Migrate(context.Background(), db); err != nil {
		t.Fatal(err)
	}
	return db
}
