package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of this file hold what answers claim.

var ourIDs = regexp.MustCompile(`\b(ord|pay|acc|trf)_[0-9a-z]{10,}\b`)

// requireRealIDs reads every id that an answer names.
func requireRealIDs(t *testing.T, s *server, a answer) {
	t.Helper()
	paths := map[string]string{"ord": "/v1/orders/", "pay": "/v1/payments/", "acc": "/v1/accounts/", "trf": "/v1/transfers/"}
	for _, found := range ourIDs.FindAllStringSubmatch(a.text, -1) {
		require.Equal(t, 200, s.do("GET", paths[found[1]]+found[0], "").status, "%s is named, but nobody has it: %s", found[0], a)
	}
}

// Ids of things that are to be made are drawn before it is known whether they will be.
func TestNoAnswerNamesAnIDThatNobodyHas(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		require.Equal(t, 201, s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", "K").status)
		id := s.place()
		ada, bob := s.account("ada", "money", "EUR"), s.account("bob", "money", "EUR")
		s.deposit(ada, 100)
		calls := []struct{ path, body string }{
			{"/v1/orders", strings.Replace(twoBooks, "1250", "1251", 1)},
			{"/v1/orders/" + id + "/payments", `{"provider":"standard"}`},
			{"/v1/orders/" + id + "/payments", `{"provider":"standard","amount":2501}`},
			{"/v1/orders/" + id + "/transitions", `{"event":"pay","input":{"amount":2500,"currency":"EUR"}}`},
			{"/v1/accounts", `{"owner":"eve","kind":"money","currency":"EUR"}`},
			{"/v1/accounts", `{"owner":"ada","kind":"money","currency":"EUR"}`},
			{"/v1/accounts/" + ada + "/deposits", `{"amount":5,"reason":"cash"}`},
			{"/v1/transfers", transfer(ada, bob, 5)},
			{"/v1/transfers", transfer(ada, bob, 5000)},
		}
		for _, c := range calls {
			a := s.do("POST", c.path, c.body, "Idempotency-Key", "K")
			refused(t, a, 422, "conflict", "key_reused")
			requireRealIDs(t, s, a)
			if strings.HasSuffix(c.path, "/transitions") {
				require.Equal(t, id, a.str("id"), "the subject that was asked to move is named")
			} else {
				require.Empty(t, a.str("id"), a)
			}
			for _, headers := range [][]string{nil, {"Idempotency-Key", unique()}} {
				requireRealIDs(t, s, s.do("POST", c.path, c.body, headers...))
			}
		}
		no := s.event(id, "deliver")
		require.Equal(t, id, no.str("id"))
		refused(t, s.event(id, "request_refund"), 428, "illegal", "identity_required")
		require.Equal(t, id, s.event(id, "request_refund").str("id"))
	})
}
