package engine

import (
	"strings"
	"testing"

	"example.com/orderd/engine/internal/sqldb"
)

// What a table holds for a state may be any text.
func TestTheStateColumnHoldsEveryStateAsItIsWritten(t *testing.T) {
	type row struct {
		ID      string `gorm:"primaryKey" engine:"id"`
		Status  State  `gorm:"<-:create" engine:"state"`
		Version int64  `gorm:"<-:create" engine:"version"`
	}
	parsed, err := newRowType[row](stateNames{}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dialect sqldb.Dialect
		column  sqldb.ColumnInfo
		stored  string
		problem string
	}{
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "varchar", Length: 3, Charset: "utf8mb4"}, "已付款", ""},
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "varchar", Length: 2, Charset: "utf8mb4"}, "已付款", "too short"},
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "varbinary", Length: 8}, "已付款", "too short"},
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "varbinary", Length: 9}, "已付款", ""},
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "varchar", Length: 9, Charset: "gbk"}, "已付款", ""},
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "varchar", Length: 9, Charset: "ucs2"}, "PAID", "character set ucs2"},
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "varchar", Length: 9, Charset: "gbk"}, "In Transit", "too short"},
		{sqldb.MySQL, sqldb.ColumnInfo{Kind: "char", Length: 9, Charset: "utf8mb4"}, "PAID ", "pads"},
		{sqldb.SQLite, sqldb.ColumnInfo{Kind: "numeric"}, "02", "as a number"},
		{sqldb.SQLite, sqldb.ColumnInfo{Kind: "text"}, "02", ""},
		{sqldb.SQLite, sqldb.ColumnInfo{Kind: "numeric"}, "PAID", ""},
	} {
		c.column.Name = "status"
		l := &looking{m: &machine{name: "m"}, row: parsed, dialect: c.dialect, stored: []string{c.stored}, info: sqldb.TableInfo{Columns: []sqldb.ColumnInfo{c.column}}}
		l.state()
		switch {
		case c.problem == "" && len(l.found) > 0, c.problem != "" && (len(l.found) != 1 || !strings.Contains(l.found[0].Problem, c.problem)):
			t.Errorf("%v, %q: %v, want %q", c.column, c.stored, l.found, c.problem)
		}
	}
}
