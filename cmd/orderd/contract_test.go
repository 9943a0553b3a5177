package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
)

// The tests of this file go through the HTTP contract line by line.

func TestPlaceAnOrder(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		first := s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", "k-1")
		require.Equal(t, 201, first.status, first)
		id := first.str("id")
		require.True(t, strings.HasPrefix(id, "ord_"), first)
		require.Equal(t, "placed", first.str("state"))
		require.EqualValues(t, 1, first.body["version"])
		require.EqualValues(t, 2500, first.body["amount"])
		require.Equal(t, "EUR", first.str("currency"))
		require.Equal(t, "applied", first.str("outcome"))
		require.Len(t, first.list("items"), 1)
		require.Equal(t, "/v1/orders/"+id, first.header.Get("Location"))
		require.Equal(t, `"1"`, first.header.Get("ETag"))
		require.Equal(t, "no-store", first.header.Get("Cache-Control"))
		require.Empty(t, first.header.Get("Idempotency-Replayed"))

		// The key in quotes is the same key, and other spacing is the same content.
		for _, key := range []string{"k-1", `"k-1"`} {
			again := s.do("POST", "/v1/orders", " "+twoBooks, "Idempotency-Key", key)
			require.Equal(t, 200, again.status, again)
			require.Equal(t, id, again.str("id"))
			require.Equal(t, "already", again.str("outcome"))
			require.Equal(t, "replayed", again.str("detail"))
			require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		}
		refused(t, s.do("POST", "/v1/orders", strings.Replace(twoBooks, "1250", "1251", 1), "Idempotency-Key", "k-1"),
			422, "conflict", "key_reused")
		refused(t, s.do("POST", "/v1/orders", twoBooks), 400, "bad_request", "")

		// Keys belong to principals.
		other := s.as(s.key("other", "checkout"), "POST", "/v1/orders", twoBooks, "Idempotency-Key", "k-1")
		require.Equal(t, 201, other.status, other)
		require.NotEqual(t, id, other.str("id"))

		// And survive the rotation of a principal's API key.
		rotated := s.as(s.key("other", "checkout"), "POST", "/v1/orders", twoBooks, "Idempotency-Key", "k-1")
		require.Equal(t, other.str("id"), rotated.str("id"))
		require.Equal(t, 200, rotated.status)
	})
}

func TestReadAnOrder(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		a := s.do("GET", "/v1/orders/"+id, "")
		require.Equal(t, 200, a.status, a)
		require.Equal(t, `"1"`, a.header.Get("ETag"))
		require.Equal(t, id, a.str("id"))
		require.Equal(t, "placed", a.str("state"))
		require.Equal(t, "c-1", a.str("customer_ref"))
		unchanged := s.do("GET", "/v1/orders/"+id, "", "If-None-Match", `"1"`)
		require.Equal(t, 304, unchanged.status)
		require.Empty(t, unchanged.text)
		require.Equal(t, `"1"`, unchanged.header.Get("ETag"))
		require.Equal(t, 200, s.do("GET", "/v1/orders/"+id, "", "If-None-Match", `"2"`).status)
		refused(t, s.do("GET", "/v1/orders/ord_nobody", ""), 404, "not_found", "")
		refused(t, s.do("GET", "/v1/orders/"+strings.ToUpper(id), ""), 404, "not_found", "")
	})
}

