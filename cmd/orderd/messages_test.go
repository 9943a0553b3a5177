package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// works starts the daemon's background jobs, and lets it post to this machine.
func works(t *testing.T, setting string) *server {
	t.Helper()
	s := start(t, setting, toLoopback)
	s.work()
	return s
}

func toLoopback(c *config) { c.guard.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

func (s *server) work() {
	s.t.Helper()
	w, err := s.daemon.startWorker(s.t.Context())
	require.NoError(s.t, err)
	s.t.Cleanup(w.Close)
}

// shopfront is a receiver of webhooks.
type shopfront struct {
	*httptest.Server
	mu     sync.Mutex
	got    []map[string]any
	header []http.Header
	bodies [][]byte
	fail   bool
}

func receiver(t *testing.T) *shopfront {
	t.Helper()
	in := &shopfront{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var event map[string]any
		_ = json.Unmarshal(body, &event) // the test looks at it
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.fail {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		in.got, in.header, in.bodies = append(in.got, event), append(in.header, r.Header), append(in.bodies, body)
	}))
	t.Cleanup(in.Close)
	return in
}

// types are what was received of one subject, repeats left out.
func (in *shopfront) types(subject string) (types []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	seen := map[any]bool{}
	for _, e := range in.got {
		if e["subject"] == subject && !seen[e["id"]] {
			types, seen[e["id"]] = append(types, e["type"].(string)), true
		}
	}
	return types
}

// eventually waits for background work: on its outcome, never on time.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 20*time.Second, 5*time.Millisecond, what)
}

func TestOrdersAreHeardOf(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		heard(t, works(t, s.daemon.db))
	})
}

func heard(t *testing.T, s *server) {
	in := receiver(t)
	made := s.do("POST", "/v1/webhook-endpoints", fmt.Sprintf(`{"url":%q,"events":["order.*"]}`, in.URL+"/hooks"))
	require.Equal(t, 201, made.status, made)
	endpoint, secret := made.str("id"), made.str("secret")
	require.NotContains(t, s.do("GET", "/v1/webhook-endpoints/"+endpoint, "").text, secret, "it is shown once")
	require.NotContains(t, s.log.String(), secret)

	id := s.place()
	require.Equal(t, 200, s.event(id, "cancel").status)
	want := []string{"order.placed", "order.cancelled"}
	eventually(t, "both messages arrive", func() bool { return slices.Equal(in.types(id), want) })
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify(in.bodies[0], in.header[0]))
	require.Equal(t, in.header[0].Get("Webhook-Id"), in.got[0]["id"])
	require.EqualValues(t, 1, in.got[0]["orderversion"])

	var messages []any
	eventually(t, "they are noted as sent", func() bool {
		messages = s.do("GET", "/v1/messages?status=sent&order_id="+id, "").list("data")
		return len(messages) == 2
	})
	message := messages[0].(map[string]any)["id"].(string)
	require.Equal(t, "sent", s.do("GET", "/v1/messages/"+message, "").str("status"))
	require.Equal(t, false, s.do("POST", "/v1/messages/"+message+"/retry", "").body["asked"])

	var deliveries []any
	eventually(t, "they are noted as delivered", func() bool {
		deliveries = s.do("GET", "/v1/webhook-deliveries?status=delivered&endpoint_id="+endpoint, "").list("data")
		return len(deliveries) == 2
	})
	delivery := deliveries[0].(map[string]any)["id"].(string)
	one := s.do("GET", "/v1/webhook-deliveries/"+delivery, "")
	require.Len(t, one.list("attempts"), 1, one)
	require.Equal(t, true, s.do("POST", "/v1/webhook-deliveries/"+delivery+"/redeliver", "").body["asked"])
	eventually(t, "it is posted again", func() bool {
		return len(s.do("GET", "/v1/webhook-deliveries/"+delivery, "").list("attempts")) == 2
	})
	require.EqualValues(t, 2, s.do("POST", "/v1/messages/replay", fmt.Sprintf(`{"order_id":%q}`, id)).body["count"])
	recovered := s.do("POST", "/v1/webhook-endpoints/"+endpoint+"/recover", `{"since":"2020-01-01T00:00:00Z"}`)
	require.EqualValues(t, 0, recovered.body["count"], recovered)

	require.EqualValues(t, 200, s.do("POST", "/v1/webhook-endpoints/"+endpoint+"/test", "").body["code"])
	rotated := s.do("POST", "/v1/webhook-endpoints/"+endpoint+"/rotate-secret", "")
	require.Equal(t, 200, rotated.status, rotated)
	require.NotEqual(t, secret, rotated.str("secret"))
	off := s.do("PATCH", "/v1/webhook-endpoints/"+endpoint, `{"status":"disabled"}`)
	require.Equal(t, "disabled", off.str("status"), off)
	for _, deleted := range []bool{true, false} {
		a := s.do("DELETE", "/v1/webhook-endpoints/"+endpoint, "")
		require.Equal(t, 200, a.status)
		require.Equal(t, deleted, a.body["deleted"])
	}
	refused(t, s.do("GET", "/v1/webhook-endpoints/"+endpoint, ""), 404, "not_found", "")
}

