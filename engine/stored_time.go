package engine

import (
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// StoredTime is a time as every database stores it: in UTC, cut to microseconds. What is kept beside the engine's own
// times, or compared with a time that was read, goes through it, because servers would round or cut by themselves,
// each in its own way.
func StoredTime(t time.Time) time.Time { return t.UTC().Truncate(sqldb.Precision) }
