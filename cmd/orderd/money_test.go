package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnOfflinePayment(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		path := "/v1/orders/" + id + "/transitions"
		guard := s.do("POST", path, `{"event":"pay","input":{"amount":2499,"currency":"EUR"}}`, "Idempotency-Key", "p-0")
		refused(t, guard, 422, "illegal", "guard")
		require.NotEmpty(t, guard.list("refused"))
		part := s.do("POST", path, `{"event":"pay_part","input":{"amount":500,"currency":"EUR"}}`, "Idempotency-Key", "p-1")
		require.Equal(t, 200, part.status, part)
		require.Equal(t, "partly_paid", part.str("state"))
		for range 2 {
			rest := s.do("POST", path, `{"event":"pay","input":{"currency":"EUR","amount":2000}}`, "Idempotency-Key", "p-2")
			require.Equal(t, 200, rest.status, rest)
			require.Equal(t, "paid", rest.str("state"))
		}
		payments := s.do("GET", "/v1/payments?order_id="+id, "").list("data")
		require.Len(t, payments, 2, "a refused payment records no money")
		shipped := s.event(id, "ship")
		require.Equal(t, "shipped", shipped.str("state"), shipped)
		refused(t, s.event(id, "cancel"), 409, "stale", "passed")
	})
}

func TestPayments(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		path := "/v1/orders/" + id + "/payments"
		first := s.do("POST", path, `{"provider":"fake"}`, "Idempotency-Key", "p-1")
		require.Equal(t, 201, first.status, first)
		require.True(t, strings.HasPrefix(first.str("id"), "pay_"), first)
		require.NotEmpty(t, first.str("reference"))
		require.EqualValues(t, 2500, first.body["amount"])
		require.Equal(t, "EUR", first.str("currency"))
		require.NotEmpty(t, first.str("state"))
		require.True(t, strings.HasPrefix(first.str("pay_url"), s.url), first)
		again := s.do("POST", path, `{"provider":"fake"}`, "Idempotency-Key", "p-1")
		require.Equal(t, 200, again.status, again)
		require.Equal(t, first.str("id"), again.str("id"))
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		refused(t, s.do("POST", path, `{"provider":"fake","amount":7}`, "Idempotency-Key", "p-1"), 422, "conflict", "key_reused")
		refused(t, s.do("POST", path, `{"provider":"fake"}`), 400, "bad_request", "")
		refused(t, s.do("POST", path, `{"provider":"nobody"}`, "Idempotency-Key", "p-2"), 400, "bad_request", "")
		refused(t, s.do("POST", "/v1/orders/ord_nobody/payments", `{"provider":"fake"}`, "Idempotency-Key", "p-3"), 404, "not_found", "")

		read := s.do("GET", "/v1/payments/"+first.str("id"), "")
		require.Equal(t, 200, read.status, read)
		require.Equal(t, first.str("reference"), read.str("reference"))
		refused(t, s.do("GET", "/v1/payments/pay_nobody", ""), 404, "not_found", "")
		require.Len(t, s.do("GET", "/v1/payments?order_id="+id, "").list("data"), 1)

		qr := s.do("GET", strings.TrimPrefix(first.str("qr_svg_url"), s.url), "")
		require.Equal(t, 200, qr.status, qr)
		require.Equal(t, "image/svg+xml", qr.header.Get("Content-Type"))
		require.Contains(t, qr.text, "<svg")
	})
}

