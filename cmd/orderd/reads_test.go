package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
)

// checksums is a hash of every row of every table.
func (s *server) checksums() map[string]string {
	s.t.Helper()
	pool := s.daemon.database.Pool
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if s.daemon.database.Gorm.Name() == "mysql" {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
	}
	var tables []string
	require.NoError(s.t, s.daemon.database.Gorm.Raw(query).Scan(&tables).Error)
	require.Greater(s.t, len(tables), 10)
	sums := map[string]string{}
	for _, table := range tables {
		rows, err := pool.QueryContext(s.t.Context(), "SELECT * FROM "+table)
		require.NoError(s.t, err)
		columns, err := rows.Columns()
		require.NoError(s.t, err)
		var all []string
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			require.NoError(s.t, rows.Scan(values...))
			var row strings.Builder
			for _, v := range values {
				fmt.Fprintf(&row, "%v\x00", *v.(*any))
			}
			all = append(all, row.String())
		}
		require.NoError(s.t, rows.Err())
		require.NoError(s.t, rows.Close())
		slices.Sort(all)
		sums[table] = fmt.Sprintf("%d %x", len(all), sha256.Sum256([]byte(strings.Join(all, "\x01"))))
	}
	return sums
}

// Queries are idempotent by nature as long as they write nothing: no call that reads leaves a trace in
// any table, not even in the journal, whether it finds something or not.
func TestReadsWriteNothing(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		order := s.place()
		payment := s.do("POST", "/v1/orders/"+order+"/payments", `{"provider":"fake"}`, "Idempotency-Key", unique()).str("id")
		require.NotEmpty(t, payment)
		endpoint := s.do("POST", "/v1/webhook-endpoints", `{"url":"https://shop.example","events":["*"]}`).str("id")
		require.NotEmpty(t, endpoint)
		_, err := s.daemon.background.relay.Step(t.Context(), 0)
		require.NoError(t, err)
		message := s.do("GET", "/v1/messages", "").list("data")[0].(map[string]any)["id"].(string)
		delivery := s.do("GET", "/v1/webhook-deliveries", "").list("data")[0].(map[string]any)["id"].(string)
		ada, bob := s.account("ada", "money", "EUR"), s.account("bob", "money", "EUR")
		s.deposit(ada, 100)
		moved := s.do("POST", "/v1/transfers", transfer(ada, bob, 1), "Idempotency-Key", unique())
		require.Equal(t, 201, moved.status, moved)
		ids := map[string]string{
			"orders": order, "payments": payment, "webhook-endpoints": endpoint, "messages": message, "webhook-deliveries": delivery,
			"accounts": ada, "transfers": moved.str("id"),
		}

		paths := []string{
			"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/problems/", "/problems/stale", "/v1/payments/" + payment + "/qr.svg", "/dev/pay/" + payment,
			"/dev/webhooks", "/admin/login", "/admin/orders", "/v1/orders/" + order + "/transitions?include=attempts", "/v1/accounts?owner=ada", "/v1/nothing", "/v1/orders?limit=0",
		}
		for route := range auth.Routes {
			method, path, _ := strings.Cut(route, " ")
			if method != "GET" {
				continue
			}
			kind := strings.Split(path, "/")[2]
			for _, id := range []string{ids[kind], "nobody"} {
				paths = append(paths, strings.NewReplacer("{id}", id, "{name}", "order").Replace(path))
			}
		}
		before := s.checksums()
		for _, path := range paths {
			for range 2 {
				s.do("GET", path, "")
			}
			require.Equal(t, before, s.checksums(), path)
		}
		dry := s.do("POST", "/v1/orders/"+order+"/transitions?dry_run=true", `{"event":"cancel"}`)
		require.Equal(t, 200, dry.status, dry)
		refused(t, s.do("POST", "/v1/orders/"+order+"/transitions?dry_run=true", `{"event":"ship"}`), 409, "early", "")
		require.Equal(t, before, s.checksums(), "a dry run writes nothing at all")
		require.Equal(t, 200, s.event(order, "cancel").status)
		require.NotEqual(t, before, s.checksums(), "the checksums see what is written")
	})
}
