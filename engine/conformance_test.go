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

func TestConformanceOnSQLite(t *testing.T) {
	conformance.Run(t, conformance.Setup{Open: func(t *testing.T) *gorm.DB { return enginetest.SQLite(t) }})
}

func TestConformanceOnMySQL(t *testing.T) {
	conformance.Run(t, conformance.Setup{Open: func(t *testing.T) *gorm.DB { return enginetest.MySQL(t) }})
}

// A handle that the user brings has settings of its own. Nothing may depend on them.
func TestConformanceOnABroughtHandle(t *testing.T) {
	for name, params := range map[string]string{
		"read committed":                      "tx_isolation='READ-COMMITTED'",
		"repeatable read":                     "tx_isolation='REPEATABLE-READ'",
		"repeatable read, found rows":         "tx_isolation='REPEATABLE-READ'&clientFoundRows=true",
		"read committed, found rows":          "tx_isolation='READ-COMMITTED'&clientFoundRows=true&interpolateParams=true",
		"repeatable read, snapshot isolation": "tx_isolation='REPEATABLE-READ'&innodb_snapshot_isolation=ON",
		"snapshot isolation, found rows":      "tx_isolation='REPEATABLE-READ'&innodb_snapshot_isolation=ON&clientFoundRows=true&interpolateParams=true",
	} {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, conformance.Setup{Open: func(t *testing.T) *gorm.DB { return brought(t, params) }})
		})
	}
}

func brought(t *testing.T, params string) *gorm.DB {
	t.Helper()
	dsn := enginetest.MySQLDSN(t)
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
