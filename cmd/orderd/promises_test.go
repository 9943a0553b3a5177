package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/database"
)

// What was promised to the callers of a storm is held against what the daemon says afterwards.

// requireKept holds everything that was promised against what the daemon says now.
func (w *work) requireKept(t *testing.T) {
	t.Helper()
	histories := map[string][]any{}
	for key, promises := range w.journal {
		first := promises[0]
		applied := 0
		for _, p := range promises {
			if p.applied {
				applied++
			}
			require.Equal(t, acknowledged{first.order, first.event, first.version, p.applied}, p, "%s was promised twice", key)
		}
		require.LessOrEqual(t, applied, 1, "%s was applied twice", key)
		if histories[first.order] == nil {
			a, err := w.get(t.Context(), "/v1/orders/"+first.order+"/transitions")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.status, a)
			histories[first.order] = a.list("data")
		}
		history := histories[first.order]
		require.GreaterOrEqual(t, len(history), int(first.version), "%s is lost", key)
		kept := history[first.version-1].(map[string]any)
		require.EqualValues(t, first.version, kept["version"])
		require.Equal(t, first.event, kept["event"], "%s is lost", key)
		require.Equal(t, key, kept["seq"], "somebody else's transition")
	}
	for order, history := range histories {
		var events []string
		for _, step := range history {
			events = append(events, step.(map[string]any)["event"].(string))
		}
		require.Contains(t, [][]string{lifeInOrder, {"place", "cancel"}}, events, order)
	}
	for transaction, order := range w.paid {
		a, err := w.get(t.Context(), "/v1/payments?order_id="+order)
		require.NoError(t, err)
		require.Len(t, a.list("data"), 1)
		p := a.list("data")[0].(map[string]any)
		require.Equal(t, "captured", p["state"], "%s was taken", transaction)
		require.Equal(t, transaction, p["transaction_id"])
	}
	placed := map[string]bool{}
	for key, promises := range w.journal {
		if strings.HasPrefix(key, "place-") {
			require.False(t, placed[promises[0].order], "two keys, one order")
			placed[promises[0].order] = true
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(placed)), w.allOrders(t), "an order that nobody placed")
}

// allOrders reads the whole list.
func (w *work) allOrders(t *testing.T) []string {
	t.Helper()
	var ids []string
	for cursor := ""; ; {
		a, err := w.get(t.Context(), "/v1/orders?limit=200&cursor="+cursor)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.status, a)
		for _, item := range a.list("data") {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		if cursor = a.str("next_cursor"); cursor == "" {
			return ids
		}
	}
}

// requirePaidOut holds the balances against what was promised, and the points of the one customer
// against the orders that were completed.
func (w *work) requirePaidOut(t *testing.T) {
	t.Helper()
	balance := func(query string) int64 {
		a, err := w.get(t.Context(), "/v1/accounts"+query)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.status, a)
		if data := a.list("data"); data != nil {
			require.Len(t, data, 1, "accounts of one owner")
			a.body = data[0].(map[string]any)
		}
		n, _ := a.body["balance"].(float64)
		return int64(n)
	}
	require.EqualValues(t, len(w.payouts), balance("/"+w.merchant))
	require.EqualValues(t, 1000000-len(w.payouts), balance("/"+w.shop))
	completed := map[string]bool{}
	for key, promises := range w.journal {
		if strings.HasPrefix(key, "complete-") {
			completed[promises[0].order] = true
		}
	}
	require.Positive(t, len(completed))
	require.EqualValues(t, 25*len(completed), balance("?owner=c-1"), "points for completed orders")
}

// requireHeard waits until everything is sent, and holds what the receiver got against the table: each
// message at least once, no other, and the first time each subject's in the order of its versions.
func requireHeard(ctx context.Context, t *testing.T, setting string, in *shopfront) {
	t.Helper()
	db, err := database.Open(t.Context(), setting)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	count := func(query string) (n int) {
		require.NoError(t, db.Pool.QueryRowContext(t.Context(), query).Scan(&n))
		return n
	}
	waitFor(ctx, t, "everything is sent", func() bool {
		return count("SELECT COUNT(*) FROM engine_messages WHERE status <> 'sent'") == 0 &&
			count("SELECT COUNT(*) FROM webhook_deliveries WHERE status <> 'delivered'") == 0
	})
	in.mu.Lock()
	defer in.mu.Unlock()
	seen, last := map[any]bool{}, map[any]float64{}
	for _, e := range in.got {
		if seen[e["id"]] {
			continue
		}
		seen[e["id"]] = true
		version := e["orderversion"].(float64)
		require.Greater(t, version, last[e["subject"]], "%v came after version %v", e, last[e["subject"]])
		last[e["subject"]] = version
	}
	require.Positive(t, len(seen))
	require.Equal(t, count("SELECT COUNT(*) FROM engine_messages WHERE type LIKE 'order.%'"), len(seen))
	t.Logf("%d messages were received, in %d posts", len(seen), len(in.got))
}

// requireTrue holds all answers to the callers against history.
func (c *crowd) requireTrue(t *testing.T, setting string) {
	t.Helper()
	db, err := database.Open(t.Context(), setting)
	require.NoError(t, err)
	c.answers.Check(t, db.Gorm)
	require.NoError(t, db.Close())
}

// requireOncePerKey looks for keys with two transitions past the index that forbids them.
func requireOncePerKey(t *testing.T, setting string) {
	t.Helper()
	db, err := database.Create(t.Context(), setting)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var all, keys int64
	require.NoError(t, db.Pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM engine_transitions`).Scan(&all))
	require.NoError(t, db.Pool.QueryRowContext(t.Context(),
		`SELECT COUNT(*) FROM (SELECT source, seq FROM engine_transitions GROUP BY source, seq) k`).Scan(&keys))
	require.Positive(t, all)
	require.Equal(t, all, keys)
}
