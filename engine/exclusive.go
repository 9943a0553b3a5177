package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/orderd/internal/sqldb"
)

// exact are the types of columns of the MySQL family that give back what was written, byte by byte.
var exact = []string{
	"tinyint", "smallint", "mediumint", "int", "bigint", "double", "datetime",
	"varchar", "tinytext", "text", "mediumtext", "longtext", "varbinary", "tinyblob", "blob", "mediumblob", "longblob",
}

// checkExclusive refuses an exclusive machine whose table stores something else than what is written
// to it, such as times without microseconds: its rows would look changed.
func (e *Engine) checkExclusive(ctx context.Context, m *machine) error {
	if len(m.desc.Exclusive) == 0 || e.db.Dialect() != sqldb.MySQL {
		return nil
	}
	covered := map[string]bool{}
	for _, f := range m.row.hashed.fields {
		covered[f.DBName] = true
	}
	var mistakes []error
	err := e.db.Each(ctx, `SELECT column_name, data_type, COALESCE(datetime_precision, 6) FROM information_schema.columns
		WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position`, []any{m.row.table}, func(rows *sql.Rows) error {
		var name, kind string
		var precision int
		if err := rows.Scan(&name, &kind, &precision); err != nil {
			return err
		}
		if covered[name] && (!slices.Contains(exact, strings.ToLower(kind)) || precision != 6) {
			mistakes = append(mistakes, fmt.Errorf("column %s.%s: %s(%d) may store something else than what is written", m.row.table, name, kind, precision))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look at the columns of %s: %w", m.row.table, err)
	}
	if len(mistakes) > 0 {
		return fmt.Errorf("machine %s cannot be exclusive: %w", m.name, errors.Join(mistakes...))
	}
	return nil
}