func TestCallbacks(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		p := s.do("POST", "/v1/orders/"+id+"/payments", `{"provider":"standard"}`, "Idempotency-Key", "p-1")
		require.Equal(t, 201, p.status, p)
		body := captured("tx-1", p.str("reference"), 2500, "EUR")
		for range 3 { // the same delivery, and the same fact in others
			require.Equal(t, 200, s.callback(body).status)
		}
		paid := s.do("GET", "/v1/orders/"+id, "")
		require.Equal(t, "paid", paid.str("state"))
		require.EqualValues(t, 2, paid.body["version"])
		require.Equal(t, "captured", s.do("GET", "/v1/payments/"+p.str("id"), "").str("state"))
		require.Empty(t, s.do("GET", "/v1/money-desk", "").list("data"))

		// The same fact with another amount is stored, answered with success, and left to people.
		require.Equal(t, 200, s.callback(captured("tx-1", p.str("reference"), 2501, "EUR")).status)
		require.Equal(t, "paid", s.do("GET", "/v1/orders/"+id, "").str("state"))
		require.NotEmpty(t, s.do("GET", "/v1/money-desk", "").list("data"))

		// Late money: the order was cancelled meanwhile.
		late := s.place()
		p = s.do("POST", "/v1/orders/"+late+"/payments", `{"provider":"standard"}`, "Idempotency-Key", "p-2")
		require.Equal(t, 200, s.event(late, "cancel").status)
		require.Equal(t, 200, s.callback(captured("tx-2", p.str("reference"), 2500, "EUR")).status)
		require.Equal(t, "cancelled", s.do("GET", "/v1/orders/"+late, "").str("state"))
		require.GreaterOrEqual(t, len(s.do("GET", "/v1/money-desk", "").list("data")), 2)

		// A reference that nobody knows is a fact as well.
		require.Equal(t, 200, s.callback(captured("tx-3", "pay_nobody", 100, "EUR")).status)

		// What we do not act upon is not asked for again.
		require.Equal(t, 200, s.callback(`{"type":"payout.paid","data":{}}`).status)
	})
}

func TestForgedAndOldCallbacksStoreNothing(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		p := s.do("POST", "/v1/orders/"+id+"/payments", `{"provider":"standard"}`, "Idempotency-Key", "p-1")
		body := captured("tx-1", p.str("reference"), 2500, "EUR")
		refused(t, s.callbackAt(body, time.Now(), "whsec_Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk"), 401, "unauthorized", "")
		refused(t, s.callbackAt(body, time.Now().Add(-6*time.Minute), testSecret), 401, "unauthorized", "")
		refused(t, s.callbackAt(body, time.Now().Add(6*time.Minute), testSecret), 401, "unauthorized", "")
		refused(t, s.as("", "POST", "/v1/callbacks/standard", body), 401, "unauthorized", "")
		refused(t, s.do("POST", "/v1/callbacks/standard", body), 401, "unauthorized", "")
		for _, provider := range []string{"stripe", "nobody", "manual"} {
			refused(t, s.do("POST", "/v1/callbacks/"+provider, body), 404, "not_found", "")
		}
		for _, malformed := range []string{``, `{`, `[]`, `{"type":"payment.captured"}`, `{"type":"payment.captured","data":{}}`,
			`{"type":"payment.captured","type":"payment.failed","data":{"id":"a","reference":"b","amount":1,"currency":"EUR"}}`,
			captured("tx", "ref", -1, "EUR"), captured("tx", "ref", 1, "euro"), captured("", "ref", 1, "EUR"),
			captured(strings.Repeat("x", 5000), "ref", 1, "EUR"),
			`{"type":"payment.captured","data":{"id":"a","reference":"b","amount":1e400,"currency":"EUR"}}`,
			`{"type":"payment.captured","data":{"id":"a","reference":"b","amount":1.5,"currency":"EUR"}}`,
			strings.Repeat("[", 100_000),
		} {
			refused(t, s.callback(malformed), 400, "bad_request", "")
		}
		refused(t, s.callback(`{"a":"`+strings.Repeat("x", 300<<10)+`"}`), 413, "too_large", "")
		require.Equal(t, "placed", s.do("GET", "/v1/orders/"+id, "").str("state"))
		require.Empty(t, s.do("GET", "/v1/money-desk", "").list("data"))
	})
}

func TestThePageOfTheFakeProvider(t *testing.T) {
	s := onSQLite(t)
	id := s.place()
	p := s.do("POST", "/v1/orders/"+id+"/payments", `{"provider":"fake"}`, "Idempotency-Key", "p-1")
	page := strings.TrimPrefix(p.str("pay_url"), s.url)
	a := s.as("", "GET", page, "")
	require.Equal(t, 200, a.status, a)
	require.Contains(t, a.text, "25.00")
	require.Contains(t, a.text, `method="post"`)
	crossSite := s.as("", "POST", page, "", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, crossSite.status)
	for range 2 { // a second click
		a = s.as("", "POST", page, "answer=captured", "Content-Type", "application/x-www-form-urlencoded")
		require.Equal(t, http.StatusSeeOther, a.status, a)
	}
	order := s.do("GET", "/v1/orders/"+id, "")
	require.Equal(t, "paid", order.str("state"))
	require.EqualValues(t, 2, order.body["version"])
	require.Contains(t, s.as("", "GET", page, "").text, "captured")
}
