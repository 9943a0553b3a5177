package strictjson

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// walker passes over a document byte by byte, without recursion.
type walker struct {
	data     []byte
	depthMax int
}

// depths refuses a document that is nested too deep. It needs no valid syntax: outside of strings
// every opening bracket counts.
func (w *walker) depths() error {
	depth := 0
	for i := 0; i < len(w.data); i++ {
		switch w.data[i] {
		case '"':
			i = w.stringEnd(i)
		case '{', '[':
			if depth++; depth > w.depthMax {
				return &Error{Problem: fmt.Sprintf("nested deeper than %d levels", w.depthMax), Offset: i}
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}

// stringEnd returns the place of the quote that ends the string starting at i, or the last place of
// the document.
func (w *walker) stringEnd(i int) int {
	for i++; i < len(w.data); i++ {
		switch w.data[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(w.data) - 1
}

// names refuses duplicate names and escapes that stand for half a character. The document is known
// to be valid JSON within the allowed depth.
func (w *walker) names() error {
	open := make([]object, 0, 8)
	expectName := false
	for i := 0; i < len(w.data); i++ {
		switch w.data[i] {
		case '{':
			open = append(open, object{isObject: true})
			expectName = true
		case '[':
			open = append(open, object{})
			expectName = false
		case '}', ']':
			open = open[:len(open)-1]
			expectName = false
		case ',':
			expectName = open[len(open)-1].isObject
		case '"':
			end := w.stringEnd(i)
			text, err := w.text(i, end)
			if err != nil {
				return err
			}
			if expectName {
				if !open[len(open)-1].add(text) {
					return &Error{Problem: fmt.Sprintf("name %q twice in one object", text), Offset: i}
				}
				expectName = false
			}
			i = end
		}
	}
	return nil
}

// text is the content of the string from its opening to its closing quote, unescaped.
func (w *walker) text(start, end int) ([]byte, error) {
	raw := w.data[start+1 : end]
	escaped := false
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		escaped = true
		i++
		if raw[i] != 'u' {
			continue
		}
		unit := codeUnit(raw[i+1:])
		i += 4
		switch {
		case unit >= 0xDC00 && unit < 0xE000:
			return nil, &Error{Problem: "half of a surrogate pair", Offset: start + 1 + i - 5}
		case unit >= 0xD800 && unit < 0xDC00:
			low := -1
			if i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
				low = codeUnit(raw[i+3:])
			}
			if low < 0xDC00 || low > 0xDFFF {
				return nil, &Error{Problem: "half of a surrogate pair", Offset: start + 1 + i - 5}
			}
			i += 6
		}
	}
	if !escaped {
		return raw, nil
	}
	var s string
	if err := json.Unmarshal(w.data[start:end+1], &s); err != nil { // valid by now
		return nil, &Error{Problem: err.Error(), Offset: start}
	}
	return []byte(s), nil
}

// codeUnit reads four hexadecimal digits, -1 if there are none.
func codeUnit(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 32)
	if err != nil {
		return -1
	}
	return int(n)
}

// object is an open object or array, with the names seen so far in it.
type object struct {
	isObject bool
	few      [][]byte
	many     map[string]struct{} // once few is full, so that a long object stays linear
}

const fewMax = 16

// add notes a name and reports whether it is new.
func (o *object) add(name []byte) bool {
	if o.many != nil {
		if _, seen := o.many[string(name)]; seen {
			return false
		}
		o.many[string(name)] = struct{}{}
		return true
	}
	for _, seen := range o.few {
		if string(seen) == string(name) {
			return false
		}
	}
	o.few = append(o.few, name)
	if len(o.few) > fewMax {
		o.many = make(map[string]struct{}, 4*fewMax)
		for _, seen := range o.few {
			o.many[string(seen)] = struct{}{}
		}
		o.few = nil
	}
	return true
}