func TestListOrders(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		var ids []string
		for range 5 {
			ids = append(ids, s.place())
		}
		require.Equal(t, 200, s.event(ids[0], "cancel").status)
		seen := map[string]bool{}
		cursor := ""
		for page := 0; page < 10; page++ {
			a := s.do("GET", "/v1/orders?limit=2&cursor="+cursor, "")
			require.Equal(t, 200, a.status, a)
			require.LessOrEqual(t, len(a.list("data")), 2)
			for _, item := range a.list("data") {
				seen[item.(map[string]any)["id"].(string)] = true
			}
			if cursor = a.str("next_cursor"); cursor == "" {
				break
			}
		}
		require.Len(t, seen, 5)
		require.Len(t, s.do("GET", "/v1/orders?state=cancelled", "").list("data"), 1)
		require.Len(t, s.do("GET", "/v1/orders?state=placed&customer_ref=c-1", "").list("data"), 4)
		require.Empty(t, s.do("GET", "/v1/orders?customer_ref=nobody", "").list("data"))
		require.Len(t, s.do("GET", "/v1/orders?q="+ids[2], "").list("data"), 1)
		require.Len(t, s.do("GET", "/v1/orders?created_after=2020-01-02T03:04:05Z", "").list("data"), 5)
		require.Empty(t, s.do("GET", "/v1/orders?created_after=2999-01-02T03:04:05Z", "").list("data"))
		require.Contains(t, s.do("GET", "/v1/orders?created_after=2999-01-02T03:04:05Z", "").text, `"data":[]`)
	})
}

func TestTransitions(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		path := "/v1/orders/" + id + "/transitions"

		refused(t, s.event(id, "deliver"), 409, "early", "")
		require.NotEmpty(t, s.event(id, "deliver").header.Get("Retry-After"))
		refused(t, s.event(id, "explode"), 422, "illegal", "unknown_event")
		no := s.event(id, "deliver")
		require.Equal(t, "placed", no.str("state"))
		require.EqualValues(t, 1, no.body["version"])
		require.Equal(t, "deliver", no.str("event"))
		require.Contains(t, no.list("allowed_events"), "cancel")
		refused(t, s.do("POST", "/v1/orders/ord_nobody/transitions", `{"event":"cancel"}`), 404, "not_found", "")

		// Money needs identity.
		refused(t, s.do("POST", path, `{"event":"pay","input":{"amount":2500,"currency":"EUR"}}`), 428, "illegal", "identity_required")

		// A dry run writes nothing.
		dry := s.do("POST", path+"?dry_run=true", `{"event":"cancel"}`)
		require.Equal(t, 200, dry.status, dry)
		require.Equal(t, "applied", dry.str("outcome"))
		require.Equal(t, true, dry.body["dry_run"])
		require.Equal(t, "placed", s.do("GET", "/v1/orders/"+id, "").str("state"))

		// Pins.
		refused(t, s.event(id, "cancel", "If-Match", `"9"`), 412, "stale", "version")

		done := s.do("POST", path, `{"event":"cancel","reason":"asked by phone"}`, "If-Match", `"1"`, "Idempotency-Key", "c-1")
		require.Equal(t, 200, done.status, done)
		require.Equal(t, "applied", done.str("outcome"))
		require.Equal(t, "", done.str("detail"))
		require.Equal(t, "cancelled", done.str("state"))
		require.EqualValues(t, 2, done.body["version"])
		require.Equal(t, `"2"`, done.header.Get("ETag"))
		proof := done.body["transition"].(map[string]any)
		require.Equal(t, "cancel", proof["event"])
		require.Equal(t, "placed", proof["from"])
		require.Equal(t, "asked by phone", proof["reason"])
		require.Equal(t, "principal:dev", proof["source"])
		require.Equal(t, "c-1", proof["seq"])

		// The same again, with the key and without.
		again := s.do("POST", path, `{"event":"cancel"}`, "If-Match", `"1"`, "Idempotency-Key", "c-1")
		require.Equal(t, 200, again.status, again)
		require.Equal(t, "already", again.str("outcome"))
		require.Equal(t, "replayed", again.str("detail"))
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		same := s.event(id, "cancel")
		require.Equal(t, 200, same.status, same)
		require.Equal(t, "same_state", same.str("detail"))
		require.Empty(t, same.header.Get("Idempotency-Replayed"))

		refused(t, s.event(id, "ship"), 409, "stale", "passed")
		refused(t, s.event(id, "deliver", "Idempotency-Key", "c-1"), 422, "conflict", "key_reused")
	})
}

