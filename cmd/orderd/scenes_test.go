package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The scenes that every shop knows, over HTTP. Each is played by many at once, and its effect is there
// once.

// One QR code stands for one payment of one order. Many scan it and pay at once; the order is charged
// once.
func TestSceneOneQRCodeManyScanners(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		order := s.place()
		p := s.do("POST", "/v1/orders/"+order+"/payments", `{"provider":"fake"}`, "Idempotency-Key", unique())
		require.Equal(t, 201, p.status, p)
		code := s.as("", "GET", strings.TrimPrefix(p.str("qr_svg_url"), s.url), "")
		require.Equal(t, 200, code.status)
		require.Equal(t, "image/svg+xml", code.header.Get("Content-Type"))
		page := strings.TrimPrefix(p.str("pay_url"), s.url)
		answers := together(20, func(int) answer {
			return s.as("", "POST", page, "answer=captured", "Content-Type", "application/x-www-form-urlencoded")
		})
		require.Equal(t, map[int]int{http.StatusSeeOther: 20}, counted(answers))
		s.requireChargedOnce(t, order)
	})
}

// requireChargedOnce looks at an order of 2500 cents from all sides.
func (s *server) requireChargedOnce(t *testing.T, order string) {
	t.Helper()
	o := s.do("GET", "/v1/orders/"+order, "")
	require.Equal(t, "paid", o.str("state"), o)
	require.EqualValues(t, 2500, o.body["paid_amount"])
	require.EqualValues(t, 2, o.body["version"])
	require.Len(t, s.do("GET", "/v1/payments?state=captured&order_id="+order, "").list("data"), 1)
	require.Empty(t, s.do("GET", "/v1/money-desk?order_id="+order, "").list("data"))
	requireClean(t, s.daemon.database.Gorm)
}

// A customer double-clicks on pay: the form starts one payment, and the button behind it charges once.
func TestSceneDoubleClickOnPay(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		order, token := s.place(), s.token("payment")
		started := together(8, func(int) answer {
			return s.do("POST", "/v1/orders/"+order+"/payments", "provider=fake&submit_token="+token, "Content-Type", "application/x-www-form-urlencoded")
		})
		require.Equal(t, map[int]int{201: 1, 200: 7}, counted(started), started)
		for _, a := range started {
			require.Equal(t, started[0].str("id"), a.str("id"))
		}
		require.Len(t, s.do("GET", "/v1/payments?order_id="+order, "").list("data"), 1)
		page := strings.TrimPrefix(started[0].str("pay_url"), s.url)
		together(8, func(int) answer {
			return s.as("", "POST", page, "answer=captured", "Content-Type", "application/x-www-form-urlencoded")
		})
		s.requireChargedOnce(t, order)
	})
}

// A merchant repeats a transfer, because the network was slow: every answer is the first success.
func TestSceneARepeatedMerchantTransfer(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		shop, merchant := s.account("shop", "money", "EUR"), s.account("merchant", "money", "EUR")
		s.deposit(shop, 700)
		answers := together(32, func(int) answer {
			return s.do("POST", "/v1/transfers", transfer(shop, merchant, 700), "Idempotency-Key", "payout-2026-01")
		})
		require.Equal(t, map[int]int{201: 1, 200: 31}, counted(answers), answers)
		for _, a := range answers {
			require.Equal(t, answers[0].str("id"), a.str("id"))
			require.Equal(t, "succeeded", a.str("state"))
		}
		require.Zero(t, s.balance(shop))
		require.EqualValues(t, 700, s.balance(merchant))
		refused(t, s.do("POST", "/v1/transfers", transfer(shop, merchant, 701), "Idempotency-Key", "payout-2026-01"), 422, "conflict", "key_reused")
		requireClean(t, s.daemon.database.Gorm)
	})
}

