package standard_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"example.com/orderd/orders/provider"
	"example.com/orderd/orders/provider/standard"
)

const (
	secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	other  = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	good   = `{"type":"payment.captured","data":{"id":"tx-1","reference":"ref_1","amount":1999,"currency":"EUR"}}`
)

var now = time.Unix(1_700_000_000, 0)

func newProvider(t *testing.T, secrets string) *standard.Provider {
	t.Helper()
	p, err := standard.New(standard.Name, secrets)
	require.NoError(t, err)
	require.Equal(t, "standard", p.Name())
	return p
}

func signed(p *standard.Provider, body string) http.Header {
	h := http.Header{}
	p.Sign(h, "msg_1", []byte(body), now)
	return h
}

func TestTheSignatureIsTheOneOfTheSpecification(t *testing.T) {
	p := newProvider(t, secret)
	h := signed(p, `{"type":"order.paid","data":{"id":"o1"}}`)
	require.Equal(t, "v1,zkGZTKEtiSHGSIloC8Kw4+g4FCS8M1V/5QUXnxwtZiY=", h.Get("webhook-signature"))
	require.Equal(t, "1700000000", h.Get("webhook-timestamp"))

	independent, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, independent.VerifyIgnoringTimestamp([]byte(good), signed(p, good)))
	text, err := independent.Sign("msg_2", now, []byte(good))
	require.NoError(t, err)
	fact, err := p.Verify(http.Header{
		"Webhook-Id": {"msg_2"}, "Webhook-Timestamp": {"1700000000"}, "Webhook-Signature": {text},
	}, []byte(good), now)
	require.NoError(t, err)
	require.Equal(t, provider.Fact{
		Provider: "standard", Kind: provider.Captured, ID: "tx-1", Reference: "ref_1", Amount: 1999, Currency: "EUR",
	}, fact)
}

func TestAnyOfSeveralSignaturesAndSecrets(t *testing.T) {
	old, both := newProvider(t, secret), newProvider(t, other+" "+secret)
	_, err := both.Verify(signed(old, good), []byte(good), now)
	require.NoError(t, err, "while a secret is replaced, both verify")
	_, err = old.Verify(signed(both, good), []byte(good), now)
	require.ErrorIs(t, err, provider.ErrSignature, "the first signs")
	h := signed(old, good)
	h.Set("webhook-signature", "v1a,AAAA v1,AAAA nonsense v1,! "+h.Get("webhook-signature"))
	_, err = old.Verify(h, []byte(good), now)
	require.NoError(t, err)
}

func TestForgeriesAndOldCallbacks(t *testing.T) {
	p := newProvider(t, secret)
	for name, change := range map[string]func(h http.Header){
		"other secret": func(h http.Header) {
			for k, v := range signed(newProvider(t, other), good) {
				h[k] = v
			}
		},
		"no id":            func(h http.Header) { h.Del("webhook-id") },
		"no timestamp":     func(h http.Header) { h.Del("webhook-timestamp") },
		"no signature":     func(h http.Header) { h.Del("webhook-signature") },
		"two signatures":   func(h http.Header) { h.Add("webhook-signature", h.Get("webhook-signature")) },
		"two ids":          func(h http.Header) { h.Add("webhook-id", h.Get("webhook-id")) },
		"other id":         func(h http.Header) { h.Set("webhook-id", "msg_2") },
		"id with a dot":    func(h http.Header) { h.Set("webhook-id", "msg.1") },
		"long id":          func(h http.Header) { h.Set("webhook-id", strings.Repeat("i", 257)) },
		"other timestamp":  func(h http.Header) { h.Set("webhook-timestamp", "1700000001") },
		"negative time":    func(h http.Header) { h.Set("webhook-timestamp", "-1700000000") },
		"time with a plus": func(h http.Header) { h.Set("webhook-timestamp", "+1700000000") },
		"endless time":     func(h http.Header) { h.Set("webhook-timestamp", strings.Repeat("9", 13)) },
		"no version":       func(h http.Header) { h.Set("webhook-signature", strings.TrimPrefix(h.Get("webhook-signature"), "v1,")) },
		"other version": func(h http.Header) {
			h.Set("webhook-signature", "v2"+strings.TrimPrefix(h.Get("webhook-signature"), "v1"))
		},
		"half a signature":  func(h http.Header) { h.Set("webhook-signature", h.Get("webhook-signature")[:20]) },
		"empty signature":   func(h http.Header) { h.Set("webhook-signature", "v1,") },
		"nothing in itself": func(h http.Header) { h.Set("webhook-signature", " ") },
	} {
		h := signed(p, good)
		change(h)
		_, err := p.Verify(h, []byte(good), now)
		require.ErrorIs(t, err, provider.ErrSignature, name)
	}
	_, err := p.Verify(signed(p, good), []byte(good+" "), now)
	require.ErrorIs(t, err, provider.ErrSignature, "every byte counts")
	for offset, fresh := range map[time.Duration]bool{
		0: true, 5 * time.Minute: true, -5 * time.Minute: true, 301 * time.Second: false, -301 * time.Second: false,
	} {
		_, err := p.Verify(signed(p, good), []byte(good), now.Add(offset))
		if fresh {
			require.NoError(t, err, offset)
		} else {
			require.ErrorIs(t, err, provider.ErrStaleTimestamp, offset)
		}
	}
}

