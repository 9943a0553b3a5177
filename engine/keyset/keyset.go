// Package keyset pages through a list by the key of its last row (keyset pagination): a page costs the same however
// far back it lies, and rows that come or go meanwhile make no row appear twice or never. The place of a page is an
// opaque text, its cursor, which callers hand back.
package keyset

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/orderd/engine"
	"example.com/orderd/engine/strictjson"
)

// Bounds of a page.
const (
	LimitDefault = 50
	LimitMax     = 200
	cursorMax    = 4096 // bytes of a cursor
)

// The years that a database can compare with: MySQL's DATETIME knows these and the one after.
const (
	YearMin = 1000
	YearMax = 9998
)

// Column is one that rows are ordered by.
type Column struct {
	name string
	kind kind
	max  int
}

type kind uint8

const (
	instant kind = iota
	text
	ident
	integer
)

// Time is a column of times, to the microsecond.
func Time(name string) Column { return Column{name: name, kind: instant} }

// Text is a column of UTF-8 text without control characters, of at most so many bytes.
func Text(name string, most int) Column { return Column{name: name, kind: text, max: most} }

// ID is a column of identifiers: visible ASCII, at most so many bytes and at least one.
func ID(name string, most int) Column { return Column{name: name, kind: ident, max: most} }

// Int is a column of integers.
func Int(name string) Column { return Column{name: name, kind: integer} }

// List is a list in the order of some columns, all of them falling, which together name a row. Where it is searched
// by an index, that has to begin with them. It is safe for concurrent use once made.
type List []Column

// Part says which rows are the next page.
type Part struct {
	Where string // a condition in SQL, true for the first page
	Args  []any  // its arguments
	Order string // what to ORDER BY
	Limit int    // rows of the page; read one more, so that Cut knows whether there is another

	list   List
	filter string
}

// Next reads a cursor, "" for the first page, and a limit, 0 for LimitDefault. filter is what the rows are chosen by,
// without cursor and limit: a cursor that was made under another one is refused; nil binds to none. Errors are
// *engine.RequestError for the fields cursor and limit.
func (l List) Next(cursor string, limit int, filter any) (Part, error) {
	p := Part{Where: "1 = 1", Order: l.order(), Limit: limit, list: l, filter: fingerprint(filter)}
	if limit == 0 {
		p.Limit = LimitDefault
	}
	if p.Limit < 1 || p.Limit > LimitMax {
		return Part{}, &engine.RequestError{Field: "limit", Problem: fmt.Sprintf("want 1 to %d", LimitMax)}
	}
	if cursor == "" {
		return p, nil
	}
	if len(cursor) > cursorMax {
		return Part{}, &engine.RequestError{Field: "cursor", Problem: "too long"}
	}
	key, bound, ok := l.read(cursor)
	if !ok {
		return Part{}, &engine.RequestError{Field: "cursor", Problem: "not one of ours"}
	}
	if bound != p.filter {
		return Part{}, &engine.RequestError{Field: "cursor", Problem: "made for another filter"}
	}
	p.Where, p.Args = l.after(key)
	return p, nil
}

// Cursor is the cursor of the page behind a row, given its columns in the order of the list: time.Time, string or int64.
func (p Part) Cursor(key ...any) string {
	said := place{Filter: p.filter, Key: make([]json.RawMessage, len(key))}
	for i, v := range key {
		if at, ok := v.(time.Time); ok {
			v = at.UnixMicro()
		}
		said.Key[i], _ = json.Marshal(v) // numbers and strings
	}
	text, _ := json.Marshal(said)
	return base64.RawURLEncoding.EncodeToString(text)
}

// Cut cuts what was read to the page, and returns the cursor of the next, "" if this is the last. key gives the
// columns of a row.
func Cut[T any](p Part, rows []T, key func(T) []any) (page []T, next string) {
	if len(rows) <= p.Limit {
		return rows, ""
	}
	page = rows[:p.Limit]
	return page, p.Cursor(key(page[p.Limit-1])...)
}

// place is a cursor before it is encoded.
type place struct {
	Key    []json.RawMessage `json:"k"`
	Filter string            `json:"f,omitempty"`
}

// fingerprint tells filters apart.
func fingerprint(filter any) string {
	if filter == nil {
		return ""
	}
	text, _ := json.Marshal(filter) // strings, numbers and times
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// read decodes a cursor and checks that a database can compare with every part of it.
func (l List) read(cursor string) (key []any, filter string, ok bool) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	var p place
	if err != nil || strictjson.Decode(decoded, &p) != nil || len(p.Key) != len(l) {
		return nil, "", false
	}
	for i, c := range l {
		v, ok := c.read(p.Key[i])
		if !ok {
			return nil, "", false
		}
		key = append(key, v)
	}
	return key, p.Filter, true
}

func (c Column) read(raw json.RawMessage) (any, bool) {
	if string(raw) == "null" {
		return nil, false
	}
	if c.kind == instant || c.kind == integer {
		var n int64
		if json.Unmarshal(raw, &n) != nil {
			return nil, false
		}
		if c.kind == integer {
			return n, true
		}
		at := time.UnixMicro(n).UTC()
		return at, at.Year() >= YearMin && at.Year() <= YearMax
	}
	var s string
	if json.Unmarshal(raw, &s) != nil || len(s) > c.max || !utf8.ValidString(s) || c.kind == ident && s == "" {
		return nil, false
	}
	wrong := strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || c.kind == ident && (r <= ' ' || r > '~') })
	return s, !wrong
}

func (l List) order() string {
	names := make([]string, len(l))
	for i, c := range l {
		names[i] = c.name + " DESC"
	}
	return strings.Join(names, ", ")
}

// after is the condition of what stands behind a key, in a form that a range of an index answers: the first column
// alone bounds it.
func (l List) after(key []any) (string, []any) {
	first := l[0].name
	if len(l) == 1 {
		return first + " < ?", key
	}
	var names []string
	for _, c := range l[1:] {
		names = append(names, c.name)
	}
	rest, marks := names[0], "?"
	if len(names) > 1 {
		rest, marks = "("+strings.Join(names, ", ")+")", "(?"+strings.Repeat(", ?", len(names)-1)+")"
	}
	return "(" + first + " <= ? AND (" + first + " < ? OR " + rest + " < " + marks + "))", append([]any{key[0]}, key...)
}
