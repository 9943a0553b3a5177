package sqldb

import (
	"database/sql"
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