// Of many who have seen the same version and want something else each, one gets it; the others are told
// that the order has moved.
func TestIfMatchLetsOneOfManyWin(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		answers := together(16, func(i int) answer {
			event := []string{"cancel", "pay"}[i%2]
			body := fmt.Sprintf(`{"event":%q}`, event)
			if event == "pay" {
				body = `{"event":"pay","input":{"amount":2500,"currency":"EUR"}}`
			}
			return s.do("POST", "/v1/orders/"+id+"/transitions", body, "If-Match", `"1"`, "Idempotency-Key", unique())
		})
		require.Equal(t, map[int]int{200: 1, 412: 15}, counted(answers), answers)
		require.EqualValues(t, 2, s.do("GET", "/v1/orders/"+id, "").body["version"])
		requireClean(t, s.daemon.database.Gorm)
	})
}

func TestHistory(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		require.Equal(t, 409, s.event(id, "deliver").status)
		require.Equal(t, 200, s.event(id, "cancel").status)
		a := s.do("GET", "/v1/orders/"+id+"/transitions", "")
		require.Equal(t, 200, a.status, a)
		require.Len(t, a.list("data"), 2)
		first := a.list("data")[0].(map[string]any)
		for _, field := range []string{"version", "event", "from", "to", "actor", "source", "seq", "reason", "at", "machine_version"} {
			require.Contains(t, first, field)
		}
		second := a.list("data")[1].(map[string]any)
		require.Nil(t, second["seq"], "a call without a key shows none")
		require.Nil(t, second["source"])

		all := s.do("GET", "/v1/orders/"+id+"/transitions?include=attempts", "").list("data")
		require.Len(t, all, 3)
		attempt := all[1].(map[string]any)
		require.Equal(t, "early", attempt["outcome"])
		require.Equal(t, "deliver", attempt["event"])

		page := s.do("GET", "/v1/orders/"+id+"/transitions?limit=1", "")
		require.Len(t, page.list("data"), 1)
		next := s.do("GET", "/v1/orders/"+id+"/transitions?limit=1&cursor="+page.str("next_cursor"), "")
		require.EqualValues(t, 2, next.list("data")[0].(map[string]any)["version"])
		refused(t, s.do("GET", "/v1/orders/ord_nobody/transitions", ""), 404, "not_found", "")
	})
}

func TestAllowedEvents(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		id := s.place()
		a := s.do("GET", "/v1/orders/"+id+"/allowed-events", "")
		require.Equal(t, 200, a.status, a)
		byName := map[string]map[string]any{}
		for _, item := range a.list("data") {
			p := item.(map[string]any)
			byName[p["event"].(string)] = p
		}
		require.Equal(t, true, byName["cancel"]["allowed"])
		require.Equal(t, "cancelled", byName["cancel"]["to"])
		require.Equal(t, false, byName["deliver"]["allowed"])
		require.Equal(t, "early", byName["deliver"]["outcome"])
		require.NotEmpty(t, byName["deliver"]["reason"])
		refused(t, s.do("GET", "/v1/orders/ord_nobody/allowed-events", ""), 404, "not_found", "")

		for _, item := range s.as(s.key("c", auth.Checkout), "GET", "/v1/orders/"+id+"/allowed-events", "").list("data") {
			p := item.(map[string]any)
			switch p["event"] {
			case "cancel":
				require.Equal(t, true, p["allowed"])
			case "pay":
				require.Equal(t, false, p["allowed"], "a checkout cannot say that money came")
				require.Equal(t, "forbidden", p["outcome"])
				require.Contains(t, p["reason"], "operator")
			}
		}
	})
}

func TestMachines(t *testing.T) {
	s := onSQLite(t)
	all := s.do("GET", "/v1/machines", "").list("data")
	require.NotEmpty(t, all)
	one := s.do("GET", "/v1/machines/order", "")
	require.Equal(t, "order", one.str("name"))
	require.NotEmpty(t, one.str("hash"))
	require.NotEmpty(t, one.list("states"))
	require.NotEmpty(t, one.list("edges"))
	for format, part := range map[string]string{"svg": "<svg", "mermaid": "stateDiagram", "dot": "digraph"} {
		a := s.do("GET", "/v1/machines/order/diagram?format="+format, "")
		require.Equal(t, 200, a.status, a)
		require.Contains(t, a.text, part)
	}
	require.Equal(t, "image/svg+xml", s.do("GET", "/v1/machines/order/diagram", "").header.Get("Content-Type"))
	refused(t, s.do("GET", "/v1/machines/nobody", ""), 404, "not_found", "")
	refused(t, s.do("GET", "/v1/machines/order/diagram?format=png", ""), 400, "bad_request", "")
}

