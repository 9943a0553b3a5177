package admin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/admin"
	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/timer"
	"example.com/orderd/orders"
	"example.com/orderd/orders/notify"
)

// site is the pages on a shop of their own, behind a real HTTP server.
type site struct {
	t      *testing.T
	url    string
	shop   *orders.Shop
	engine *engine.Engine
	db     *database.Database
	queue  *outbox.Queue
	timing *timer.Queue
	hooks  *webhook.Webhooks
	news   *notify.Notifier
	keys   *auth.Store
	later  atomic.Int64 // nanoseconds that the site's clock is ahead
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.later.Load())) }

func start(t *testing.T) *site {
	t.Helper()
	ddl, err := os.ReadFile("../../schema.sql")
	require.NoError(t, err)
	db, err := database.Create(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	require.NoError(t, db.Migrate(t.Context(), schema.Component{Name: "orderd", Version: 1, DDL: string(ddl)}))

	s := &site{t: t, db: db, keys: auth.NewStore(db.Gorm)}
	quiet := slog.New(slog.DiscardHandler)
	s.engine, err = engine.New(db.Gorm, engine.Config{Logger: quiet}, slices.Concat(orders.Machines(), notify.Machines())...)
	require.NoError(t, err)
	s.shop, err = orders.New(db.Gorm, s.engine, s.engine, orders.Config{Providers: []string{"fake"}, Logger: quiet})
	require.NoError(t, err)

	s.queue, err = outbox.NewQueue(t.Context(), db.Gorm, s.now)
	require.NoError(t, err)
	s.timing, err = timer.NewQueue(t.Context(), db.Gorm, s.now)
	require.NoError(t, err)
	s.hooks, err = webhook.New(t.Context(), db.Gorm, webhook.Config{
		NewID: id.New, Random: func(n int) []byte { return make([]byte, n) }, Now: s.now, Logger: quiet,
		Guard: webhook.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	require.NoError(t, err)
	t.Cleanup(s.hooks.Close)
	s.news, err = notify.New(t.Context(), db.Gorm, s.engine, notify.Config{
		Compose: func(_ context.Context, m outbox.Message) ([]notify.Draft, error) {
			return []notify.Draft{{Channel: "log", Recipient: "ada", Title: "Your order", Text: m.Subject}}, nil
		},
		Senders: []notify.Sender{notify.Log{To: quiet}}, Now: s.now, Logger: quiet,
	})
	require.NoError(t, err)

	ring := auth.NewKeyring(s.keys, s.now, "")
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	pages := admin.New(admin.Deps{
		Shop: s.shop, Engine: s.engine, Gate: auth.NewGate(ring, func() {}), Ring: ring,
		Now: s.now, Public: s.url, Log: quiet, Queue: s.queue, Webhooks: s.hooks, Notifier: s.news, Timers: s.timing,
	})
	server.Config.Handler = web.Outermost(pages, quiet, func(string, string, int, time.Duration) {})
	server.Start()
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, s.engine.Close(context.Background()))
		require.NoError(t, db.Close())
	})
	return s
}

// key makes a key with some roles.
func (s *site) key(principal string, roles ...auth.Role) string {
	s.t.Helper()
	k, text, err := auth.NewKey(principal, "", roles, time.Now(), 0)
	require.NoError(s.t, err)
	require.NoError(s.t, s.keys.Add(s.t.Context(), k))
	return text
}

var till = orders.Caller{Principal: "till", Actor: "till"}

// place places an order of 2500 cents.
func (s *site) place(customer string) orders.Order {
	s.t.Helper()
	o, _, err := s.shop.Place(s.t.Context(), till, customer, orders.NewOrder{
		Currency: "EUR", CustomerRef: customer, Items: []orders.Item{{SKU: "BOOK-1", Name: "A book", Quantity: 2, UnitPrice: 1250}},
	})
	require.NoError(s.t, err)
	return o
}

// paid places an order and pays it.
func (s *site) paid(customer string) orders.Order {
	s.t.Helper()
	o := s.place(customer)
	_, err := s.shop.Transition(s.t.Context(), till, o.ID, orders.TransitionRequest{
		Event: orders.EventPay, Seq: "pay-" + customer, Input: []byte(`{"amount":2500,"currency":"EUR"}`),
	})
	require.NoError(s.t, err)
	return o
}

// versions is how many transitions an order has had.
func (s *site) versions(id string) int64 {
	s.t.Helper()
	o, err := s.shop.Order(s.t.Context(), id)
	require.NoError(s.t, err)
	return o.Version
}

// browser keeps cookies and follows no redirects.
type browser struct {
	s      *site
	client *http.Client
}

func (s *site) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	return &browser{s: s, client: &http.Client{
		Jar: jar, Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// as is a browser that is logged in with a new key.
func (s *site) as(roles ...auth.Role) *browser {
	s.t.Helper()
	b := s.browser()
	p := b.post("/admin/login", url.Values{"key": {s.key("alice", roles...)}})
	require.Equal(s.t, http.StatusSeeOther, p.status, p.text)
	return b
}

// page is an answer.
type page struct {
	status int
	header http.Header
	text   string
}

func (b *browser) get(path string) page { return b.send(http.MethodGet, path, nil) }

// post sends a form; headers are names and values in turn.
func (b *browser) post(path string, form url.Values, headers ...string) page {
	return b.send(http.MethodPost, path, form, headers...)
}

func (b *browser) send(method, path string, form url.Values, headers ...string) page {
	t := b.s.t
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(t.Context(), method, b.s.url+path, body)
	require.NoError(t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return page{status: response.StatusCode, header: response.Header, text: string(text)}
}

// form is the act form of an event as the page has it; nil if it has none.
func (p page) form(event, reason string) url.Values {
	_, after, found := strings.Cut(p.text, `name="event" value="`+event+`"`)
	if !found {
		return nil
	}
	return url.Values{"event": {event}, "reason": {reason}, "key": {hidden(after, "key")}, "version": {hidden(after, "version")}}
}

func hidden(text, name string) string {
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	return found[1]
}
