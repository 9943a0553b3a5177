package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
)

// granted is written down a second time, so that a change of the table is seen twice.
var granted = map[auth.Role][]string{
	auth.Viewer: {
		"GET /v1/orders", "GET /v1/orders/{id}", "GET /v1/orders/{id}/transitions", "GET /v1/orders/{id}/allowed-events",
		"GET /v1/payments", "GET /v1/payments/{id}", "GET /v1/money-desk",
		"GET /v1/accounts", "GET /v1/accounts/{id}", "GET /v1/accounts/{id}/entries", "GET /v1/transfers/{id}",
		"GET /v1/messages", "GET /v1/notifications", "GET /v1/timers", "GET /v1/messages/{id}", "GET /v1/webhook-deliveries", "GET /v1/webhook-deliveries/{id}",
		"GET /v1/machines", "GET /v1/machines/{name}", "GET /v1/machines/{name}/diagram",
	},
	auth.Checkout: {
		"POST /v1/orders", "POST /v1/orders/{id}/transitions", "POST /v1/orders/{id}/payments",
		"GET /v1/orders/{id}", "GET /v1/orders/{id}/allowed-events", "GET /v1/payments/{id}",
		"POST /v1/accounts", "GET /v1/accounts/{id}", "POST /v1/transfers", "GET /v1/transfers/{id}",
		"POST /v1/tokens", "DELETE /v1/tokens/{token}",
		"GET /v1/machines", "GET /v1/machines/{name}", "GET /v1/machines/{name}/diagram",
	},
}

// forAdmins are those that an operator has no role for.
var forAdmins = []string{
	"POST /v1/webhook-endpoints", "PATCH /v1/webhook-endpoints/{id}", "DELETE /v1/webhook-endpoints/{id}", "POST /v1/webhook-endpoints/{id}/rotate-secret",
}

var grantedEvents = map[auth.Role][]string{
	auth.Viewer:   {},
	auth.Checkout: {"cancel", "request_return"},
	auth.Operator: {
		"cancel", "request_return", "pay", "pay_part", "ship_part", "ship", "deliver", "complete", "fail_delivery",
		"accept_return", "reject_return", "request_refund", "refund_part", "reopen",
	},
}

func TestTheTableOfRoutesIsTheListOfRoutes(t *testing.T) {
	s := onSQLite(t)
	var listed []string
	for route := range auth.Routes {
		listed = append(listed, route)
	}
	require.ElementsMatch(t, s.daemon.api.Routes, listed)
}

func TestEveryRoleOnEveryRoute(t *testing.T) {
	s := onSQLite(t)
	for route := range auth.Routes {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{id}", "nobody", "{name}", "nobody", "{token}", "nobody").Replace(path)
		refused(t, s.as("", method, path, ""), 401, "unauthorized", "")
		require.Contains(t, s.as("", method, path, "").header.Get("WWW-Authenticate"), "Bearer")
		refused(t, s.as("guess", method, path, ""), 401, "unauthorized", "")
		for _, role := range auth.Roles {
			a := s.as(s.key("p", role), method, path, "")
			may := role == auth.Operator && !slices.Contains(forAdmins, route) || role == auth.Admin || slices.Contains(granted[role], route)
			require.Equal(t, may, a.status != 403, "%s %s: %s", role, route, a)
			if !may {
				refused(t, a, 403, "forbidden", "")
				require.NotEmpty(t, a.list("required_roles"))
			}
		}
	}
}

func TestEveryRoleOnEveryEvent(t *testing.T) {
	s := onSQLite(t)
	id := s.place()
	var events []string
	for _, e := range s.do("GET", "/v1/machines/order", "").list("events") {
		events = append(events, e.(map[string]any)["name"].(string))
	}
	var listed []string
	for event := range auth.Events {
		listed = append(listed, string(event))
	}
	require.Subset(t, listed, events, "every event of the machine is in the table")

	path := "/v1/orders/" + id + "/transitions?dry_run=true"
	for _, role := range auth.Roles {
		key := s.key("p", role)
		for _, event := range events {
			a := s.as(key, "POST", path, fmt.Sprintf(`{"event":%q}`, event), "Idempotency-Key", unique())
			may := role == auth.Admin || slices.Contains(grantedEvents[role], event)
			require.Equal(t, may, a.status != 403, "%s %s: %s", role, event, a)
		}
		if role != auth.Viewer {
			refused(t, s.as(key, "POST", path, `{"event":"explode"}`), 422, "illegal", "unknown_event")
		}
	}
	require.Equal(t, "placed", s.do("GET", "/v1/orders/"+id, "").str("state"))
}

func TestARevokedKeyStops(t *testing.T) {
	s := onSQLite(t)
	key := s.key("p", auth.Viewer)
	require.Equal(t, 200, s.as(key, "GET", "/v1/orders", "").status)
	keys := auth.NewStore(s.daemon.database.Gorm)
	all, err := keys.List(t.Context(), "p")
	require.NoError(t, err)
	_, _, err = keys.Revoke(t.Context(), all[0].ID, all[0].CreatedAt)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.as(key, "GET", "/v1/orders", "").status == 401 }, cacheLifeAtMost, tick)
}

const (
	cacheLifeAtMost = 2 * time.Second
	tick            = 50 * time.Millisecond
)
