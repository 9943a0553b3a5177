// Package id makes identifiers: a prefix that says what they name, and 26 characters of Crockford's
// base32 in lower case, which reads aloud and selects with a double click.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"

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

// Bounded returns a text that names something where it has at most most bytes, else the text's hash, which has 71
// bytes whatever most is. The same text has the same name for ever. It makes parts of an engine.Key, whose length is
// bounded, of ids that others have chosen.
func Bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}
