package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderd/engine/dberr"
)

// probe is a moment whose every digit shows a wrong zone, a wrong format or a lost fraction.
var probe = time.Date(2001, 2, 3, 4, 5, 6, 789_012_000, time.UTC)

// summer and today are moments at which zones that are UTC at probe may be something else: London's in summer,
// Casablanca's since 2018.
var (
	summer = time.Date(2001, 7, 3, 4, 5, 6, 789_012_000, time.UTC)
	today  = time.Date(2025, 1, 3, 4, 5, 6, 789_012_000, time.UTC)
)

const datetime = "2006-01-02 15:04:05.000000"

func checkMySQL(ctx context.Context, db *DB) (server string, problems []error) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	var mode, client, connection, results string
	var moments [3]any
	var january, july string
	err := db.pool.QueryRowContext(ctx, "SELECT VERSION(), @@session.sql_mode, "+
		"CAST('"+probe.Format(datetime)+"' AS DATETIME(6)), CAST('"+summer.Format(datetime)+"' AS DATETIME(6)), "+
		"CAST('"+today.Format(datetime)+"' AS DATETIME(6)), "+
		"CAST(FROM_UNIXTIME(1735689600) AS CHAR), CAST(FROM_UNIXTIME(1751328000) AS CHAR), "+
		strings.TrimPrefix(askCharset, "SELECT ")).
		Scan(&server, &mode, &moments[0], &moments[1], &moments[2], &january, &july, &client, &connection, &results)
	if err != nil {
		problem("asking for its settings: %w", err)
		return server, problems
	}
	if err := charsetProblem(client, connection, results); err != nil {
		problems = append(problems, err)
	}
	mode = "," + strings.ToUpper(mode) + ","
	if !strings.Contains(mode, ",STRICT_ALL_TABLES,") && !strings.Contains(mode, ",STRICT_TRANS_TABLES,") {
		problem("sql_mode is not strict, so values that are too long are cut in silence: add " +
			"sql_mode=%%27STRICT_ALL_TABLES%%27 to the DSN")
	}
	if strings.Contains(mode, ",ANSI_QUOTES,") || strings.Contains(mode, ",PIPES_AS_CONCAT,") {
		problem("sql_mode changes the meaning of quotes or operators: remove ANSI_QUOTES and PIPES_AS_CONCAT")
	}
	for i, want := range []time.Time{probe, summer, today} {
		t, ok := moments[i].(time.Time)
		if !ok {
			problem("times do not scan into time.Time: set parseTime=true in the DSN")
			break
		}
		if !t.Equal(want) {
			problem("times are not read as UTC: set loc=UTC in the DSN of the engine's handle; other handles of the program " +
				"may keep theirs, " +
				"and DATETIME columns that hold local time are read by engine/localtime")
			break
		}
	}
	if !strings.HasPrefix(january, "2025-01-01 00:00:00") || !strings.HasPrefix(july, "2025-07-01 00:00:00") {
		problem("the session's time zone is not UTC: add time_zone=%%27%%2B00:00%%27 to the DSN")
	}
	return server, append(problems, checkGalera(ctx, db)...)
}

func checkSQLite(ctx context.Context, db *DB) (server string, problems []error) {
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	var version string
	if err := db.pool.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		problem("asking for its version: %w", err)
		return "", problems
	}
	if olderThan(version, 3, 51, 3) {
		problem("SQLite %s can corrupt a database in WAL mode: use a driver with SQLite 3.51.3 or later", version)
	}
	tx, err := db.begin(ctx)
	if err != nil {
		problem("beginning a transaction: %w", err)
		return "", problems
	}
	defer tx.rollback()

	// A checkpoint is refused inside a transaction that holds a lock, and only then. After a bare
	// BEGIN, that tells whether BEGIN itself took the write lock.
	var busy, frames, done int64
	err = tx.pool.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &done)
	switch {
	case err == nil:
		problem("transactions take the write lock too late and fail under load: add _txlock=immediate to the DSN")
	case dberr.Classify(err) != dberr.Conflict:
		problem("the driver's errors are not understood (%T: %w): open the database with engine/sqlitedb", err, err)
	}
	for pragma, good := range map[string][]string{
		"journal_mode": {"wal"}, "synchronous": {"2", "3"}, "foreign_keys": {"1"},
	} {
		var value string
		if err := tx.pool.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value); err != nil {
			problem("asking for PRAGMA %s: %w", pragma, err)
		} else if !slices.Contains(good, value) {
			problem("PRAGMA %s is %s: add _pragma=%s(%s) to the DSN", pragma, value, pragma, good[0])
		}
	}
	var text string
	err = tx.pool.QueryRowContext(ctx, "SELECT CAST(? AS TEXT)", probe).Scan(&text)
	if want := "2001-02-03 04:05:06.789012+00:00"; err != nil || text != want {
		problem("times are stored as %q, which does not sort, instead of %q: add _time_format=sqlite to the DSN", text, want)
	}
	return "SQLite " + version, problems
}

// olderThan compares a dotted version, reading what it cannot parse as old.
func olderThan(version string, want ...int) bool {
	for i, part := range strings.SplitN(version, ".", len(want)) {
		n, err := strconv.Atoi(part)
		if err != nil || n < want[i] {
			return true
		}
		if n > want[i] {
			return false
		}
	}
	return false
}
