package provider_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/orderd/orders/provider"
)

// bank is a provider of our own, which signs its callbacks with a shared key.
type bank struct{ key []byte }

func (bank) Name() string { return "bank" }

func (b bank) sign(body []byte) string {
	mac := hmac.New(sha256.New, b.key)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Verify checks before it reads. A bank that signs a time, too, has it compared with now.
func (b bank) Verify(header http.Header, body []byte, _ time.Time) (provider.Fact, error) {
	if !hmac.Equal([]byte(header.Get("X-Bank-Signature")), []byte(b.sign(body))) {
		return provider.Fact{}, provider.ErrSignature
	}
	var said struct {
		Event, Transaction, Reference, Currency string
		Cents                                   int64
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return provider.Fact{}, fmt.Errorf("%w: %w", provider.ErrMalformed, err)
	}
	if said.Event != "received" {
		return provider.Fact{}, fmt.Errorf("%w: %q", provider.ErrIgnored, said.Event)
	}
	fact := provider.Fact{
		Provider: b.Name(), Kind: provider.Captured, ID: said.Transaction, Reference: said.Reference,
		Amount: said.Cents, Currency: said.Currency,
	}
	return fact, fact.Validate()
}

func ExampleProvider() {
	var p provider.Provider = bank{key: []byte("the key that the bank has given us")}
	body := []byte(`{"event":"received","transaction":"t42","reference":"ref_1","cents":1900,"currency":"EUR"}`)
	header := http.Header{}
	header.Set("X-Bank-Signature", bank{key: []byte("the key that the bank has given us")}.sign(body))

	fact, err := p.Verify(header, body, time.Now())
	fmt.Println(fact.Kind, fact.ID, fact.Amount, fact.Currency, err)
	header.Set("X-Bank-Signature", "made up")
	_, err = p.Verify(header, body, time.Now())
	fmt.Println(errors.Is(err, provider.ErrSignature))
	// Output:
	// payment.captured t42 1900 EUR <nil>
	// true
}
