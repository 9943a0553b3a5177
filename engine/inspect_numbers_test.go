package engine

import (
	"strings"
	"testing"

	"example.com/orderd/engine/internal/sqldb"
)

// A column of states that are numbers holds every one of them, and gives them back.
func TestTheStateColumnHoldsEveryNumber(t *testing.T) {
	for _, c := range []struct {
		kind, full, stored, problem string
		severity                    Severity
	}{
		{"tinyint", "tinyint(4)", "127", "", ""},
		{"tinyint", "tinyint(4)", "128", "does not hold all numbers", SeverityRefuse},
		{"tinyint", "tinyint(3) unsigned", "255", "", ""},
		{"tinyint", "tinyint(3) unsigned", "-1", "does not hold all numbers", SeverityRefuse},
		{"bigint", "bigint(20) unsigned", "9223372036854775807", "", ""},
		{"bigint", "bigint(20)", "-9223372036854775808", "", ""},
		{"varchar", "varchar(9)", "7", "does not hold numbers as such", SeverityWarn},
		{"enum", "enum('1','2')", "1", "does not hold numbers as such", SeverityRefuse},
		{"datetime", "datetime", "1", "does not hold numbers as such", SeverityRefuse},
	} {
		column := sqldb.ColumnInfo{Name: "status", Kind: c.kind, Type: c.full}
		l := &looking{m: &machine{name: "m"}, row: &rowType{table: "t"}, dialect: sqldb.MySQL, stored: []string{c.stored}}
		l.stateNumbers(&column)
		switch {
		case c.problem == "" && len(l.found) == 0:
		case c.problem == "" || len(l.found) != 1 || !strings.Contains(l.found[0].Problem, c.problem) || l.found[0].Severity != c.severity:
			t.Errorf("%s, %s: %v", c.full, c.stored, l.found)
		}
	}
}
