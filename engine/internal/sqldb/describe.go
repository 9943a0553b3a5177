package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/orderd/engine/internal/sqldb/sqltext"
)

// TableInfo is a table as the database knows it.
type TableInfo struct {
	Kind     string // "BASE TABLE", "VIEW" …; empty where there is no such table
	Engine   string // storage engine; empty on SQLite
	Unsafe   bool   // the storage engine has no transactions
	Columns  []ColumnInfo
	Unique   [][]string // columns of each unique key; an expression is ""
	Triggers []string   // such as "audit (BEFORE UPDATE)"
	ReadOnly bool       // the session or its server takes no writes
}

// ColumnInfo is a column as the database knows it.
type ColumnInfo struct {
	Name      string
	Type      string   // as declared, such as "varchar(20)"
	Kind      string   // without size and sign, in lower case; on SQLite its affinity, such as "integer"
	Length    int64    // the most characters or bytes that it holds; -1 where that is no question
	Members   []string // of an ENUM
	Charset   string   // of text on MySQL; else empty
	Collation string
	Precision int // of fractional seconds; 6 where that is no question

	Nullable, HasDefault, Generated, AutoIncrement bool

	OnUpdate bool // the database sets it to the time of each update by itself
}

// Column is the column of a name, nil if there is none.
func (t TableInfo) Column(name string) *ColumnInfo {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return &t.Columns[i]
		}
	}
	return nil
}

// UniqueOn reports whether some unique key consists of one column alone.
func (t TableInfo) UniqueOn(column string) bool {
	return slices.ContainsFunc(t.Unique, func(key []string) bool { return len(key) == 1 && strings.EqualFold(key[0], column) })
}

// Quote is a name as SQL; "schema.table" becomes two.
func Quote(name string) string { return quote(name) }

// Text is a constant as SQL.
func Text(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}

// Describe looks at a table; "schema.table" is understood.
func (db *DB) Describe(ctx context.Context, table string) (TableInfo, error) {
	var t TableInfo
	schema, name := "", table
	if i := strings.LastIndexByte(table, '.'); i >= 0 {
		schema, name = table[:i], table[i+1:]
	}
	describe := db.describeMySQL
	if db.dialect == SQLite {
		describe = db.describeSQLite
	}
	if err := describe(ctx, &t, schema, name); err != nil {
		return t, fmt.Errorf("look at the table %s: %w", table, err)
	}
	return t, nil
}

