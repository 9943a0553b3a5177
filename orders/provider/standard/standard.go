// Package standard is the payment provider whose callbacks are Standard Webhooks, version 1.0.0 of
// the specification, signed with HMAC-SHA256. Banks, gateways and scripts of one's own can speak it.
package standard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"example.com/orderd/internal/strictjson"
	"example.com/orderd/orders/provider"
)

// Name is the provider's name unless it is given another.
const Name = "standard"

// tolerance is how far a timestamp may be from now, before or after.
const tolerance = 5 * time.Minute

// The headers of a Standard Webhook.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Provider verifies Standard Webhooks.
type Provider struct {
	name string
	keys [][]byte
}

var _ provider.Provider = (*Provider)(nil)

// New makes a provider from its secrets: one, or several separated by spaces while one replaces the
// other. Each is whsec_ and base64 of 24 to 64 bytes. No secret, and one that is shorter, is an
// error: the provider is off. Errors never show a secret.
func New(name, secrets string) (*Provider, error) {
	p := &Provider{name: name}
	for i, secret := range strings.Fields(secrets) {
		key, err := decodeSecret(secret)
		if err != nil {
			return nil, fmt.Errorf("provider %s: secret %d: %w", name, i+1, err)
		}
		p.keys = append(p.keys, key)
	}
	if len(p.keys) == 0 {
		return nil, fmt.Errorf("provider %s: no secret", name)
	}
	return p, nil
}

func decodeSecret(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return nil, errors.New("want whsec_ and base64")
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("want whsec_ and base64") // the cause would tell a part of it
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("%d bytes, want 24 to 64", len(key))
	}
	return key, nil
}

// Name is the provider's name.
func (p *Provider) Name() string { return p.name }

// Format prints the name and never the secrets, whatever the verb.
func (p *Provider) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "provider %s", p.name) }

// A dot in an id could move the border between id, timestamp and body, which are signed as one text.
var (
	goodID        = regexp.MustCompile(`^[!-\-/-~]{1,256}$`) // visible ASCII without the dot
	goodTimestamp = regexp.MustCompile(`^[1-9][0-9]{0,11}$`)
)

// Verify checks the signature over the raw body, then reads it.
func (p *Provider) Verify(header http.Header, body []byte, now time.Time) (provider.Fact, error) {
	var sent [3]string
	for i, name := range []string{headerID, headerTimestamp, headerSignature} {
		values := header.Values(name)
		if len(values) != 1 {
			return provider.Fact{}, fmt.Errorf("%w: want one header %s", provider.ErrSignature, name)
		}
		sent[i] = values[0]
	}
	id, timestamp, signatures := sent[0], sent[1], sent[2]
	if !goodID.MatchString(id) || !goodTimestamp.MatchString(timestamp) {
		return provider.Fact{}, fmt.Errorf("%w: malformed id or timestamp", provider.ErrSignature)
	}
	if !p.signed(id, timestamp, body, signatures) {
		return provider.Fact{}, fmt.Errorf("%w: no signature matches", provider.ErrSignature)
	}
	seconds, _ := strconv.ParseInt(timestamp, 10, 64) // 12 digits fit
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return provider.Fact{}, fmt.Errorf("%w: it differs by %s, allowed are %s", provider.ErrStaleTimestamp, age.Abs().Round(time.Second), tolerance)
	}
	return p.read(body)
}

// signed reports whether one of the signatures is ours with one of our keys. It looks at all of them,
// so that its time tells nothing.
func (p *Provider) signed(id, timestamp string, body []byte, signatures string) bool {
	matched := false
	for _, key := range p.keys {
		want := sum(key, id, timestamp, body)
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

func sum(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// read turns a verified body into a fact. What is of another type is none of ours, whatever it holds.
func (p *Provider) read(body []byte) (provider.Fact, error) {
	var fields map[string]json.RawMessage
	if err := strictjson.Decode(body, &fields); err != nil {
		return provider.Fact{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	var kind provider.Kind
	if err := json.Unmarshal(fields["type"], &kind); err != nil || kind == "" {
		return provider.Fact{}, fmt.Errorf("%w: type: missing", provider.ErrMalformed)
	}
	if kind != provider.Captured && kind != provider.Failed && kind != provider.Refunded {
		return provider.Fact{}, fmt.Errorf("%w: type %.64q", provider.ErrIgnored, kind)
	}
	var message struct {
		Type      provider.Kind `json:"type"`
		Timestamp string        `json:"timestamp"` // the specification recommends one; the header's is what counts
		Data      struct {
			ID        string `json:"id"`
			Reference string `json:"reference"`
			Amount    int64  `json:"amount"`
			Currency  string `json:"currency"`
		} `json:"data"`
	}
	if err := strictjson.Decode(body, &message); err != nil {
		return provider.Fact{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	fact := provider.Fact{
		Provider: p.name, Kind: message.Type, ID: message.Data.ID, Reference: message.Data.Reference,
		Amount: message.Data.Amount, Currency: message.Data.Currency,
	}
	return fact, fact.Validate()
}

// Sign sets the headers of a callback that is sent now, as a provider does: with the first secret.
func (p *Provider) Sign(header http.Header, id string, body []byte, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header.Set(headerID, id)
	header.Set(headerTimestamp, timestamp)
	header.Set(headerSignature, "v1,"+base64.StdEncoding.EncodeToString(sum(p.keys[0], id, timestamp, body)))
}
