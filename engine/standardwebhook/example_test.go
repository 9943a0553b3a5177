package standardwebhook_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example.com/orderd/engine/standardwebhook"
)

// receive tells whether a webhook is genuine and new. Its timestamp is signed too, so an old one was
// sent again by somebody who has listened.
func receive(secret standardwebhook.Secret, header http.Header, body []byte, now time.Time) error {
	id, timestamp := header.Get(standardwebhook.HeaderID), header.Get(standardwebhook.HeaderTimestamp)
	signatures := header.Get(standardwebhook.HeaderSignature)
	if !standardwebhook.Signed([]standardwebhook.Secret{secret}, id, timestamp, body, signatures) {
		return errors.New("not signed with our secret")
	}
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return errors.New("too old, or from the future")
	}
	return nil
}

func Example() {
	secret, err := standardwebhook.ParseSecret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		panic(err)
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

	// The sender.
	body := []byte(`{"type":"order.paid","data":{"id":"o1"}}`)
	timestamp, signature := standardwebhook.Sign([]standardwebhook.Secret{secret}, "msg_1", body, now)
	header := http.Header{}
	header.Set(standardwebhook.HeaderID, "msg_1")
	header.Set(standardwebhook.HeaderTimestamp, timestamp)
	header.Set(standardwebhook.HeaderSignature, signature)

	// The receiver.
	fmt.Println(receive(secret, header, body, now))
	fmt.Println(receive(secret, header, []byte(`{"type":"order.paid","data":{"id":"o2"}}`), now))
	fmt.Println(receive(secret, header, body, now.Add(time.Hour)))
	// Output:
	// <nil>
	// not signed with our secret
	// too old, or from the future
}
