// Package id makes identifiers: a prefix that says what they name, and 26 characters of Crockford's
// base32 in lower case, which reads aloud and selects with a double click.
package id

import (
	"crypto/rand"
	"encoding/base32"

	"github.com/google/uuid"
)

// Five bits a character, in ascending order: ids sort as their bytes do.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// New returns prefix, an underscore and a UUIDv7: later ids sort after earlier ones.
func New(prefix string) string {
	u := uuid.Must(uuid.NewV7()) // fails only if the system has no randomness
	return prefix + "_" + crockford.EncodeToString(u[:])
}

// Random returns prefix, an underscore and 128 random bits: it tells nothing and cannot be guessed.
func Random(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	return prefix + "_" + crockford.EncodeToString(b[:])
}
