// Package sqltext cuts SQL text into tokens and statements. It knows quotes and comments, and no grammar.
package sqltext

import (
	"fmt"
	"strings"
)

// Token is a piece of SQL text.
type Token struct {
	Kind Kind
	Text string
	Line int // of its first character, from 1
}

// Kind is what a token is.
type Kind uint8

// The kinds of tokens.
const (
	Space Kind = iota // and comments
	Word              // a name or number, perhaps in backticks
	Text              // in quotes
	Mark              // anything else, one character
)

// Lex cuts SQL text into tokens. A quote without its end reaches to the end of the text.
func Lex(sql string) []Token {
	var tokens []Token
	for line := 1; sql != ""; {
		t := Token{Line: line}
		n := 1
		switch c := sql[0]; {
		case strings.HasPrefix(sql, "--"), c == '#':
			n = through(sql, "\n", 0)
		case strings.HasPrefix(sql, "/*"):
			n = through(sql, "*/", 2)
		case strings.IndexByte(" \t\r\n", c) >= 0:
			n = len(sql) - len(strings.TrimLeft(sql, " \t\r\n"))
		case c == '\'' || c == '"':
			t.Kind, n = Text, quoted(sql)
		case c == '`':
			t.Kind, n = Word, through(sql, "`", 1)
		case isWord(c):
			t.Kind = Word
			for n < len(sql) && isWord(sql[n]) {
				n++
			}
		default:
			t.Kind = Mark
		}
		t.Text = sql[:n]
		line += strings.Count(t.Text, "\n")
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

// Split cuts tokens at semicolons and drops what holds only space.
func Split(tokens []Token) [][]Token {
	var statements [][]Token
	var current []Token
	full := false
	for _, t := range append(tokens, Token{Kind: Mark, Text: ";"}) {
		if t.Kind == Mark && t.Text == ";" {
			if full {
				statements = append(statements, current)
			}
			current, full = nil, false
			continue
		}
		current = append(current, t)
		full = full || t.Kind != Space
	}
	return statements
}

// Statements cuts SQL text at its semicolons. Comments are dropped, and statements that hold
// nothing else.
func Statements(ddl string) []string {
	var statements []string
	for _, tokens := range Split(Lex(ddl)) {
		var b strings.Builder
		for _, t := range tokens {
			switch {
			case t.Kind != Space:
				b.WriteString(t.Text)
			case strings.TrimLeft(t.Text, " \t\r\n") == "":
				b.WriteString(t.Text)
			default: // a comment parts words
				b.WriteByte(' ')
			}
		}
		statements = append(statements, strings.TrimSpace(b.String()))
	}
	return statements
}

// Unquote is the content of a token of Text. One without an end or with a backslash is refused.
func Unquote(t Token) (string, error) {
	if len(t.Text) < 2 || t.Text[len(t.Text)-1] != t.Text[0] || strings.ContainsRune(t.Text, '\\') {
		return "", fmt.Errorf("line %d: text without an end, or with a backslash: %s", t.Line, t.Text)
	}
	q := t.Text[:1]
	return strings.ReplaceAll(t.Text[1:len(t.Text)-1], q+q, q), nil
}

// OneLine is SQL text with single spaces for all space and comments outside of quotes.
func OneLine(sql string) string {
	var b strings.Builder
	for _, t := range Lex(strings.TrimSpace(sql)) {
		switch {
		case t.Kind != Space:
			b.WriteString(t.Text)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), " "):
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}
