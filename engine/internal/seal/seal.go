// Package seal hashes what is written once, so that a later reader can tell whether it was changed. A
// seal is not keyed: it finds what bypasses the program and what damages a database, not somebody who
// has the program and computes a new one.
package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// Size is how many bytes a seal has. Half of SHA-256 is plenty: each is compared with one other only.
const Size = 16

// Sum is a seal.
type Sum [Size]byte

// Sealer encodes values one after the other: each by its kind and, where it has no fixed length, its
// length, so that no two lists of values collide. It is not safe for concurrent use.
type Sealer struct{ buf []byte }

var pool = sync.Pool{New: func() any { return &Sealer{buf: make([]byte, 0, 1024)} }}

// New returns a Sealer without values. Sum gives it back.
func New() *Sealer {
	s := pool.Get().(*Sealer)
	s.buf = s.buf[:0]
	return s
}

// Null adds the absence of a value, which is not the same as an empty text.
func (s *Sealer) Null() { s.buf = append(s.buf, 'n') }

// Bool adds a truth, as the number 0 or 1.
func (s *Sealer) Bool(b bool) {
	if b {
		s.Int(1)
	} else {
		s.Int(0)
	}
}

// Int adds a number.
func (s *Sealer) Int(n int64) { s.number('i', uint64(n)) }

// Uint adds a number that may be beyond those of Int; where both can hold it they agree.
func (s *Sealer) Uint(n uint64) { s.number('i', n) }

// Bits adds the bits of a floating point number.
func (s *Sealer) Bits(n uint64) { s.number('f', n) }

// Time adds a time in the precision in which it is stored, whatever its zone.
func (s *Sealer) Time(t time.Time) { s.number('t', uint64(t.UnixMicro())) }

func (s *Sealer) number(kind byte, n uint64) {
	s.buf = binary.BigEndian.AppendUint64(append(s.buf, kind), n)
}

// Text adds a text.
func (s *Sealer) Text(text string) {
	s.buf = binary.BigEndian.AppendUint32(append(s.buf, 's'), uint32(len(text)))
	s.buf = append(s.buf, text...)
}

// Bytes adds bytes, as a text of the same bytes.
func (s *Sealer) Bytes(b []byte) {
	s.buf = binary.BigEndian.AppendUint32(append(s.buf, 's'), uint32(len(b)))
	s.buf = append(s.buf, b...)
}

// Maybe adds bytes, or their absence where they are nil.
func (s *Sealer) Maybe(b []byte) {
	if b == nil {
		s.Null()
	} else {
		s.Bytes(b)
	}
}

// keepMax is the longest encoding whose memory is kept for the next.
const keepMax = 1 << 16

// Sum is the seal of the values. The Sealer must not be used after it.
func (s *Sealer) Sum() Sum {
	full := sha256.Sum256(s.buf)
	if cap(s.buf) <= keepMax {
		pool.Put(s)
	}
	return Sum(full[:Size])
}
