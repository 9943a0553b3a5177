package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine/schema"
)

// Tables describes the tables of a database by name: a line for each column and each key, sorted, so that two
// databases of one kind can be compared, however their tables came about.
func Tables(tb testing.TB, db *gorm.DB) map[string][]string {
	tb.Helper()
	columns := `SELECT table_name, CONCAT('column ', column_name, ': ', column_type, ' ', is_nullable, ' ', COALESCE(column_default, 'NULL'), ' ',
		COALESCE(collation_name, ''), ' ', extra) FROM information_schema.columns WHERE table_schema = DATABASE()`
	keys := `SELECT table_name, index_name, non_unique = 0, column_name FROM information_schema.statistics
		WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index`
	if db.Name() == "sqlite" {
		columns = `SELECT m.name, 'column ' || c.name || ': ' || c.type || ' ' || c."notnull" || ' ' || COALESCE(c.dflt_value, 'NULL') || ' ' || c.pk
			FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'`
		keys = `SELECT m.name, REPLACE(l.name, m.name || '_', ''), l."unique", i.name
			FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) i WHERE m.type = 'table' ORDER BY m.name, l.name, i.seqno`
	}
	tables := map[string][]string{}
	scan(tb, db, columns, 2, func(row []string) { tables[row[0]] = append(tables[row[0]], row[1]) })
	byKey := map[[2]string][]string{}
	scan(tb, db, keys, 4, func(row []string) {
		kind := "key "
		if row[2] == "1" {
			kind = "unique key "
		}
		at := [2]string{row[0], kind + row[1]}
		byKey[at] = append(byKey[at], row[3])
	})
	for at, columns := range byKey {
		tables[at[0]] = append(tables[at[0]], fmt.Sprintf("%s: %s", at[1], strings.Join(columns, " ")))
	}
	for _, lines := range tables {
		slices.Sort(lines)
	}
	return tables
}

func scan(tb testing.TB, db *gorm.DB, query string, columns int, f func([]string)) {
	tb.Helper()
	rows, err := db.Raw(query).Rows()
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			tb.Fatal(err)
		}
	}()
	for rows.Next() {
		row := make([]string, columns)
		into := make([]any, columns)
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			tb.Fatal(err)
		}
		f(row)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
}

// Steps proves that the steps of a component lead to its tables: on each kind of database it creates the component's
// first tables from their frozen SQL, takes all steps, and compares what is there with a fresh database.
func Steps(t *testing.T, c schema.Component, first string) {
	t.Helper()
	if len(c.Steps) == 0 {
		t.Fatalf("%s has no steps", c.Name)
	}
	Databases(t, func(t *testing.T, db *gorm.DB) {
		then := schema.Component{Name: c.Name, Version: c.Steps[0].To - 1, DDL: first}
		installed := func(cs ...schema.Component) map[string][]string {
			if err := Bare(db); err != nil {
				t.Fatal(err)
			}
			for _, c := range cs {
				if err := schema.Finish(t.Context(), db, c); err != nil {
					t.Fatal(err)
				}
			}
			return Tables(t, db)
		}
		fresh, stepped := installed(c), installed(then, c)
		for _, table := range slices.Sorted(maps.Keys(fresh)) {
			if !slices.Equal(fresh[table], stepped[table]) {
				t.Errorf("the table %s is, after its steps,\n%s\nbut in a fresh database\n%s", table,
					strings.Join(stepped[table], "\n"), strings.Join(fresh[table], "\n"))
			}
		}
		for table := range stepped {
			if fresh[table] == nil {
				t.Errorf("the steps leave the table %s, which a fresh database has not", table)
			}
		}
	})
}

// Bare drops all tables of a database, the engine's included.
func Bare(db *gorm.DB) error {
	tables, err := db.Migrator().GetTables()
	for _, table := range tables {
		if err := db.Migrator().DropTable(table); err != nil {
			return err
		}
	}
	return err
}
