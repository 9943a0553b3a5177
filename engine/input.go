package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"example.com/orderd/engine/strictjson"
)

// inputSizeMax bounds an input, in bytes of JSON as sent and as kept.
const inputSizeMax = 512 << 10

// decode turns a request's input into a value of the event's type and its canonical JSON, which is
// the encoding of that value: field order and spacing of the sender do not matter, nor the zone of a
// time. A missing input is the type's zero value.
func (s *eventSpec) decode(in any) (value any, canonical json.RawMessage, err error) {
	if s.input == nil {
		if !isEmptyInput(in) {
			return nil, nil, &RequestError{Field: "Input",
				Problem: "is given, but the event takes none: leave it nil, or declare its type as Spec.Input"}
		}
		return nil, nil, nil
	}
	target := reflect.New(s.input)
	switch in := in.(type) {
	case nil:
	case json.RawMessage:
		err = decodeJSON(in, target)
	case []byte:
		err = decodeJSON(in, target)
	default:
		given := reflect.Indirect(reflect.ValueOf(in))
		if given.IsValid() && given.Type() == s.input {
			target.Elem().Set(given)
			if len(s.shape.timed) > 0 {
				_, err = encode(target) // no circle survives it
			}
		} else {
			err = &RequestError{Field: "Input", Problem: s.wants(in)}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	s.shape.utc(target.Elem())
	if err := validate(target); err != nil {
		if _, says := errors.AsType[*RequestError](err); says { // which field of the input it is
			return nil, nil, err
		}
		return nil, nil, &RequestError{Field: "Input", Problem: "is not valid", Cause: err}
	}
	if canonical, err = encode(target); err != nil {
		return nil, nil, err
	}
	if len(canonical) > inputSizeMax {
		return nil, nil, &RequestError{Field: "Input", Problem: fmt.Sprintf("takes %d bytes, at most %d", len(canonical), inputSizeMax)}
	}
	return target.Elem().Interface(), canonical, nil
}

// wants says what an input should be that is of another type, or a nil pointer.
func (s *eventSpec) wants(in any) string {
	is := fmt.Sprintf("is a %T", in)
	if v := reflect.ValueOf(in); v.Kind() == reflect.Pointer && v.IsNil() {
		is = fmt.Sprintf("is a nil %T", in)
	}
	return fmt.Sprintf("%s, but the event takes a %v: give one, a pointer to one, or its JSON as json.RawMessage", is, s.input)
}

// encode goes through the pointer: else methods that need one are not called.
func encode(target reflect.Value) (json.RawMessage, error) {
	text, err := json.Marshal(target.Interface())
	if err != nil {
		return nil, &RequestError{Field: "Input", Problem: "cannot be encoded", Cause: err}
	}
	return text, nil
}

func isEmptyInput(in any) bool {
	var text []byte
	switch in := in.(type) {
	case nil:
		return true
	case json.RawMessage:
		text = in
	case []byte:
		text = in
	case NoInput, *NoInput:
		return true
	default:
		return false
	}
	text = bytes.TrimSpace(text)
	return len(text) == 0 || string(text) == "null" || string(text) == "{}"
}

func decodeJSON(text []byte, target reflect.Value) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if len(text) > inputSizeMax {
		return &RequestError{Field: "Input", Problem: fmt.Sprintf("is %d bytes long, at most %d", len(text), inputSizeMax)}
	}
	if err := strictjson.Decode(text, target.Interface()); err != nil {
		return &RequestError{Field: "Input", Problem: "is malformed", Cause: err}
	}
	return nil
}

func validate(target reflect.Value) error {
	if v, ok := target.Interface().(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// fingerprint hashes what makes two requests the same: machine, subject (none on a creation), event
// and what it says: the canonical input, and the columns that a creation gives, if any. Each part is
// preceded by its length, so that no two lists collide.
func fingerprint(machine, subject string, event Event, says ...[]byte) [32]byte {
	h := sha256.New()
	add := func(part []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	add([]byte(machine))
	add([]byte(subject))
	add([]byte(event))
	for _, part := range says {
		add(part)
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

const seqMax = 255 // bytes of a key's seq

// checkKey names what is wrong with a key.
func checkKey(k Key) error {
	switch {
	case k.IsZero():
		return nil
	case len(k.Source) == 0 || len(k.Source) > 128 || !visibleASCII(k.Source):
		return &RequestError{Field: "Key.Source", Problem: "must be 1 to 128 visible ASCII characters: it says who asks, " +
			"such as principal:42"}
	case len(k.Seq) == 0 || len(k.Seq) > seqMax || !visibleASCII(k.Seq):
		return &RequestError{Field: "Key.Seq", Problem: "must be 1 to 255 visible ASCII characters: it is the asker's own " +
			"number for the request"}
	case k.Source == sourceCall:
		return &RequestError{Field: "Key.Source", Problem: "is reserved for calls without a key"}
	}
	return nil
}

// checkAsked names what is wrong with the key of a request. The engine's own adoptions have keys that
// can be looked up but not asked with: used for something else, one would block its row for ever.
func checkAsked(k Key) error {
	if k.Source == sourceAdopt {
		return &RequestError{Field: "Key.Source", Problem: "is reserved for adoptions"}
	}
	return checkKey(k)
}

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
