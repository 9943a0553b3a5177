package schema

import (
	"fmt"
	"slices"
	"strings"

	"example.com/orderd/engine/internal/sqldb/sqltext"
)

// column is one column of a derived table.
type column struct {
	name    string
	kind    columnKind
	notNull bool
	value   string // the DEFAULT as SQL, or empty
}

// columnKind is what becomes of a type. check has %[1]s for the column; an empty one checks
// nothing.
type columnKind struct {
	sqlite string
	check  string
	large  bool // values may be much larger than a key
}

func integers(low, high int64) columnKind {
	return columnKind{sqlite: "INTEGER", check: fmt.Sprintf("typeof(%%[1]s) = 'integer' AND %%[1]s BETWEEN %d AND %d", low, high)}
}

// kind reads a type.
func (p *parser) kind() columnKind {
	name := p.peek()
	p.at++
	size := -1
	if p.take("(") {
		size = p.number()
		p.expect(")")
	}
	sized := func(allowed bool) {
		if allowed != (size >= 0) {
			p.at--
			p.fail("%s with or without a size is not supported", name)
		}
	}
	switch name {
	case "VARBINARY", "VARCHAR":
		sized(true)
		length := "length(%[1]s)"
		if name == "VARBINARY" {
			length = "length(CAST(%[1]s AS BLOB))"
		}
		return columnKind{sqlite: "TEXT", check: fmt.Sprintf("typeof(%%[1]s) = 'text' AND %s <= %d", length, size)}
	case "TEXT", "MEDIUMTEXT":
		sized(false)
		limit := map[string]int{"TEXT": 1<<16 - 1, "MEDIUMTEXT": 1<<24 - 1}[name]
		return columnKind{sqlite: "TEXT", large: true,
			check: fmt.Sprintf("typeof(%%[1]s) = 'text' AND length(CAST(%%[1]s AS BLOB)) <= %d", limit)}
	case "BINARY":
		sized(true)
		return columnKind{sqlite: "BLOB", check: fmt.Sprintf("typeof(%%[1]s) = 'blob' AND length(%%[1]s) = %d", size)}
	case "BLOB", "MEDIUMBLOB":
		sized(false)
		limit := map[string]int{"BLOB": 1<<16 - 1, "MEDIUMBLOB": 1<<24 - 1}[name]
		return columnKind{sqlite: "BLOB", large: true, check: fmt.Sprintf("typeof(%%[1]s) = 'blob' AND length(%%[1]s) <= %d", limit)}
	case "BIGINT":
		sized(false)
		return columnKind{sqlite: "INTEGER", check: "typeof(%[1]s) = 'integer'"}
	case "INT":
		sized(false)
		return integers(-1<<31, 1<<31-1)
	case "TINYINT":
		return integers(-128, 127)
	case "BOOLEAN":
		return integers(0, 1)
	case "DATETIME":
		if size != 6 {
			p.at--
			p.fail("DATETIME needs its precision: DATETIME(6)")
		}
		// Times in UTC sort as text.
		return columnKind{sqlite: "DATETIME", check: "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] " +
			"[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*+00:00'"}
	default:
		p.at--
		p.fail("unknown column type %s", name)
		return columnKind{}
	}
}

// columnEnds are what may follow a column, "" being the end of the text.
var columnEnds = []string{",", ")", "AFTER", "FIRST", ""}

func (p *parser) column() column {
	c := column{name: p.name()}
	c.kind = p.kind()
	for {
		switch {
		case p.take("NOT", "NULL"):
			c.notNull = true
		case p.take("NULL"):
		case p.take("COLLATE"), p.take("CHARACTER", "SET"):
			p.name()
		case p.take("COMMENT"):
			p.text()
		case p.take("DEFAULT"):
			c.value = p.literal()
		case slices.Contains(columnEnds, p.peek()):
			return c
		default:
			p.fail("%s is not supported in the column %s", p.peek(), c.name)
		}
	}
}

// literal reads a constant. Functions are refused: time and ids come from the program.
func (p *parser) literal() string {
	switch {
	case p.take("NULL"):
		return "NULL"
	case p.take("TRUE"):
		return "1"
	case p.take("FALSE"):
		return "0"
	case p.take("-"):
		return fmt.Sprint(-p.number())
	case p.at < len(p.tokens) && p.tokens[p.at].Kind == sqltext.Text:
		return "'" + strings.ReplaceAll(p.text(), "'", "''") + "'"
	}
	return fmt.Sprint(p.number())
}

func (c column) sqlite() string {
	line := quote(c.name) + " " + c.kind.sqlite
	if c.notNull {
		line += " NOT NULL"
	}
	if c.value != "" {
		line += " DEFAULT " + c.value
	}
	check := fmt.Sprintf(c.kind.check, quote(c.name))
	if !c.notNull {
		check = quote(c.name) + " IS NULL OR " + check
	}
	return line + " CHECK (" + check + ")"
}

// quote makes an identifier out of a name. Backticks serve both dialects, and unlike double quotes they never let
// SQLite read a misspelt column as a text.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
