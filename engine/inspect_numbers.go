package engine

import (
	"slices"
	"strconv"
	"strings"

	"example.com/orderd/engine/internal/sqldb"
)

// integerBits are the sizes of the types of integers.
var integerBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "integer": 32, "bigint": 64}

// stateNumbers looks at the column of states that are stored as numbers.
func (l *looking) stateNumbers(c *sqldb.ColumnInfo) {
	low, high := int64(0), int64(0)
	for _, text := range l.stored {
		n, _ := strconv.ParseInt(text, 10, 64) // it was formatted
		low, high = min(low, n), max(high, n)
	}
	bits, whole := integerBits[c.Kind]
	unsigned := strings.Contains(strings.ToLower(c.Type), "unsigned")
	severity := SeverityRefuse // an ENUM, too, gives back its words and not the numbers that it was given
	if c.Kind != "enum" && (slices.Contains(textKinds, c.Kind) || slices.Contains(numberKinds, c.Kind)) {
		severity = SeverityWarn // the condition holds, but by a conversion of each row
	}
	switch room := uint(max(bits, 1) - 1); {
	case !whole:
		l.add(severity, c.Name, l.modify(c.Name, "BIGINT"+notNull(c)),
			"%s does not hold numbers as such, and the states are stored as numbers", c.Type)
	case unsigned && (low < 0 || bits < 64 && high > 1<<(room+1)-1), !unsigned && (low < -1<<room || high > 1<<room-1):
		l.add(SeverityRefuse, c.Name, l.modify(c.Name, "BIGINT"+notNull(c)),
			"%s does not hold all numbers that are stored for the states: %d to %d", c.Type, low, high)
	}
}
