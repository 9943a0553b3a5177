package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
)

// account opens an account and returns its id.
func (s *server) account(owner, kind, currency string) string {
	s.t.Helper()
	a := s.do("POST", "/v1/accounts", fmt.Sprintf(`{"owner":%q,"kind":%q,"currency":%q}`, owner, kind, currency))
	require.Contains(s.t, []int{200, 201}, a.status, a)
	return a.str("id")
}

// balance is an account's.
func (s *server) balance(id string) int64 {
	s.t.Helper()
	a := s.do("GET", "/v1/accounts/"+id, "")
	require.Equal(s.t, 200, a.status, a)
	n, _ := a.body["balance"].(float64)
	return int64(n)
}

func (s *server) deposit(account string, amount int64) {
	s.t.Helper()
	a := s.do("POST", "/v1/accounts/"+account+"/deposits", fmt.Sprintf(`{"amount":%d,"reason":"test"}`, amount), "Idempotency-Key", unique())
	require.Equal(s.t, 201, a.status, a)
}

func transfer(from, to string, amount int64) string {
	return fmt.Sprintf(`{"from":%q,"to":%q,"amount":%d,"currency":"EUR"}`, from, to, amount)
}

func TestAccountsAndTransfersOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		opened := s.do("POST", "/v1/accounts", `{"owner":"ada","kind":"money","currency":"EUR"}`, "Idempotency-Key", "a-1")
		require.Equal(t, 201, opened.status, opened)
		require.EqualValues(t, 0, opened.body["balance"])
		ada := opened.str("id")
		require.Equal(t, "/v1/accounts/"+ada, opened.header.Get("Location"))
		again := s.do("POST", "/v1/accounts", `{"owner":"ada","kind":"money","currency":"EUR"}`, "Idempotency-Key", "a-1")
		require.Equal(t, 200, again.status)
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		require.Equal(t, ada, again.str("id"))
		bob := s.account("bob", "money", "EUR")

		refused(t, s.do("POST", "/v1/accounts/"+ada+"/deposits", `{"amount":5,"reason":"cash"}`), 428, "illegal", "identity_required")
		put := s.do("POST", "/v1/accounts/"+ada+"/deposits", `{"amount":1000,"reason":"cash"}`, "Idempotency-Key", "d-1")
		require.Equal(t, 201, put.status, put)
		require.Equal(t, "succeeded", put.str("state"))
		require.Equal(t, 200, s.do("POST", "/v1/accounts/"+ada+"/deposits", `{"amount":1000,"reason":"cash"}`, "Idempotency-Key", "d-1").status)
		refused(t, s.do("POST", "/v1/accounts/nobody/deposits", `{"amount":5,"reason":"cash"}`, "Idempotency-Key", "d-2"), 404, "not_found", "")

		refused(t, s.do("POST", "/v1/transfers", transfer(ada, bob, 1)), 428, "illegal", "identity_required")
		short := s.do("POST", "/v1/transfers", transfer(ada, bob, 1001), "Idempotency-Key", "t-0")
		refused(t, short, 422, "illegal", "guard")
		require.Contains(t, short.text, "the balance is 10.00 EUR")
		refused(t, s.do("POST", "/v1/transfers", transfer(ada, "nobody", 1), "Idempotency-Key", "t-0"), 422, "illegal", "guard")
		refused(t, s.do("POST", "/v1/transfers", transfer(ada, ada, 1), "Idempotency-Key", "t-0"), 400, "bad_request", "")
		refused(t, s.do("POST", "/v1/transfers", transfer(ada, bob, 0), "Idempotency-Key", "t-0"), 400, "bad_request", "")

		system := s.do("GET", "/v1/accounts?owner=system", "").list("data")[0].(map[string]any)
		require.EqualValues(t, -1000, system["balance"])
		refused(t, s.do("POST", "/v1/transfers", transfer(system["id"].(string), ada, 1), "Idempotency-Key", "t-0"), 422, "illegal", "guard")
		refused(t, s.do("POST", "/v1/accounts", `{"owner":"system","kind":"money","currency":"EUR"}`), 400, "bad_request", "")
		refused(t, s.do("GET", "/v1/accounts", ""), 400, "bad_request", "")

		entries := s.do("GET", "/v1/accounts/"+ada+"/entries?limit=1", "")
		require.Equal(t, 200, entries.status, entries)
		require.EqualValues(t, 1000, entries.list("data")[0].(map[string]any)["amount"])
		refused(t, s.do("GET", "/v1/accounts/"+ada+"/entries?cursor=x", ""), 400, "bad_request", "")
		read := s.do("GET", "/v1/transfers/"+put.str("id"), "")
		require.Equal(t, 200, read.status, read)
		require.Equal(t, ada, read.str("to"))
		refused(t, s.do("GET", "/v1/transfers/nobody", ""), 404, "not_found", "")

		checkout := s.key("web-shop", auth.Checkout)
		refused(t, s.as(checkout, "POST", "/v1/accounts/"+ada+"/deposits", `{"amount":5,"reason":"x"}`, "Idempotency-Key", "x"), 403, "forbidden", "")
		requireClean(t, s.daemon.database.Gorm)
	})
}