func (db *DB) describeMySQL(ctx context.Context, t *TableInfo, schema, name string) error {
	where, args := "TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?", []any{name}
	if schema != "" {
		where, args = "TABLE_SCHEMA = ? AND TABLE_NAME = ?", []any{schema, name}
	}
	transactions := ""
	err := db.Each(ctx, `SELECT t.TABLE_TYPE, COALESCE(t.ENGINE, ''), COALESCE(e.TRANSACTIONS, ''), @@global.read_only
		FROM information_schema.TABLES AS t LEFT JOIN information_schema.ENGINES AS e ON e.ENGINE = t.ENGINE WHERE `+where, args,
		func(r *sql.Rows) error {
			var readOnly string
			err := r.Scan(&t.Kind, &t.Engine, &transactions, &readOnly)
			t.ReadOnly = SwitchedOn(readOnly)
			return err
		})
	if err != nil || t.Kind == "" {
		return err
	}
	t.Unsafe = strings.EqualFold(transactions, "NO") || transactions == "" && plainEngines[strings.ToLower(t.Engine)]
	err = db.Each(ctx, `SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH, -1), COALESCE(CHARACTER_SET_NAME, ''),
		COALESCE(COLLATION_NAME, ''), COALESCE(DATETIME_PRECISION, 6), IS_NULLABLE, COLUMN_DEFAULT IS NOT NULL, EXTRA
		FROM information_schema.COLUMNS WHERE `+where+` ORDER BY ORDINAL_POSITION`, args, func(r *sql.Rows) error {
		var c ColumnInfo
		var nullable, extra string
		err := r.Scan(&c.Name, &c.Type, &c.Kind, &c.Length, &c.Charset, &c.Collation, &c.Precision, &nullable, &c.HasDefault, &extra)
		if err != nil {
			return err
		}
		c.Kind, extra = strings.ToLower(c.Kind), strings.ToLower(extra)
		c.Nullable = nullable != "NO"
		c.AutoIncrement = strings.Contains(extra, "auto_increment")
		c.OnUpdate = strings.Contains(extra, "on update")
		for _, word := range []string{"virtual", "stored", "persistent"} {
			c.Generated = c.Generated || strings.HasPrefix(extra, word)
		}
		if c.Kind == "enum" {
			c.Members = members(c.Type)
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
	if err != nil {
		return err
	}
	last := ""
	err = db.Each(ctx, `SELECT INDEX_NAME, COALESCE(COLUMN_NAME, '') FROM information_schema.STATISTICS
		WHERE `+where+` AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`, args, func(r *sql.Rows) error {
		var key, column string
		if err := r.Scan(&key, &column); err != nil {
			return err
		}
		t.Unique, last = addToKey(t.Unique, last, key, column)
		return nil
	})
	if err != nil {
		return err
	}
	where = strings.ReplaceAll(strings.ReplaceAll(where, "TABLE_SCHEMA", "EVENT_OBJECT_SCHEMA"), "TABLE_NAME", "EVENT_OBJECT_TABLE")
	return db.Each(ctx, `SELECT TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION FROM information_schema.TRIGGERS WHERE `+where+
		` ORDER BY TRIGGER_NAME`, args, func(r *sql.Rows) error {
		var name, timing, event string
		err := r.Scan(&name, &timing, &event)
		t.Triggers = append(t.Triggers, fmt.Sprintf("%s (%s %s)", name, timing, event))
		return err
	})
}

// plainEngines are storage engines without transactions, for servers that do not say which are.
var plainEngines = map[string]bool{
	"myisam": true, "aria": true, "memory": true, "heap": true, "csv": true, "archive": true, "blackhole": true,
	"mrg_myisam": true, "merge": true, "federated": true, "isam": true, "s3": true, "connect": true, "mroonga": true,
	"sphinx": true, "oqgraph": true,
}

func addToKey(keys [][]string, last, key, column string) ([][]string, string) {
	if last != key || len(keys) == 0 {
		return append(keys, []string{column}), key
	}
	keys[len(keys)-1] = append(keys[len(keys)-1], column)
	return keys, key
}

// members are those of a declared ENUM: enum('a','it”s').
func members(declared string) []string {
	var all []string
	for _, t := range sqltext.Lex(declared) {
		if t.Kind == sqltext.Text && len(t.Text) >= 2 {
			all = append(all, strings.ReplaceAll(strings.ReplaceAll(t.Text[1:len(t.Text)-1], "''", "'"), `\\`, `\`))
		}
	}
	return all
}

func (db *DB) describeSQLite(ctx context.Context, t *TableInfo, schema, name string) error {
	master, in := "sqlite_master", "main"
	if schema != "" {
		master, in = quote(schema)+".sqlite_master", schema
	}
	err := db.Each(ctx, `SELECT type, COALESCE(sql, '') FROM `+master+
		` WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')`, []any{name},
		func(r *sql.Rows) error {
			var kind, sql string
			err := r.Scan(&kind, &sql)
			switch {
			case kind == "view":
				t.Kind = "VIEW"
			case strings.HasPrefix(strings.ToUpper(sql), "CREATE VIRTUAL"):
				t.Kind = "VIRTUAL TABLE"
			default:
				t.Kind = "BASE TABLE"
			}
			return err
		})
	if err != nil || t.Kind == "" {
		return err
	}
	var primary []string
	err = db.Each(ctx, `SELECT name, type, "notnull", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?, ?)`,
		[]any{name, in}, func(r *sql.Rows) error {
			c := ColumnInfo{Length: -1, Precision: 6}
			var notNull, pk, hidden int
			if err := r.Scan(&c.Name, &c.Type, &notNull, &c.HasDefault, &pk, &hidden); err != nil {
				return err
			}
			c.Kind, c.Nullable, c.Generated = affinity(c.Type), notNull == 0 && pk == 0, hidden >= 2
			if pk > 0 {
				primary = append(primary, c.Name)
				c.AutoIncrement = strings.EqualFold(c.Type, "INTEGER")
			}
			t.Columns = append(t.Columns, c)
			return nil
		})
	if err != nil {
		return err
	}
	if len(primary) > 0 {
		t.Unique = append(t.Unique, primary)
	}
	last := ""
	err = db.Each(ctx, `SELECT l.name, COALESCE(i.name, ''), i.coll FROM pragma_index_list(?, ?) AS l JOIN pragma_index_xinfo(l.name, ?) AS i
		WHERE l."unique" = 1 AND l.partial = 0 AND i.key = 1 ORDER BY l.name, i.seqno`, []any{name, in, in}, func(r *sql.Rows) error {
		var key, column, collation string
		if err := r.Scan(&key, &column, &collation); err != nil {
			return err
		}
		t.Unique, last = addToKey(t.Unique, last, key, column)
		if c := t.Column(column); c != nil && c.Collation == "" {
			c.Collation = collation
		}
		return nil
	})
	if err != nil {
		return err
	}
	return db.Each(ctx, `SELECT name FROM `+master+` WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY name`,
		[]any{name}, func(r *sql.Rows) error {
			var trigger string
			err := r.Scan(&trigger)
			t.Triggers = append(t.Triggers, trigger)
			return err
		})
}

// affinity is what SQLite makes of a declared type.
func affinity(declared string) string {
	t := strings.ToUpper(declared)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(t, w) })
	}
	switch {
	case has("INT"):
		return "integer"
	case has("CHAR", "CLOB", "TEXT"):
		return "text"
	case t == "", has("BLOB"):
		return "blob"
	case has("REAL", "FLOA", "DOUB"): //nolint:misspell // so SQLite has it: https://www.sqlite.org/datatype3.html#determination_of_column_affinity
		return "real"
	}
	return "numeric"
}

// AddVersion is the SQL that adds a version column to a table. Rows that are there get version 0, which is that
// of a row the engine has not adopted.
func (d Dialect) AddVersion(table, column string) string {
	return "ALTER TABLE " + quote(table) + " ADD COLUMN " + quote(column) + " BIGINT NOT NULL DEFAULT 0"
}

// Modify is the SQL that gives a column another type; on SQLite, which cannot do that, it is empty.
func (d Dialect) Modify(table, column, definition string) string {
	if d == SQLite {
		return ""
	}
	return "ALTER TABLE " + quote(table) + " MODIFY COLUMN " + quote(column) + " " + definition
}

// Enum is the type that has some members.
func Enum(members []string) string {
	quoted := make([]string, len(members))
	for i, m := range members {
		quoted[i] = Text(m)
	}
	return "ENUM(" + strings.Join(quoted, ",") + ")"
}

// VarcharOf is a text type for the longest of some texts, with room.
func VarcharOf(longest int) string {
	size := 32
	for size < longest {
		size *= 2
	}
	return "VARCHAR(" + strconv.Itoa(size) + ") CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
}

// LostIn is those of some texts that a character set of the server cannot hold as they are.
func (db *DB) LostIn(ctx context.Context, charset string, texts []string) (lost []string, err error) {
	if db.dialect == SQLite || charset == "utf8mb4" || charset == "binary" {
		return nil, nil
	}
	if !charsetName.MatchString(charset) {
		return nil, fmt.Errorf("sqldb: %q is no name of a character set", charset)
	}
	for _, text := range texts {
		same := false
		err := db.Each(ctx, "SELECT CAST(CONVERT(CONVERT(? USING "+charset+") USING utf8mb4) AS BINARY) = CAST(? AS BINARY)",
			[]any{text, text},
			func(r *sql.Rows) error { return r.Scan(&same) })
		if err != nil {
			return nil, err
		}
		if !same {
			lost = append(lost, text)
		}
	}
	return lost, nil
}

var charsetName = regexp.MustCompile(`^[a-z0-9_]+$`)
