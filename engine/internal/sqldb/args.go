package sqldb

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"
)

// Precision is that of every stored time. Times are cut to it, and turned to UTC, before they
// reach a database: MySQL would round what MariaDB truncates, SQLite would keep nanoseconds, and
// SQLite's times compare as text.
const Precision = time.Microsecond

// stored returns args with their times as they are stored; args itself is not changed.
func stored(args []any) []any {
	out, copied := args, false
	for i, arg := range args {
		t, ok := storedTime(arg)
		if !ok {
			continue
		}
		if !copied {
			out, copied = slices.Clone(args), true
		}
		out[i] = t
	}
	return out
}

func storedTime(arg any) (any, bool) {
	switch t := arg.(type) {
	case time.Time:
		return t.UTC().Truncate(Precision), true
	case *time.Time:
		if t != nil {
			return t.UTC().Truncate(Precision), true
		}
	case sql.NullTime:
		if t.Valid {
			return t.Time.UTC().Truncate(Precision), true
		}
	}
	return nil, false
}

// numbered is args as a driver takes them.
func numbered(args []any) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	return values
}

// checkNamed turns what no driver takes as it is into what this one does.
func checkNamed(conn any, values []driver.NamedValue) error {
	for i := range values {
		if driver.IsValue(values[i].Value) {
			continue
		}
		checker, ok := conn.(driver.NamedValueChecker)
		if !ok {
			return fmt.Errorf("value %d: the driver takes no %T", i+1, values[i].Value)
		}
		if err := checker.CheckNamedValue(&values[i]); err != nil {
			return fmt.Errorf("value %d: %w", i+1, err)
		}
	}
	return nil
}
