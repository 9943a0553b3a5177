package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gorm.io/gorm"

	"example.com/orderd/engine/internal/sqldb"
	"example.com/orderd/engine/internal/sqldb/sqltext"
)

// change is one CREATE TABLE or ALTER TABLE.
type change struct {
	table   string
	create  string // the statement; empty for an ALTER
	actions []action
}

// action is one part of an ALTER TABLE.
type action struct {
	kind    actionKind
	text    string // as it is written
	name    string // of the column or key
	column  column
	unique  bool
	columns []string
}

type actionKind uint8

const (
	addColumn actionKind = iota
	dropColumn
	addKey
	dropKey
)

// parseChange reads one statement.
func parseChange(text string) (ch change, err error) {
	if createTable.MatchString(text) {
		_, err := SQLite(text + ";")
		return change{create: text}, err
	}
	p := newParser(sqltext.Lex(text))
	defer p.recover(&err)
	p.expect("ALTER", "TABLE")
	ch.table = p.name()
	for ok := true; ok; ok = p.take(",") {
		from := p.at
		a := p.action()
		a.text = p.textFrom(from)
		ch.actions = append(ch.actions, a)
	}
	if p.at < len(p.tokens) {
		p.fail("%s is not known here: a step has ADD COLUMN, DROP COLUMN, ADD KEY, ADD UNIQUE KEY and DROP KEY", p.peek())
	}
	return ch, nil
}

func (p *parser) action() action {
	switch {
	case p.take("ADD", "COLUMN"):
		c := p.column()
		if p.take("AFTER") {
			p.name()
		} else {
			p.take("FIRST")
		}
		return action{kind: addColumn, name: c.name, column: c}
	case p.take("DROP", "COLUMN"):
		return action{kind: dropColumn, name: p.name()}
	case p.take("DROP", "KEY"), p.take("DROP", "INDEX"):
		return action{kind: dropKey, name: p.name()}
	case p.take("ADD", "UNIQUE", "KEY"), p.take("ADD", "UNIQUE", "INDEX"):
		return action{kind: addKey, unique: true, name: p.name(), columns: p.names()}
	case p.take("ADD", "KEY"), p.take("ADD", "INDEX"):
		return action{kind: addKey, name: p.name(), columns: p.names()}
	}
	p.fail("%s is not known here: a step has ADD COLUMN, DROP COLUMN, ADD KEY, ADD UNIQUE KEY and DROP KEY", p.peek())
	return action{}
}

// additive reports what programs of the version before would not survive.
func (ch *change) additive() error {
	for i, a := range ch.actions {
		again := slices.ContainsFunc(ch.actions[i+1:], func(b action) bool { return b.kind == addKey && b.name == a.name })
		switch {
		case a.kind == dropColumn:
			return fmt.Errorf("%s.%s is dropped", ch.table, a.name)
		case a.kind == addColumn && a.column.notNull && a.column.value == "":
			return fmt.Errorf("%s.%s may not be null and has no default", ch.table, a.name)
		case a.kind == addKey && a.unique:
			return fmt.Errorf("the key %s of %s is unique", a.name, ch.table)
		case a.kind == dropKey && !again:
			return fmt.Errorf("the key %s of %s is dropped", a.name, ch.table)
		}
	}
	return nil
}

// key is an index as a database has it.
type key struct {
	unique  bool
	columns []string
}

// needed are the statements that make what is missing of the change, none if nothing is.
func (ch *change) needed(ctx context.Context, db *gorm.DB) ([]string, error) {
	dialect := dialectOf(db)
	if ch.create != "" {
		return ch.creating(ctx, db, dialect)
	}
	columns, keys, err := lookAt(ctx, db, ch.table)
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("there is no table %s, though engine_schema says so", ch.table)
	}
	var parts []action
	for i, a := range ch.actions {
		switch a.kind {
		case addColumn, dropColumn:
			if slices.Contains(columns, strings.ToLower(a.name)) == (a.kind == dropColumn) {
				parts = append(parts, a)
			}
		case addKey, dropKey:
			has, there := keys[ch.keyName(dialect, a.name)]
			last := ch.lastWord(a.name)
			switch {
			case there && last.kind == addKey && has.unique == last.unique && slices.Equal(has.columns, last.columns): // done
			case a.kind == dropKey && there, a.kind == addKey && (!there || ch.drops(a.name, i)):
				parts = append(parts, a)
			case a.kind == addKey:
				return nil, fmt.Errorf("%s has another key of the name %s, on %s", ch.table, a.name, strings.Join(has.columns, ", "))
			}
		}
	}
	if len(parts) == 0 {
		return nil, nil
	}
	return ch.write(dialect, parts), nil
}

