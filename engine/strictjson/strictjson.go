// Package strictjson reads JSON from strangers. It refuses what encoding/json lets through although
// two readers could take it for two different things: a name twice in one object, a field that
// differs from the expected one in its case, a field nobody knows, a second value after the first,
// text that is not UTF-8 and nesting without end.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// DepthMax is how deep objects and arrays may be nested unless Limits says otherwise.
const DepthMax = 64

// Limits bounds a document. The zero value allows DepthMax levels and any length.
type Limits struct {
	Depth int // levels of objects and arrays; 0 means DepthMax
	Bytes int // length of the whole document; 0 means no limit
}

// ErrNotStrict matches every error of this package.
var ErrNotStrict = errors.New("not acceptable JSON")

// Error says what is wrong with a document and where. It matches ErrNotStrict.
type Error struct {
	Problem string
	Offset  int // in bytes from the start; -1 where no place can be named
}

func (e *Error) Error() string {
	if e.Offset < 0 {
		return e.Problem
	}
	return fmt.Sprintf("%s (at byte %d)", e.Problem, e.Offset)
}

// Unwrap returns ErrNotStrict.
func (e *Error) Unwrap() error { return ErrNotStrict }

// Check reports the first reason why data is not exactly one JSON value within the limits, in valid
// UTF-8 and without duplicate names in any object. The error is an *Error.
func Check(data []byte, limits Limits) error {
	if limits.Depth == 0 {
		limits.Depth = DepthMax
	}
	if limits.Bytes > 0 && len(data) > limits.Bytes {
		return &Error{Problem: fmt.Sprintf("%d bytes, at most %d", len(data), limits.Bytes), Offset: limits.Bytes}
	}
	if !utf8.Valid(data) {
		return &Error{Problem: "invalid UTF-8", Offset: firstInvalid(data)}
	}
	// Depth comes before syntax: the walk needs no recursion, and a bomb must cost one pass.
	w := walker{data: data, depthMax: limits.Depth}
	if err := w.depths(); err != nil {
		return err
	}
	if !json.Valid(data) {
		return syntaxError(data)
	}
	return w.names()
}

// Decode checks data without limits of its own beyond DepthMax and decodes it into v, which must be
// a non-nil pointer. Names have to match fields exactly, case included. Errors of the document match
// ErrNotStrict.
func Decode(data []byte, v any) error {
	if err := Check(data, Limits{}); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return decodeError(err)
	}
	return exactNames(data, v)
}

func firstInvalid(data []byte) int {
	at := 0
	for at < len(data) {
		r, n := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

func syntaxError(data []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return &Error{Problem: syntax.Error(), Offset: int(syntax.Offset)}
	case err != nil:
		return &Error{Problem: err.Error(), Offset: -1}
	}
	return &Error{Problem: "malformed JSON", Offset: -1}
}

func decodeError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		where := wrong.Field
		if where == "" {
			where = "the value"
		}
		return &Error{Problem: fmt.Sprintf("%s: want %v, got %s", where, wrong.Type, wrong.Value), Offset: int(wrong.Offset)}
	}
	return &Error{Problem: err.Error(), Offset: -1}
}
