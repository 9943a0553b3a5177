package standard_test

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/orderd/orders/provider"
	"example.com/orderd/orders/provider/standard"
)

func Example() {
	bank, err := standard.New("bank", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		panic(err)
	}
	body := []byte(`{"type":"payment.captured","data":{"id":"t42","reference":"ref_1","amount":1900,"currency":"EUR"}}`)
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

	// What the bank does, or a script of one's own.
	header := http.Header{}
	bank.Sign(header, "delivery-7", body, now)

	// What becomes of it here. The fact goes to Shop.Accept.
	fact, err := bank.Verify(header, body, now)
	fmt.Println(fact.Provider, fact.Kind, fact.ID, fact.Amount, fact.Currency, err)
	_, err = bank.Verify(header, body, now.Add(time.Hour)) // somebody sends it again much later
	fmt.Println(errors.Is(err, provider.ErrStaleTimestamp))
	// Output:
	// bank payment.captured t42 1900 EUR <nil>
	// true
}