func (ch *change) lastWord(keyName string) action {
	for _, a := range slices.Backward(ch.actions) {
		if (a.kind == addKey || a.kind == dropKey) && a.name == keyName {
			return a
		}
	}
	return action{}
}

// drops reports whether a key is dropped before the ith action.
func (ch *change) drops(keyName string, i int) bool {
	return slices.ContainsFunc(ch.actions[:i], func(a action) bool { return a.kind == dropKey && a.name == keyName })
}

func (ch *change) keyName(dialect sqldb.Dialect, name string) string {
	if dialect == sqldb.SQLite {
		return indexName(ch.table, name)
	}
	return name
}

// write makes statements of actions: one in the MySQL family, so that the table is gone through once.
func (ch *change) write(dialect sqldb.Dialect, parts []action) []string {
	if dialect == sqldb.MySQL {
		texts := make([]string, len(parts))
		for i, a := range parts {
			texts[i] = a.text
		}
		return []string{"ALTER TABLE " + quote(ch.table) + " " + strings.Join(texts, ", ")}
	}
	statements := make([]string, len(parts))
	for i, a := range parts {
		switch a.kind {
		case addColumn:
			statements[i] = "ALTER TABLE " + quote(ch.table) + " ADD COLUMN " + a.column.sqlite()
		case dropColumn:
			statements[i] = "ALTER TABLE " + quote(ch.table) + " DROP COLUMN " + quote(a.name)
		case addKey:
			statements[i] = createIndex(ch.table, a.name, a.unique, a.columns)
		case dropKey:
			statements[i] = "DROP INDEX " + quote(indexName(ch.table, a.name))
		}
	}
	return statements
}

func (ch *change) creating(ctx context.Context, db *gorm.DB, dialect sqldb.Dialect) ([]string, error) {
	p := newParser(sqltext.Lex(ch.create))
	p.expect("CREATE", "TABLE")
	p.take("IF", "NOT", "EXISTS")
	columns, _, err := lookAt(ctx, db, p.name())
	if err != nil || len(columns) > 0 {
		return nil, err
	}
	return creating(dialect, ch.create+";")
}

// lookAt returns the columns of a table, in lower case, and its keys by name; no columns if it is not there.
func lookAt(ctx context.Context, db *gorm.DB, table string) (columns []string, keys map[string]key, err error) {
	columnsOf := "SELECT LOWER(column_name) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?"
	keysOf := `SELECT index_name, non_unique = 0, column_name FROM information_schema.statistics
		WHERE table_schema = DATABASE() AND table_name = ? ORDER BY index_name, seq_in_index`
	if db.Name() == "sqlite" {
		columnsOf = "SELECT LOWER(name) FROM pragma_table_info(?)"
		keysOf = "SELECT l.name, l.`unique`, i.name FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS i ORDER BY " +
			"l.name, i.seqno"
	}
	err = each(ctx, db, columnsOf, []any{table}, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		columns = append(columns, name)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	keys = map[string]key{}
	err = each(ctx, db, keysOf, []any{table}, func(scan func(...any) error) error {
		var name, column string
		var unique bool
		if err := scan(&name, &unique, &column); err != nil {
			return err
		}
		k := keys[name]
		k.unique, k.columns = unique, append(k.columns, column)
		keys[name] = k
		return nil
	})
	return columns, keys, err
}

// each calls f for every row of a reading statement. It needs no more of a handle than its pool.
func each(ctx context.Context, db *gorm.DB, query string, args []any, f func(scan func(...any) error) error) (err error) {
	rows, err := db.Statement.ConnPool.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

var createTable = regexp.MustCompile(`(?i)^CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?`)

// creating returns the statements that create what is missing. Deriving them checks the text for
// the MySQL family, too.
func creating(d sqldb.Dialect, ddl string) ([]string, error) {
	derived, err := SQLite(ddl)
	if err != nil || d == sqldb.SQLite {
		return derived, err
	}
	statements := Statements(ddl)
	for i, s := range statements {
		statements[i] = createTable.ReplaceAllLiteralString(s, "CREATE TABLE IF NOT EXISTS ")
	}
	return statements, nil
}

func dialectOf(db *gorm.DB) sqldb.Dialect {
	if db.Name() == "sqlite" {
		return sqldb.SQLite
	}
	return sqldb.MySQL
}