// gateway is one that sends whatever it is told, however often.
type gateway struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int // by notification
	first chan struct{}  // closed when the first call has come
	goOn  chan struct{}  // the first call ends then
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{calls: map[string]int{}, first: make(chan struct{}), goOn: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		g.mu.Lock()
		g.calls[r.Header.Get("Idempotency-Key")]++
		first := len(g.calls) == 1 && g.calls[r.Header.Get("Idempotency-Key")] == 1
		g.mu.Unlock()
		if first {
			close(g.first)
			<-g.goOn
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// A customer gets one SMS for each event, though the sender is killed while the gateway works, and the
// event's message is delivered again and again to two daemons.
func TestSceneOneSMSPerEvent(t *testing.T) {
	eachBinary(t, func(t *testing.T, b *binary, setting, key string) {
		in := newGateway(t)
		b.env = append(b.env, "ORDERD_SMS_URL="+in.URL)
		one := b.serveMortal()
		paid := func(r *running) string {
			_, o := r.do(key, "POST", "/v1/orders", strings.Replace(twoBooks, `"customer_ref"`, `"metadata":{"phone":"+4912345"},"customer_ref"`, 1))
			id, _ := o["id"].(string)
			code, said := r.do(key, "POST", "/v1/orders/"+id+"/transitions", `{"event":"pay","input":{"amount":2500,"currency":"EUR"}}`)
			require.Equal(t, 200, code, said)
			return id
		}
		first := paid(one)
		<-in.first
		one.killHard()
		close(in.goOn)
		muchLater(t, setting)

		two, three := b.serveMortal(), b.serveMortal()
		second := paid(two)
		for _, r := range []*running{two, three} {
			for range 5 {
				code, said := r.do(key, "POST", "/v1/messages/replay", fmt.Sprintf(`{"order_id":%q}`, first))
				require.Equal(t, 200, code, said)
			}
		}
		told := func(order string) (all []any) {
			_, list := two.do(key, "GET", "/v1/notifications?order_id="+order, "")
			all, _ = list["data"].([]any)
			return all
		}
		eventually(t, "the next customer is told", func() bool {
			all := told(second)
			return len(all) == 1 && all[0].(map[string]any)["state"] == "sent"
		})
		eventually(t, "all messages have gone out", func() bool {
			_, list := two.do(key, "GET", "/v1/messages?status=pending", "")
			rest, _ := list["data"].([]any)
			return len(rest) == 0
		})
		eventually(t, "what nobody knows is shown", func() bool { // and not sent again
			all := told(first)
			return len(all) == 1 && all[0].(map[string]any)["state"] == "uncertain"
		})
		in.mu.Lock()
		defer in.mu.Unlock()
		require.Len(t, in.calls, 2)
		for id, n := range in.calls {
			require.Equal(t, 1, n, id)
		}
		b.requireVerified()
	})
}

// muchLater lets a daemon decide, for which an hour has passed, about the call of a sender that was killed.
func muchLater(t *testing.T, setting string) {
	t.Helper()
	later := start(t, setting, func(c *config) { c.now = func() time.Time { return time.Now().Add(time.Hour) } })
	_, err := later.daemon.background.notifier.Step(t.Context(), 0)
	require.NoError(t, err)
}

// A checkout retries one business request from many threads: there is one order.
func TestSceneOneOrderPerBusinessRequest(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		answers := together(48, func(int) answer { return s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", "cart-4711") })
		require.Equal(t, map[int]int{201: 1, 200: 47}, counted(answers), answers)
		for _, a := range answers {
			require.Equal(t, answers[0].str("id"), a.str("id"))
		}
		require.Len(t, s.do("GET", "/v1/orders", "").list("data"), 1)
		refused(t, s.do("POST", "/v1/orders", strings.Replace(twoBooks, "BOOK-1", "BOOK-2", 1), "Idempotency-Key", "cart-4711"), 422, "conflict", "key_reused")
		requireClean(t, s.daemon.database.Gorm)
	})
}

// An order completes and its message is delivered again and again, to two daemons: the customer has one
// points account, and the points of each order once.
func TestSceneOnePointsAccountFromManyMessages(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.work()
		start(t, s.daemon.db).work()
		orders := []string{s.place(), s.place(), s.place()}
		for _, id := range orders {
			s.pay(id)
			for _, event := range []string{"ship", "deliver", "complete"} {
				a := s.event(id, event)
				require.Equal(t, 200, a.status, a)
			}
		}
		credited := func() []any { return s.do("GET", "/v1/accounts?owner=c-1", "").list("data") }
		eventually(t, "points of all orders", func() bool {
			all := credited()
			return len(all) == 1 && all[0].(map[string]any)["balance"].(float64) == 75
		})
		for range 3 {
			for _, id := range orders {
				require.Equal(t, 200, s.do("POST", "/v1/messages/replay", fmt.Sprintf(`{"order_id":%q}`, id)).status)
			}
			eventually(t, "all messages have gone out again", func() bool {
				return len(s.do("GET", "/v1/messages?status=pending", "").list("data")) == 0
			})
		}
		points := credited()[0].(map[string]any)
		require.Len(t, credited(), 1)
		require.Equal(t, "points", points["kind"])
		require.EqualValues(t, 75, points["balance"])
		require.EqualValues(t, 3, points["entries"])
		requireClean(t, s.daemon.database.Gorm)
	})
}
