package schema

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/orderd/engine/internal/sqldb/sqltext"
)

// Statements cuts SQL text at its semicolons. Comments are dropped, and statements that hold nothing else.
func Statements(ddl string) []string { return sqltext.Statements(ddl) }

// SQLite turns CREATE TABLE statements for the MySQL family into statements for SQLite that hold
// the same promises: lengths, integers and times in UTC are checked, since SQLite would take
// anything. It knows the style of this project's schema files and refuses everything else, naming
// the line.
//
// VARBINARY, VARCHAR and the TEXT types become TEXT, so pass strings for them and []byte for
// BINARY and the BLOB types. Names of indexes get the table's name in front, because SQLite's are
// not local to their table.
func SQLite(ddl string) ([]string, error) {
	var out []string
	for _, tokens := range sqltext.Split(sqltext.Lex(ddl)) {
		statements, err := newParser(tokens).createTable()
		if err != nil {
			return nil, fmt.Errorf("schema: deriving the SQLite schema: %w", err)
		}
		out = append(out, statements...)
	}
	return out, nil
}

// parser reads one statement. Its methods panic with a parseError; whoever calls them defers recover.
type parser struct {
	tokens []sqltext.Token
	spaced []bool // there is space in front of the token
	at     int
}

func newParser(tokens []sqltext.Token) *parser {
	p := &parser{}
	spaced := false
	for _, t := range tokens {
		if spaced = spaced || t.Kind == sqltext.Space; t.Kind != sqltext.Space {
			p.tokens, p.spaced, spaced = append(p.tokens, t), append(p.spaced, spaced), false
		}
	}
	return p
}

// recover turns a parseError into an error.
func (p *parser) recover(err *error) {
	if r := recover(); r != nil {
		e, ok := r.(parseError)
		if !ok {
			panic(r)
		}
		*err = e.error
	}
}

// textFrom is what was read since a place, in one line.
func (p *parser) textFrom(from int) string {
	var b strings.Builder
	for i := from; i < p.at; i++ {
		if i > from && p.spaced[i] {
			b.WriteByte(' ')
		}
		b.WriteString(p.tokens[i].Text)
	}
	return b.String()
}

type parseError struct{ error }

func (p *parser) fail(format string, args ...any) {
	line := 0
	if len(p.tokens) > 0 {
		line = p.tokens[min(p.at, len(p.tokens)-1)].Line
	}
	panic(parseError{fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))})
}

// peek is the next token in upper case, "" at the end.
func (p *parser) peek() string {
	if p.at >= len(p.tokens) {
		return ""
	}
	return strings.ToUpper(p.tokens[p.at].Text)
}

// take moves past the given words if they come next, all of them.
func (p *parser) take(words ...string) bool {
	start := p.at
	for _, w := range words {
		if p.peek() != w {
			p.at = start
			return false
		}
		p.at++
	}
	return true
}

func (p *parser) expect(words ...string) {
	if !p.take(words...) {
		p.fail("%q instead of %q", p.peek(), strings.Join(words, " "))
	}
}

func (p *parser) name() string {
	if p.at >= len(p.tokens) || p.tokens[p.at].Kind != sqltext.Word {
		p.fail("%q instead of a name", p.peek())
	}
	p.at++
	return strings.Trim(p.tokens[p.at-1].Text, "`")
}

func (p *parser) number() int {
	n, err := strconv.Atoi(p.peek())
	if err != nil || n < 0 {
		p.fail("%q instead of a number", p.peek())
	}
	p.at++
	return n
}

func (p *parser) text() string {
	if p.at >= len(p.tokens) || p.tokens[p.at].Kind != sqltext.Text {
		p.fail("%q instead of a text in quotes", p.peek())
	}
	s, err := sqltext.Unquote(p.tokens[p.at])
	if err != nil {
		panic(parseError{err})
	}
	p.at++
	return s
}

func (p *parser) names() []string {
	p.expect("(")
	names := []string{p.name()}
	for p.take(",") {
		names = append(names, p.name())
	}
	p.expect(")")
	return names
}

// table is what one CREATE TABLE says.
type table struct {
	name    string
	columns []column
	primary []string
	indexes []string // CREATE INDEX statements
}

func (p *parser) createTable() (statements []string, err error) {
	defer p.recover(&err)
	p.expect("CREATE", "TABLE")
	p.take("IF", "NOT", "EXISTS")
	t := table{name: p.name()}
	p.expect("(")
	for ok := true; ok; ok = p.take(",") {
		p.entry(&t)
	}
	p.expect(")")
	p.options()
	return t.sqlite(p), nil
}

func (p *parser) entry(t *table) {
	switch {
	case p.take("PRIMARY", "KEY"):
		t.primary = p.names()
	case p.take("UNIQUE", "KEY"), p.take("UNIQUE", "INDEX"):
		p.index(t, true)
	case p.take("KEY"), p.take("INDEX"):
		p.index(t, false)
	case p.peek() == "CONSTRAINT", p.peek() == "FOREIGN", p.peek() == "CHECK", p.peek() == "FULLTEXT", p.peek() == "SPATIAL":
		p.fail("%s is not supported: the tables hold nothing that one of the databases lacks", p.peek())
	default:
		t.columns = append(t.columns, p.column())
		return
	}
	if p.take("COMMENT") {
		p.text()
	}
}

func (p *parser) index(t *table, unique bool) {
	name := p.name()
	t.indexes = append(t.indexes, createIndex(t.name, name, unique, p.names()))
}

// createIndex makes an index on SQLite, where the names of indexes are not local to their table.
func createIndex(table, name string, unique bool, columns []string) string {
	kind := "INDEX"
	if unique {
		kind = "UNIQUE INDEX"
	}
	return fmt.Sprintf("CREATE %s IF NOT EXISTS %s ON %s (%s)", kind, quote(indexName(table, name)), quote(table), quoteAll(columns))
}

func indexName(table, name string) string { return table + "_" + strings.TrimPrefix(name, table+"_") }

func (p *parser) options() {
	for p.at < len(p.tokens) {
		switch {
		case p.take("ENGINE", "="), p.take("DEFAULT", "CHARSET", "="), p.take("COLLATE", "="):
			p.name()
		case p.take("COMMENT", "="):
			p.text()
		default:
			p.fail("unknown table option %s", p.peek())
		}
	}
}

// sqlite writes the statements. A table whose rows are small is stored in its primary key; with
// large values in it, that would slow down every walk over the key.
func (t *table) sqlite(p *parser) []string {
	if len(t.primary) == 0 {
		p.fail("table %s has no PRIMARY KEY", t.name)
	}
	var lines []string
	large := false
	integerKey := false
	for _, c := range t.columns {
		lines = append(lines, c.sqlite())
		large = large || c.kind.large
		integerKey = integerKey || len(t.primary) == 1 && c.name == t.primary[0] && c.kind.sqlite == "INTEGER"
	}
	lines = append(lines, "PRIMARY KEY ("+quoteAll(t.primary)+")")
	suffix := " WITHOUT ROWID"
	if large || integerKey {
		suffix = ""
	}
	create := fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n  %s\n)%s", quote(t.name), strings.Join(lines, ",\n  "), suffix)
	return append([]string{create}, t.indexes...)
}
