package sqldb

import (
	"fmt"
	"strings"
)

// token is a piece of SQL text.
type token struct {
	kind tokenKind
	text string
	line int
}

type tokenKind uint8

const (
	space tokenKind = iota // and comments
	word                   // a name or number, perhaps in backticks
	text                   // in quotes
	mark                   // anything else, one character
)

// lex cuts SQL text into tokens. A quote without its end reaches to the end of the text.
func lex(sql string) []token {
	var tokens []token
	for line := 1; sql != ""; {
		t := token{line: line}
		n := 1
		switch c := sql[0]; {
		case strings.HasPrefix(sql, "--"), c == '#':
			n = through(sql, "\n", 0)
		case strings.HasPrefix(sql, "/*"):
			n = through(sql, "*/", 2)
		case strings.IndexByte(" \t\r\n", c) >= 0:
			n = len(sql) - len(strings.TrimLeft(sql, " \t\r\n"))
		case c == '\'' || c == '"':
			t.kind, n = text, quoted(sql)
		case c == '`':
			t.kind, n = word, through(sql, "`", 1)
		case isWord(c):
			t.kind = word
			for n < len(sql) && isWord(sql[n]) {
				n++
			}
		default:
			t.kind = mark
		}
		t.text = sql[:n]
		line += strings.Count(t.text, "\n")
		tokens = append(tokens, t)
		sql = sql[n:]
	}
	return tokens
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// through is the length of s up to and with the first end at or after from.
func through(s, end string, from int) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

// quoted is the length of the quoted text that s begins with.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// split cuts tokens at semicolons and drops what holds only space.
func split(tokens []token) [][]token {
	var statements [][]token
	var current []token
	full := false
	for _, t := range append(tokens, token{kind: mark, text: ";"}) {
		if t.kind == mark && t.text == ";" {
			if full {
				statements = append(statements, current)
			}
			current, full = nil, false
			continue
		}
		current = append(current, t)
		full = full || t.kind != space
	}
	return statements
}

// Statements cuts SQL text at its semicolons. Comments are dropped, and statements that hold
// nothing else.
func Statements(ddl string) []string {
	var statements []string
	for _, tokens := range split(lex(ddl)) {
		var b strings.Builder
		for _, t := range tokens {
			switch {
			case t.kind != space:
				b.WriteString(t.text)
			case strings.TrimLeft(t.text, " \t\r\n") == "":
				b.WriteString(t.text)
			default: // a comment parts words
				b.WriteByte(' ')
			}
		}
		statements = append(statements, strings.TrimSpace(b.String()))
	}
	return statements
}

// unquote is the content of a text token.
func unquote(t token) (string, error) {
	if len(t.text) < 2 || t.text[len(t.text)-1] != t.text[0] || strings.ContainsRune(t.text, '\\') {
		return "", fmt.Errorf("line %d: text without an end, or with a backslash: %s", t.line, t.text)
	}
	q := t.text[:1]
	return strings.ReplaceAll(t.text[1:len(t.text)-1], q+q, q), nil
}
