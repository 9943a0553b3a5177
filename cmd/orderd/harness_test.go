package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders/provider/standard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// server is a daemon behind a real HTTP server, on a database of its own.
type server struct {
	t      *testing.T
	url    string
	daemon *daemon
	log    *lockedBuffer
}

// each runs a test on every kind of database there is.
func each(t *testing.T, f func(t *testing.T, s *server)) {
	t.Run("SQLite", func(t *testing.T) {
		f(t, start(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db")))
	})
	t.Run("MySQL", func(t *testing.T) {
		f(t, start(t, "mysql:"+enginetest.MySQLDSN(t)))
	})
}

func onSQLite(t *testing.T) *server {
	t.Helper()
	return start(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
}

// start runs a daemon as dev does: with the key dev and the fake provider, but without demo data.
func start(t *testing.T, setting string, change ...func(*config)) *server {
	t.Helper()
	db, err := database.Create(t.Context(), setting)
	require.NoError(t, err)
	require.NoError(t, db.Migrate(t.Context(), tables))
	require.NoError(t, db.Close())

	on, err := standard.New(standard.Name, testSecret)
	require.NoError(t, err)
	s := &server{t: t, log: &lockedBuffer{}}
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	web := httptest.NewUnstartedServer(nil)
	s.url = "http://" + web.Listener.Addr().String()
	c := config{
		db: setting, secrets: secrets{standard: on}, dev: true, now: time.Now, log: log, public: s.url, local: s.url,
	}
	for _, f := range change {
		f(&c)
	}
	s.daemon, err = newDaemon(t.Context(), c)
	require.NoError(t, err)
	web.Config = newServer(s.daemon)
	web.Start()
	t.Cleanup(func() {
		web.Close()
		s.daemon.close(context.Background())
	})
	return s
}

// lockedBuffer lets handlers share a log.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// unique is a key that nothing has used.
func unique() string { return rand.Text() }

// answer is an HTTP answer, with its body read as JSON.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.text) }

// str is a field of the body, "" if it is not there.
func (a answer) str(field string) string {
	text, _ := a.body[field].(string)
	return text
}

// list is a field of the body.
func (a answer) list(field string) []any {
	items, _ := a.body[field].([]any)
	return items
}

// do sends a request with the key dev. headers are names and values in turn; a name may come twice.
func (s *server) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	return s.as("dev", method, path, body, headers...)
}

// as sends a request with some key; "" sends none.
func (s *server) as(key, method, path, body string, headers ...string) answer {
	s.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, in)
	require.NoError(s.t, err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return s.send(r)
}

func (s *server) send(r *http.Request) answer {
	s.t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}
	response, err := client.Do(r)
	require.NoError(s.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	a := answer{status: response.StatusCode, header: response.Header, text: string(text)}
	if strings.Contains(response.Header.Get("Content-Type"), "json") {
		require.NoError(s.t, json.Unmarshal(text, &a.body), a.text)
	}
	return a
}

// callback sends a body signed now.
func (s *server) callback(body string) answer {
	s.t.Helper()
	return s.callbackAt(body, time.Now(), testSecret)
}

func (s *server) callbackAt(body string, at time.Time, secret string) answer {
	s.t.Helper()
	signer, err := standard.New(standard.Name, secret)
	require.NoError(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/v1/callbacks/standard", strings.NewReader(body))
	require.NoError(s.t, err)
	signer.Sign(r.Header, "msg_"+unique(), []byte(body), at)
	return s.send(r)
}

// key makes a key with some roles.
func (s *server) key(principal string, roles ...auth.Role) string {
	s.t.Helper()
	k, text, err := auth.NewKey(principal, "", roles, time.Now(), 0)
	require.NoError(s.t, err)
	require.NoError(s.t, auth.NewStore(s.daemon.database.Gorm).Add(s.t.Context(), k))
	return text
}

const twoBooks = `{"currency":"EUR","items":[{"sku":"BOOK-1","name":"A book","quantity":2,"unit_price":1250}],"customer_ref":"c-1"}`

// place places an order of 2500 cents and returns its id.
func (s *server) place() string {
	s.t.Helper()
	a := s.do("POST", "/v1/orders", twoBooks, "Idempotency-Key", unique())
	require.Equal(s.t, 201, a.status, a)
	return a.str("id")
}

// pay starts a payment for an order and captures it; it returns the payment's id.
func (s *server) pay(order string) string {
	s.t.Helper()
	p := s.do("POST", "/v1/orders/"+order+"/payments", `{"provider":"standard"}`, "Idempotency-Key", unique())
	require.Equal(s.t, 201, p.status, p)
	a := s.callback(captured("tx-"+p.str("id"), p.str("reference"), 2500, "EUR"))
	require.Equal(s.t, 200, a.status, a)
	return p.str("id")
}

// event asks for an event without a body beyond it.
func (s *server) event(order, event string, headers ...string) answer {
	s.t.Helper()
	return s.do("POST", "/v1/orders/"+order+"/transitions", fmt.Sprintf(`{"event":%q}`, event), headers...)
}

func captured(transaction, reference string, amount int64, currency string) string {
	return fmt.Sprintf(`{"type":"payment.captured","data":{"id":%q,"reference":%q,"amount":%d,"currency":%q}}`,
		transaction, reference, amount, currency)
}

// refused holds an answer against a problem.
func refused(t *testing.T, a answer, status int, code, detail string) {
	t.Helper()
	require.Equal(t, status, a.status, a)
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"), a)
	require.Equal(t, code, a.str("code"), a)
	require.Equal(t, detail, a.str("detail_code"), a)
	require.Equal(t, "/problems/"+code, a.str("type"), a)
	require.EqualValues(t, status, a.body["status"], a)
	require.NotEmpty(t, a.str("title"), a)
	require.NotEmpty(t, a.str("request_id"), a)
	require.Equal(t, a.header.Get("X-Request-Id"), a.str("request_id"))
}
