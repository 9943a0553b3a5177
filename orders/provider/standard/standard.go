// Package standard is the payment provider whose callbacks are Standard Webhooks, version 1.0.0 of
// the specification, signed with HMAC-SHA256. Banks, gateways and scripts of one's own can speak it.
package standard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"example.com/orderd/engine/standardwebhook"
	"example.com/orderd/engine/strictjson"
	"example.com/orderd/orders/provider"
)

// Name is the provider's name unless it is given another.
const Name = "standard"

// tolerance is how far a timestamp may be from now, before or after.
const tolerance = 5 * time.Minute

// Provider verifies Standard Webhooks.
type Provider struct {
	name    string
	secrets []standardwebhook.Secret
}

var _ provider.Provider = (*Provider)(nil)

// New makes a provider from its secrets: one, or several separated by spaces while one replaces the
// other. Each is whsec_ and base64 of 24 to 64 bytes. No secret, and one that is shorter, is an
// error: the provider is off. Errors never show a secret.
func New(name, secrets string) (*Provider, error) {
	p := &Provider{name: name}
	for i, secret := range strings.Fields(secrets) {
		parsed, err := standardwebhook.ParseSecret(secret)
		if err != nil {
			return nil, fmt.Errorf("provider %s: secret %d: %w", name, i+1, err)
		}
		p.secrets = append(p.secrets, parsed)
	}
	if len(p.secrets) == 0 {
		return nil, fmt.Errorf("provider %s: no secret", name)
	}
	return p, nil
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
	for i, name := range []string{standardwebhook.HeaderID, standardwebhook.HeaderTimestamp, standardwebhook.HeaderSignature} {
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
	if !standardwebhook.Signed(p.secrets, id, timestamp, body, signatures) {
		return provider.Fact{}, fmt.Errorf("%w: no signature matches", provider.ErrSignature)
	}
	seconds, _ := strconv.ParseInt(timestamp, 10, 64) // 12 digits fit
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return provider.Fact{}, fmt.Errorf("%w: it differs by %s, allowed are %s", provider.ErrStaleTimestamp,
			age.Abs().Round(time.Second), tolerance)
	}
	return p.read(body)
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
	timestamp, signature := standardwebhook.Sign(p.secrets[:1], id, body, now)
	header.Set(standardwebhook.HeaderID, id)
	header.Set(standardwebhook.HeaderTimestamp, timestamp)
	header.Set(standardwebhook.HeaderSignature, signature)
}
