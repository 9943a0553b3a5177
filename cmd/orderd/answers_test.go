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

func TestAnswersSayFromWhereAnEventWouldBePossibleAgain(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		s.pay(id)
		for _, event := range []string{"ship", "deliver"} {
			require.Equal(t, 200, s.event(id, event).status)
		}
		again := s.event(id, "request_refund", "Idempotency-Key", unique())
		refused(t, again, 409, "stale", "passed")
		require.Equal(t, []any{"completed"}, again.body["possible_from"])
		never := s.event(id, "cancel")
		refused(t, never, 409, "stale", "passed")
		require.Equal(t, []any{}, never.body["possible_from"], "never is said, not left out")
		dry := s.do("POST", "/v1/orders/"+id+"/transitions?dry_run=true", `{"event":"cancel"}`)
		require.Equal(t, []any{}, dry.body["possible_from"])
		for _, other := range []answer{s.event(id, "accept_return"), s.event(id, "ship"), s.event(id, "explode")} {
			require.NotContains(t, other.body, "possible_from", other)
		}

		want := map[string]any{"request_refund": []any{"completed"}, "cancel": []any{}}
		for path, least := range map[string]int{"/allowed-events": 4, "/transitions?include=attempts": 2} {
			seen := 0
			for _, item := range s.do("GET", "/v1/orders/"+id+path, "").list("data") {
				line := item.(map[string]any)
				from, said := line["possible_from"]
				require.Equal(t, line["detail"] == "passed", said, line)
				if line["detail"] == "passed" {
					seen++
				}
				if expected, known := want[line["event"].(string)]; known {
					require.Equal(t, expected, from, line)
				}
			}
			require.GreaterOrEqual(t, seen, least, path)
		}
	})
}

// Already means the same thing, not only the same event.
func TestOtherInputIsNoRepeat(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		s.pay(id)
		ship := func(input string, headers ...string) answer {
			return s.do("POST", "/v1/orders/"+id+"/transitions", `{"event":"ship"`+input+`}`, headers...)
		}
		require.Equal(t, 200, ship(`,"input":{"tracking":"T1","carrier":"post"}`).status)
		for range 2 { // at once, and when the order has moved on
			for _, headers := range [][]string{nil, {"Idempotency-Key", unique()}} {
				for _, input := range []string{`,"input":{"tracking":"T2","carrier":"post"}`, `,"input":{"tracking":"T1"}`} {
					no := ship(input, headers...)
					refused(t, no, 409, "conflict", "input_differs")
					require.NotContains(t, no.text, `"T2"`)
					require.Equal(t, map[string]any{"tracking": "T1", "carrier": "post"}, no.body["transition"].(map[string]any)["input"])
				}
				for _, input := range []string{``, `,"input":{}`, `,"input":null`, `,"input":{"carrier":"post","tracking":"T1"}`} {
					same := ship(input, headers...)
					require.Equal(t, 200, same.status, same)
					require.Equal(t, "already", same.str("outcome"))
				}
			}
			s.event(id, "deliver")
		}
	})
}

// There is one account for each owner, kind and currency, whoever asks for it under whatever key; a key is bound to
// what it was used for.
func TestLaterOpeningsGetTheSameAccount(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		ada := `{"owner":"ada","kind":"money","currency":"EUR"}`
		first := s.do("POST", "/v1/accounts", ada, "Idempotency-Key", "k")
		require.Equal(t, 201, first.status, first)
		for _, headers := range [][]string{nil, {"Idempotency-Key", "k"}, {"Idempotency-Key", "other"}} {
			later := s.do("POST", "/v1/accounts", ada, headers...)
			require.Equal(t, 200, later.status, later)
			require.Equal(t, first.str("id"), later.str("id"))
		}
		for _, other := range []string{"owner\":\"bob", "currency\":\"USD", "kind\":\"points"} {
			name, _, _ := strings.Cut(other, `"`)
			body := regexp.MustCompile(name+`":"[A-Za-z]+`).ReplaceAllString(ada, other)
			refused(t, s.do("POST", "/v1/accounts", body, "Idempotency-Key", "k"), 422, "conflict", "key_reused")
			require.Equal(t, 201, s.do("POST", "/v1/accounts", body).status)
			refused(t, s.do("POST", "/v1/accounts", body, "Idempotency-Key", "k"), 422, "conflict", "key_reused")
		}
	})
}
