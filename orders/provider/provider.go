// Package provider is what the shop wants of a payment provider: that it turns the provider's
// callbacks into verified facts.
package provider

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Provider verifies the callbacks of one payment provider. It is safe for concurrent use.
type Provider interface {
	// Name is the provider's name in URLs, keys and tables: lower-case letters, digits, underscores.
	Name() string

	// Verify checks a callback's signature over the raw body, then reads it. now is the caller's
	// clock. Its error matches exactly one of this package's.
	Verify(header http.Header, body []byte, now time.Time) (Fact, error)
}

// What may be wrong with a callback. Nothing of it is stored.
var (
	ErrSignature      = errors.New("the signature does not verify")                  // answer 401
	ErrStaleTimestamp = errors.New("the timestamp is too far from now")              // answer 401
	ErrMalformed      = errors.New("malformed callback")                             // signed, yet unreadable: answer 400
	ErrIgnored        = errors.New("the callback is about nothing the shop acts on") // signed: answer success
)

// Kind is what a fact is about.
type Kind string

// The kinds.
const (
	Captured Kind = "payment.captured" // money has arrived
	Failed   Kind = "payment.failed"   // an attempt to pay has come to nothing
	Refunded Kind = "refund.succeeded" // money has gone back
)

// Fact is what a provider says has happened to money. Provider, Kind and ID name it: every repeat
// must agree in the rest.
type Fact struct {
	Provider  string
	Kind      Kind
	ID        string // the provider's own number of the transaction, never that of a delivery
	Reference string // what the provider was told when the payment was started
	Amount    int64  // minor units of Currency; may be 0 if Failed
	Currency  string // three capital letters
}

// Bounds of a fact.
const (
	idMax     = 190 // bytes, of ID and Reference
	amountMax = 1<<53 - 1
)

var (
	validName     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	visibleASCII  = regexp.MustCompile(`^[!-~]+$`)
	validCurrency = regexp.MustCompile(`^[A-Z]{3}$`)
)

// Validate names the first part of a fact that cannot be kept. Its error matches ErrMalformed.
func (f Fact) Validate() error {
	least := int64(1)
	if f.Kind == Failed {
		least = 0
	}
	switch {
	case !validName.MatchString(f.Provider):
		return fmt.Errorf("%w: provider: want lower-case letters, digits and underscores", ErrMalformed)
	case f.Kind != Captured && f.Kind != Failed && f.Kind != Refunded:
		return fmt.Errorf("%w: type: unknown", ErrMalformed)
	case len(f.ID) > idMax || !visibleASCII.MatchString(f.ID):
		return fmt.Errorf("%w: id: want 1 to %d visible ASCII characters", ErrMalformed, idMax)
	case len(f.Reference) > idMax || !visibleASCII.MatchString(f.Reference):
		return fmt.Errorf("%w: reference: want 1 to %d visible ASCII characters", ErrMalformed, idMax)
	case f.Amount < least || f.Amount > amountMax:
		return fmt.Errorf("%w: amount: want %d to 2^53-1", ErrMalformed, least)
	case !validCurrency.MatchString(f.Currency):
		return fmt.Errorf("%w: currency: want three capital letters", ErrMalformed)
	}
	return nil
}
