package verify

import (
	"time"

	"example.com/orderd/engine/internal/sqldb"
)

// moment is a stored time, in whichever way a driver gives it: in a statement that joins several tables
// some do not know that it is one.
type moment struct{ time.Time }

var layouts = []string{"2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999", time.RFC3339Nano}

// Scan reads it. What is no time, as null, is the zero time: it equals no other.
func (m *moment) Scan(stored any) error {
	m.Time = time.Time{}
	var text string
	switch stored := stored.(type) {
	case time.Time:
		m.Time = stored.UTC().Truncate(sqldb.Precision)
		return nil
	case string:
		text = stored
	case []byte:
		text = string(stored)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			m.Time = t.UTC().Truncate(sqldb.Precision)
			return nil
		}
	}
	return nil
}

// is reports whether two times are the same, and are any.
func (m moment) is(other moment) bool { return !m.IsZero() && m.Equal(other.Time) }
