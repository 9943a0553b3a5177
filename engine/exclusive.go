package engine

import (
	"fmt"
	"slices"

	"example.com/orderd/engine/internal/sqldb"
)

// exactKinds are the types of columns of the MySQL family that give back what was written, byte by byte.
var exactKinds = []string{
	"tinyint", "smallint", "mediumint", "int", "bigint", "double", "datetime",
	"varchar", "tinytext", "text", "mediumtext", "longtext", "varbinary", "tinyblob", "blob", "mediumblob", "longblob",
}

// exclusive refuses an exclusive machine whose table stores something else than what is written to it,
// such as times without microseconds: its rows would look changed.
func (l *looking) exclusive() {
	if len(l.m.desc.Exclusive) == 0 || l.dialect != sqldb.MySQL {
		return
	}
	for _, f := range l.row.hashed.fields {
		c := l.info.Column(f.DBName)
		if c == nil {
			continue
		}
		cannot := fmt.Sprintf(", so machine %s cannot be exclusive", l.m.name)
		switch touched := slices.Contains(l.row.touched, f.Field); {
		case c.Precision != 6:
			l.add(SeverityRefuse, c.Name, l.modify(c.Name, "DATETIME(6)"+notNull(c)),
				"%s(%d) may store something else than what is written%s", c.Kind, c.Precision, cannot)
		case f.Field == l.row.state: // what it gives back has been looked at: an ENUM of the stored states is exact
		case !slices.Contains(exactKinds, c.Kind):
			l.add(SeverityRefuse, c.Name, fmt.Sprintf("give it another type, or tag the field %s `engine:%q`", f.Name, tagShared),
				"%s may store something else than what is written%s", c.Type, cannot)
		case c.OnUpdate && !touched:
			l.add(SeverityRefuse, c.Name, fmt.Sprintf("tag the field %s `gorm:\"autoUpdateTime\"`", f.Name),
				"the database sets it by itself (ON UPDATE)%s", cannot)
		}
	}
}