// The daemon posts notifications to a gateway that knows repeats: one for each event and channel.
func TestCustomersAreTold(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		in := receiver(t)
		told := start(t, s.daemon.db, func(c *config) { c.secrets.notifyURL = in.URL })
		told.work()
		id := told.place()
		require.Equal(t, 200, told.event(id, "cancel").status)
		eventually(t, "the gateway is called", func() bool {
			list := told.do("GET", "/v1/notifications?state=sent&order_id="+id, "").list("data")
			return len(list) == 2 // over two channels: the log of development, and the gateway
		})
		in.mu.Lock()
		defer in.mu.Unlock()
		require.Len(t, in.got, 1)
		require.Equal(t, in.got[0]["id"], in.header[0].Get("Idempotency-Key"))
		require.Equal(t, "Your order was cancelled", in.got[0]["title"])
		refused(t, told.do("GET", "/v1/notifications?state=odd", ""), 400, "bad_request", "")
		refused(t, told.do("GET", "/v1/notifications?cursor=%C3%A9", ""), 400, "bad_request", "")
	})
}

func TestBadWebhookInput(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		for _, body := range []string{
			``, `{}`, `{"url":"https://a.example"}`, `{"url":"https://a.example","events":[]}`, `{"url":"https://a.example","events":["Order"]}`,
			`{"url":"ftp://a.example","events":["*"]}`, `{"url":"http://127.0.0.1:1","events":["*"]}`, `{"url":"http://localhost","events":["*"]}`,
			`{"url":"http://169.254.169.254/latest","events":["*"]}`, `{"url":"http://[::1]/","events":["*"]}`, `{"url":"https://a.example","events":["*"],"secret":"x"}`,
		} {
			refused(t, s.do("POST", "/v1/webhook-endpoints", body), 400, "bad_request", "")
		}
		for _, path := range []string{
			"/v1/messages?status=odd", "/v1/messages?cursor=x", "/v1/messages?limit=0", "/v1/messages?from=yesterday", "/v1/messages?from=0000-12-31T00:00:00Z",
			"/v1/messages?to=9999-12-31T23:59:59-10:00", "/v1/webhook-deliveries?status=odd", "/v1/webhook-deliveries?cursor=x",
		} {
			refused(t, s.do("GET", path, ""), 400, "bad_request", "")
		}
		for _, body := range []string{`{}`, `{"from":"2024-01-01T00:00:00Z"}`, `{"order_id":7}`} {
			refused(t, s.do("POST", "/v1/messages/replay", body), 400, "bad_request", "")
		}
		for _, path := range []string{"/v1/messages/msg_x", "/v1/messages/%ff", "/v1/webhook-endpoints/x", "/v1/webhook-endpoints/%C3%A9", "/v1/webhook-deliveries/x", "/v1/webhook-deliveries/%C3%A9"} {
			refused(t, s.do("GET", path, ""), 404, "not_found", "")
		}
		refused(t, s.do("POST", "/v1/webhook-deliveries/x/redeliver", ""), 404, "not_found", "")
		refused(t, s.do("POST", "/v1/webhook-endpoints/x/recover", `{"since":"2024-01-01T00:00:00Z"}`), 404, "not_found", "")
	})
}

// An unpaid order expires by itself, once, though two daemons look for it.
func TestAnUnpaidOrderExpires(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		other := start(t, s.daemon.db)
		id, paid := s.place(), s.place()
		pay := s.do("POST", "/v1/orders/"+paid+"/transitions", `{"event":"pay","input":{"amount":2500,"currency":"EUR"}}`, "Idempotency-Key", unique())
		require.Equal(t, 200, pay.status, pay)
		require.NoError(t, s.daemon.database.Gorm.Exec("UPDATE engine_timers SET due_at = ?, next_at = ?", time.Unix(1, 0).UTC(), time.Unix(1, 0).UTC()).Error)
		s.work()
		other.work()
		eventually(t, "it expires", func() bool { return s.do("GET", "/v1/orders/"+id, "").str("state") == "expired" })
		history := s.do("GET", "/v1/orders/"+id+"/transitions", "").list("data")
		require.Len(t, history, 2)
		require.Equal(t, "system:timer", history[1].(map[string]any)["actor"])
		require.Equal(t, "paid", s.do("GET", "/v1/orders/"+paid, "").str("state"))
	})
}
