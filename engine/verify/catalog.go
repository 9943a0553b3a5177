package verify

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"example.com/orderd/engine/internal/sqldb"
)

// engineTables have rows of subjects, in the order in which a walk looks for them.
var engineTables = []string{"engine_transitions", "engine_messages", "engine_timers"}

// uniqueKeys are the keys on which the engine's promises rest. Without them two processes could write
// the same row twice, and nobody would hear of it.
var uniqueKeys = []struct {
	invariant, table string
	columns          []string
}{
	{GapFree, "engine_transitions", []string{"machine", "subject", "version"}},
	{EffectOnce, "engine_transitions", []string{"source", "seq"}},
	{Outbox, "engine_messages", []string{"machine", "subject", "version", "ordinal"}},
	{Timers, "engine_timers", []string{"machine", "subject", "entered", "name"}},
	{Path, "engine_machines", []string{"name", "hash"}},
}

// catalog checks that the unique keys are there, on exactly their columns. Where one is, the database
// vouches for its rows; where that of requests is not, the rows are counted.
func (v *verifier) catalog(ctx context.Context) error {
	for _, key := range uniqueKeys {
		indexes, err := v.uniqueIndexes(ctx, key.table)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(indexes, func(columns []string) bool { return slices.Equal(columns, key.columns) }) {
			continue
		}
		v.found(Finding{Invariant: key.invariant, Text: fmt.Sprintf("table %s has no unique key on %v", key.table, key.columns)})
		if key.invariant == EffectOnce {
			if err := v.doubleKeys(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// uniqueIndexes are the columns of a table's unique indexes. An index on the beginning of a column,
// on an expression or on some of the rows promises less and is left out.
func (v *verifier) uniqueIndexes(ctx context.Context, table string) ([][]string, error) {
	query := `SELECT index_name, column_name, sub_part IS NULL FROM information_schema.statistics
		WHERE table_schema = DATABASE() AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index`
	if v.db.Dialect() == sqldb.SQLite {
		query = `SELECT l.name, i.name, l.partial = 0 FROM pragma_index_list(?) l, pragma_index_info(l.name) i
			WHERE l."unique" = 1 ORDER BY l.name, i.seqno`
	}
	var indexes [][]string
	var names []string
	err := v.db.Each(ctx, query, []any{table}, func(rows *sql.Rows) error {
		var name string
		var column sql.NullString
		var whole bool
		if err := rows.Scan(&name, &column, &whole); err != nil {
			return err
		}
		if len(names) == 0 || names[len(names)-1] != name {
			names, indexes = append(names, name), append(indexes, nil)
		}
		if !whole {
			column.String = "" // never equal to a column's name
		}
		last := len(indexes) - 1
		indexes[last] = append(indexes[last], column.String)
		return nil
	})
	return indexes, err
}

// doubleKeys looks for keys with more than one transition.
func (v *verifier) doubleKeys(ctx context.Context) error {
	return v.db.Each(ctx, `SELECT source, seq, COUNT(*), MIN(machine), MIN(subject) FROM engine_transitions
		GROUP BY source, seq HAVING COUNT(*) > 1 ORDER BY source, seq`, nil, func(rows *sql.Rows) error {
		var source, seq, machine, subject string
		var n int
		if err := rows.Scan(&source, &seq, &n, &machine, &subject); err != nil {
			return err
		}
		v.found(Finding{Invariant: EffectOnce, Machine: machine, Subject: subject,
			Text: fmt.Sprintf("the key %q %q has %d transitions", source, seq, n)})
		return nil
	})
}
