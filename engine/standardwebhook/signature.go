// Package standardwebhook signs and checks what version 1.0.0 of the Standard Webhooks specification
// signs: with HMAC-SHA256 over id, timestamp and body. It serves both directions.
package standardwebhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The headers of a Standard Webhook.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Bounds of a secret, in bytes.
const (
	SecretMin = 24
	SecretMax = 64
)

// prefix stands before the base64 of a secret.
const prefix = "whsec_"

// Secret is the shared key of a sender and a receiver. It never prints.
type Secret struct{ key []byte }

// NewSecret makes a secret of random bytes.
func NewSecret(key []byte) (Secret, error) {
	if len(key) < SecretMin || len(key) > SecretMax {
		return Secret{}, fmt.Errorf("%d bytes, want %d to %d", len(key), SecretMin, SecretMax)
	}
	return Secret{key}, nil
}

// ParseSecret reads whsec_ and base64. Its errors never show any of it.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(text, prefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return Secret{}, errors.New("want whsec_ and base64") // the cause would tell a part of it
	}
	return NewSecret(key)
}

// Reveal is the secret as its owner has to be told it, once.
func (s Secret) Reveal() string { return prefix + base64.StdEncoding.EncodeToString(s.key) }

// Format prints that there is a secret, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(prefix + "***")) }

// MarshalJSON does the same.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + prefix + `***"`), nil }

// Sign is the value of the headers of timestamp and signature: one signature for each secret, so that
// a receiver may know either of them while one replaces the other. id must have no dot, which could
// move the border between id and timestamp.
func Sign(secrets []Secret, id string, body []byte, now time.Time) (timestamp, signature string) {
	timestamp = strconv.FormatInt(now.Unix(), 10)
	var all []string
	for _, s := range secrets {
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(s.sum(id, timestamp, body)))
	}
	return timestamp, strings.Join(all, " ")
}

// Signed reports whether one of the signatures, which are separated by spaces, is that of one of the
// secrets. It looks at all of them, so that its time tells nothing.
func Signed(secrets []Secret, id, timestamp string, body []byte, signatures string) bool {
	matched := false
	for _, s := range secrets {
		want := s.sum(id, timestamp, body)
		for signature := range strings.FieldsSeq(signatures) {
			encoded, v1 := strings.CutPrefix(signature, "v1,")
			got, err := base64.StdEncoding.DecodeString(encoded)
			if v1 && err == nil && hmac.Equal(got, want) {
				matched = true
			}
		}
	}
	return matched
}

func (s Secret) sum(id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}