func TestPagesAndProbes(t *testing.T) {
	s := onSQLite(t)
	for path, contentType := range map[string]string{
		"/healthz": "application/json", "/readyz": "application/json", "/openapi.json": "application/openapi+json",
		"/docs": "text/html", "/docs/style.css": "text/css", "/metrics": "text/plain", "/problems/": "text/html",
	} {
		a := s.as("", "GET", path, "")
		require.Equal(t, 200, a.status, path)
		require.Contains(t, a.header.Get("Content-Type"), contentType, path)
	}
	for _, code := range problem.Codes() {
		require.Equal(t, 200, s.as("", "GET", "/problems/"+string(code), "").status, code)
	}
	require.Equal(t, "/admin/", s.as("", "GET", "/", "").header.Get("Location"))
	refused(t, s.as("", "GET", "/v1/nothing", ""), 404, "not_found", "")
	refused(t, s.do("DELETE", "/v1/orders", ""), 405, "method_not_allowed", "")
	docs := s.as("", "GET", "/docs", "").text
	require.Contains(t, docs, "/v1/orders/{id}/transitions")
	require.NotContains(t, docs, "<script")

	s.daemon.draining.Store(true)
	refused(t, s.as("", "GET", "/readyz", ""), 503, "unavailable", "")
	require.Equal(t, 200, s.as("", "GET", "/healthz", "").status)
}

// A database can answer a ping and refuse what requests need.
func TestNotReadyWhileHistoryCannotBeRead(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		require.Equal(t, 200, s.as("", "GET", "/readyz", "").status)
		require.NoError(t, s.daemon.database.Gorm.Exec("ALTER TABLE engine_transitions RENAME TO elsewhere").Error)
		a := s.as("", "GET", "/readyz", "")
		refused(t, a, 503, "unavailable", "")
		require.Contains(t, a.text, "history cannot be read: permanent")
		require.NoError(t, s.daemon.database.Gorm.Exec("ALTER TABLE elsewhere RENAME TO engine_transitions").Error)
		require.Equal(t, 200, s.as("", "GET", "/readyz", "").status)
	})
}

func TestMetricsHaveOnlyKnownLabels(t *testing.T) {
	s := onSQLite(t)
	id := s.place()
	for i := range 5 {
		s.event(id, fmt.Sprint("event_", i))
		s.as("", "GET", fmt.Sprint("/v1/", i), "")
	}
	s.as("nonsense", "GET", "/v1/orders", "")
	text := s.as("", "GET", "/metrics", "").text
	require.Contains(t, text, `orderd_requests_total{detail="unknown_event",event="other",machine="order",outcome="illegal"} 5`)
	require.Contains(t, text, `orderd_http_requests_total{route="other",status="404"} 5`)
	require.Contains(t, text, `orderd_unauthorized_total 1`)
	require.NotContains(t, text, "event_1")
	require.NotContains(t, text, id)
	require.Contains(t, text, "go_sql_open_connections")
}

func TestTheLogHasNoSecretsAndNoBodies(t *testing.T) {
	s := onSQLite(t)
	id := s.place()
	s.pay(id)
	s.as("ork_secretsecret_x", "GET", "/v1/orders", "")
	s.do("POST", "/v1/orders", `{"currency":"EUR","items":"private"}`, "Idempotency-Key", "k")
	require.NotContains(t, s.log.String(), "private")
	require.NotContains(t, s.log.String(), "secretsecret")
	require.NotContains(t, s.log.String(), strings.TrimPrefix(testSecret, "whsec_"))
	require.Equal(t, "[secrets]", fmt.Sprintf("%v", secrets{}))
}
