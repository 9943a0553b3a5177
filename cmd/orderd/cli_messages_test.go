package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/cli"
)

func TestMessagesAndWebhooksFromTheTerminal(t *testing.T) {
	b := build(t)
	b.run("migrate")
	r := b.start("dev")
	_, placed := r.do("dev", "POST", "/v1/orders", twoBooks)
	id := placed["id"].(string)
	var messages []map[string]any
	eventually(t, "it is sent", func() bool {
		b.ok(&messages, "message", "list", "--order", id, "--status", "sent")
		return len(messages) == 1
	})
	var count map[string]int
	b.ok(&count, "message", "replay", "--order", id)
	require.Equal(t, map[string]int{"count": 1}, count)
	var answer map[string]any
	b.ok(&answer, "message", "retry", messages[0]["id"].(string))
	require.Contains(t, answer, "asked")

	b.ok(&answer, "webhook", "create", "https://shop.example/hooks", "--events", "order.*")
	endpoint := answer["id"].(string)
	require.Contains(t, answer["secret"], "whsec_")
	stdout, _, code := b.run("webhook", "list", "--json")
	require.Equal(t, 0, code)
	require.Contains(t, stdout, endpoint)
	require.NotContains(t, stdout, answer["secret"])
	b.ok(&count, "webhook", "recover", endpoint, "--since", "2020-01-01T00:00:00Z")
	require.Positive(t, count["count"])
	var deliveries []map[string]any
	b.ok(&deliveries, "webhook", "deliveries", "--endpoint", endpoint)
	require.NotEmpty(t, deliveries)
	b.ok(&answer, "webhook", "redeliver", deliveries[0]["id"].(string))
	for _, deleted := range []bool{true, false} {
		b.ok(&answer, "webhook", "delete", endpoint)
		require.Equal(t, deleted, answer["deleted"])
	}
	for code, args := range map[int][]string{
		cli.ExitUsage: {"webhook", "create", "http://127.0.0.1/"}, cli.ExitNo: {"message", "retry", "msg_x"},
	} {
		_, stderr, got := b.run(args...)
		require.Equal(t, code, got, stderr)
	}
	_, stderr, code := b.run("message", "replay")
	require.Equal(t, cli.ExitUsage, code, stderr)
	code, log := r.stop()
	require.Equal(t, 0, code, log)
}