func TestBodies(t *testing.T) {
	p := newProvider(t, secret)
	with := func(field, value string) string { return strings.Replace(good, field, value, 1) }
	for _, c := range []struct {
		body string
		want error
	}{
		{good, nil},
		{with("payment.captured", "refund.succeeded"), nil},
		{with("payment.captured", "payment.failed"), nil},
		{strings.Replace(with("payment.captured", "payment.failed"), "1999", "0", 1), nil},
		{with("EUR", "ZZZ"), nil}, // a fact all the same
		{`{"type":"payout.paid","data":{}}`, provider.ErrIgnored},
		{`{"type":"payout.paid","data":{"id":[1]},"timestamp":"2022-11-03T20:26:10.344522Z"}`, provider.ErrIgnored},
		{``, provider.ErrMalformed}, {`{`, provider.ErrMalformed}, {`[]`, provider.ErrMalformed}, {`null`, provider.ErrMalformed},
		{`{}`, provider.ErrMalformed}, {`{"type":7,"data":{}}`, provider.ErrMalformed},
		{`{"type":"payment.captured"}`, provider.ErrMalformed}, {`{"type":"payment.captured","data":{}}`, provider.ErrMalformed},
		{`{"type":"payment.captured","data":[]}`, provider.ErrMalformed},
		{good + "x", provider.ErrMalformed}, {with(`"id"`, `"ID"`), provider.ErrMalformed}, {with(`"id":"tx-1"`, `"id":"tx-1","id":"tx-1"`), provider.ErrMalformed},
		{with(`{"type":"payment.captured"`, `{"type":"payout.paid","type":"payment.captured"`), provider.ErrMalformed},
		{with(`"id"`, `"fee":1,"id"`), provider.ErrMalformed},
		{with("1999", "-1"), provider.ErrMalformed}, {with("1999", "0"), provider.ErrMalformed}, {with("1999", "19.99"), provider.ErrMalformed},
		{with("1999", `"1999"`), provider.ErrMalformed}, {with("1999", "1e400"), provider.ErrMalformed}, {with("1999", "9007199254740992"), provider.ErrMalformed},
		{with("EUR", "euro"), provider.ErrMalformed}, {with("EUR", "eur"), provider.ErrMalformed},
		{with("tx-1", ""), provider.ErrMalformed}, {with("tx-1", "a b"), provider.ErrMalformed}, {with("tx-1", strings.Repeat("x", 191)), provider.ErrMalformed},
		{with("ref_1", ""), provider.ErrMalformed},
		{strings.Repeat("[", 100_000), provider.ErrMalformed},
	} {
		_, err := p.Verify(signed(p, c.body), []byte(c.body), now)
		if c.want == nil {
			require.NoError(t, err, c.body)
			continue
		}
		require.ErrorIs(t, err, c.want, "%.100s", c.body)
	}
}

func TestWithoutAGoodSecretTheProviderIsOff(t *testing.T) {
	for _, secrets := range []string{
		"", " ", "whsec_", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY=", "secret", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"whsec_not base64", secret + " whsec_x", "whsec_" + strings.Repeat("AAAA", 22),
	} {
		_, err := standard.New(standard.Name, secrets)
		require.Error(t, err, secrets)
		require.NotContains(t, err.Error(), "MDEy")
	}
	p := newProvider(t, secret)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, p), "0123456789abcdef")
		require.NotContains(t, fmt.Sprintf(format, p), "48, 49") // its bytes
		require.NotContains(t, fmt.Sprintf(format, p), "0x30, 0x31")
	}
}
