package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/engine/enginetest"
)

// eachStore runs a test with submit tokens in every database there is, and in Redis.
func eachStore(t *testing.T, f func(t *testing.T, s *server)) {
	each(t, f)
	t.Run("Redis", func(t *testing.T) { f(t, onRedis(t, enginetest.Redis(t))) })
}

func onRedis(t *testing.T, url string) *server {
	t.Helper()
	return start(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), func(c *config) { c.secrets.redis = url })
}

// token gets a submit token.
func (s *server) token(scope string) string {
	s.t.Helper()
	a := s.do("POST", "/v1/tokens", fmt.Sprintf(`{"scope":%q}`, scope))
	require.Equal(s.t, 201, a.status, a)
	expires, err := time.Parse(time.RFC3339, a.str("expires_at"))
	require.NoError(s.t, err)
	require.Greater(s.t, time.Until(expires), time.Minute)
	return a.str("token")
}

// together sends n requests at once.
func together(n int, send func(i int) answer) []answer {
	answers := make([]answer, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			answers[i] = send(i)
		})
	}
	close(start)
	all.Wait()
	return answers
}

// counted is how many answers had each status.
func counted(answers []answer) map[int]int {
	n := map[int]int{}
	for _, a := range answers {
		n[a.status]++
	}
	return n
}

// A form that is sent many times at once has its effect once: one click is told 201, the others wait and
// get the first answer, each with a token for the next form.
func TestASubmitTokenIsSpentOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		token := s.token("order")
		answers := together(24, func(int) answer { return s.do("POST", "/v1/orders", twoBooks, "Submit-Token", token) })
		require.Equal(t, map[int]int{201: 1, 200: 23}, counted(answers), answers)
		nexts := map[string]bool{}
		for _, a := range answers {
			require.Equal(t, answers[0].str("id"), a.str("id"))
			if a.status == 200 {
				require.Equal(t, "already", a.str("outcome"))
				require.Equal(t, "replayed", a.str("detail"))
			}
			nexts[a.header.Get("Submit-Token")] = true
		}
		require.Len(t, nexts, 24)
		require.NotContains(t, nexts, "")
		require.Len(t, s.do("GET", "/v1/orders", "").list("data"), 1)
		next := s.do("POST", "/v1/orders", twoBooks, "Submit-Token", answers[3].header.Get("Submit-Token"))
		require.Equal(t, 201, next.status, next)
		require.NotEqual(t, answers[0].str("id"), next.str("id"))
		require.NotContains(t, s.log.String(), token)
	})
}

// A token is bound to its request, its principal and its call.
func TestASubmitTokenIsBound(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		token := s.token("order")
		three := strings.Replace(twoBooks, `"quantity":2`, `"quantity":3`, 1)
		other := s.key("other-shop", auth.Checkout)
		refused(t, s.as(other, "POST", "/v1/orders", twoBooks, "Submit-Token", token), 403, "token_unknown", "")
		order := s.place()
		refused(t, s.do("POST", "/v1/orders/"+order+"/payments", `{"provider":"fake"}`, "Submit-Token", token), 403, "token_unknown", "")
		require.Equal(t, 201, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", token).status)
		refused(t, s.do("POST", "/v1/orders", three, "Submit-Token", token), 422, "conflict", "key_reused")
		refused(t, s.as(other, "POST", "/v1/orders", twoBooks, "Submit-Token", token), 403, "token_unknown", "")
		refused(t, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", "tok_never_issued"), 403, "token_unknown", "")
		refused(t, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", token, "Idempotency-Key", "k"), 400, "bad_request", "")
		refused(t, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", " "), 400, "bad_request", "")
		refused(t, s.do("POST", "/v1/orders", twoBooks), 400, "bad_request", "")
		refused(t, s.do("POST", "/v1/tokens", `{"scope":"everything"}`), 400, "bad_request", "")
		require.Equal(t, 200, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", token).status)
	})
}

// Work that is refused does not spend the token; corrected, the same form can be sent again.
func TestARefusedFormKeepsItsToken(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		order, token := s.place(), s.token("payment")
		path := "/v1/orders/" + order + "/payments"
		refused(t, s.do("POST", path, `{"provider":"fake","amount":99999}`, "Submit-Token", token), 422, "illegal", "guard")
		a := s.do("POST", path, `{"provider":"fake","amount":2500}`, "Submit-Token", token)
		require.Equal(t, 201, a.status, a)
		b := s.do("POST", path, `{"provider":"fake","amount":2500}`, "Submit-Token", token)
		require.Equal(t, 200, b.status, b)
		require.Equal(t, a.str("id"), b.str("id"))
		require.Equal(t, "true", b.header.Get("Idempotency-Replayed"))
	})
}

// Deleting a token is idempotent, and a deleted one cannot be spent.
func TestDeletingATokenTwice(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		token := s.token("order")
		other := s.key("other-shop", auth.Checkout)
		for i, want := range []bool{false, true, false} {
			key := "dev"
			if i == 0 {
				key = other
			}
			a := s.as(key, "DELETE", "/v1/tokens/"+token, "")
			require.Equal(t, 200, a.status, a)
			require.Equal(t, want, a.body["deleted"], i)
		}
		refused(t, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", token), 403, "token_unknown", "")
		require.NotContains(t, s.log.String(), token)
	})
}

// Tokens expire; what was done with one is answered for ever.
func TestSubmitTokensExpire(t *testing.T) {
	for name, setting := range map[string]func(*testing.T) string{
		"SQLite": func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") },
		"MySQL":  func(t *testing.T) string { return "mysql:" + enginetest.MySQLDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			clock := enginetest.NewClock()
			s := start(t, setting(t), func(c *config) { c.now = clock.Now })
			token := func() string {
				a := s.do("POST", "/v1/tokens", `{"scope":"order"}`)
				require.Equal(t, 201, a.status, a)
				return a.str("token")
			}
			spent, left := token(), token()
			require.Equal(t, 201, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", spent).status)
			clock.Advance(61 * time.Minute)
			refused(t, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", left), 403, "token_unknown", "")
			require.Equal(t, 200, s.do("POST", "/v1/orders", twoBooks, "Submit-Token", spent).status)
			require.NoError(t, s.daemon.trim(t.Context()))
			var rows int64
			require.NoError(t, s.daemon.database.Gorm.Table("engine_tokens").Count(&rows).Error)
			require.EqualValues(t, 1, rows, "only the one that came with the last answer")
		})
	}
}

// Issuing is bounded for each principal, and others do not suffer.
func TestIssuingTokensIsRateLimited(t *testing.T) {
	clock := enginetest.NewClock()
	s := start(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), func(c *config) { c.now = clock.Now })
	for i := range 500 {
		require.Equal(t, 201, s.do("POST", "/v1/tokens", `{"scope":"order"}`).status, i)
	}
	a := s.do("POST", "/v1/tokens", `{"scope":"order"}`)
	refused(t, a, 429, "rate_limited", "")
	require.Equal(t, "1", a.header.Get("Retry-After"))
	require.Equal(t, 201, s.as(s.key("other-shop", auth.Checkout), "POST", "/v1/tokens", `{"scope":"order"}`).status)
	clock.Advance(time.Second)
	require.Equal(t, 201, s.do("POST", "/v1/tokens", `{"scope":"order"}`).status)
}

// An HTML form can be sent as it is, with the token in a hidden field.
func TestAFormWithAHiddenToken(t *testing.T) {
	eachStore(t, func(t *testing.T, s *server) {
		form := url.Values{
			"currency": {"EUR"}, "customer_ref": {"c-1"}, "metadata[colour]": {"red & blue"}, "metadata[quantity]": {"3"}, "submit_token": {s.token("order")},
			"items[0][sku]": {"BOOK-1"}, "items[0][name]": {"A book"}, "items[0][quantity]": {"2"}, "items[0][unit_price]": {"1250"},
			"items[1][sku]": {"007"}, "items[1][name]": {"1984"}, "items[1][quantity]": {"1"}, "items[1][unit_price]": {"100"},
		}
		send := func(f url.Values) answer {
			return s.do("POST", "/v1/orders", f.Encode(), "Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		}
		first := send(form)
		require.Equal(t, 201, first.status, first)
		require.EqualValues(t, 2600, first.body["amount"])
		require.Equal(t, map[string]any{"colour": "red & blue", "quantity": "3"}, first.body["metadata"])
		require.Equal(t, "007", first.list("items")[1].(map[string]any)["sku"])
		again := send(form)
		require.Equal(t, 200, again.status, again)
		require.Equal(t, first.str("id"), again.str("id"))

		for _, change := range []url.Values{
			{"currency": {"EUR", "USD"}},
			{"colour": {"red"}},
			{"items[3][sku]": {"x"}}, // after a gap
			{"items[0][quantity]": {"two"}},
			{"items[0": {"x"}},
			{"currency[x]": {"EUR"}}, // besides a value
			{"submit_token": {"a", "b"}},
		} {
			bad := url.Values{}
			for k, v := range form {
				bad[k] = v
			}
			for k, v := range change {
				bad[k] = v
			}
			refused(t, send(bad), 400, "bad_request", "")
		}
		refused(t, s.do("POST", "/v1/orders", "a=%zz", "Content-Type", "application/x-www-form-urlencoded"), 400, "bad_request", "")
		refused(t, s.do("POST", "/v1/orders", "a="+strings.Repeat("x", 300<<10), "Content-Type", "application/x-www-form-urlencoded"), 413, "too_large", "")
		refused(t, s.do("POST", "/v1/accounts", "owner=a", "Content-Type", "application/x-www-form-urlencoded"), 400, "bad_request", "")
	})
}

// Without Redis, tokens are neither issued nor spent, and the caller is told so in time; what needs no
// token goes on.
func TestWithoutRedisTokensAreUnavailable(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, answers nothing
	require.NoError(t, err)
	defer func() { _ = mute.Close() }()
	s := onRedis(t, "redis://:secret-of-redis@"+mute.Addr().String())
	for _, send := range []func() answer{
		func() answer { return s.do("POST", "/v1/tokens", `{"scope":"order"}`) },
		func() answer { return s.do("POST", "/v1/orders", twoBooks, "Submit-Token", "tok_whatever") },
		func() answer { return s.do("DELETE", "/v1/tokens/tok_whatever", "") },
	} {
		began := time.Now()
		a := send()
		refused(t, a, http.StatusServiceUnavailable, "unavailable", "")
		require.NotEmpty(t, a.header.Get("Retry-After"))
		require.Less(t, time.Since(began), 5*time.Second)
	}
	require.Empty(t, s.do("GET", "/v1/orders", "").list("data"))
	require.NotEmpty(t, s.place())
	require.NotContains(t, s.log.String(), "secret-of-redis")
}

// Redis is emptied in the middle of a storm of forms: a form that is sent again may be told that its
// token is unknown, but no form has its effect twice, and one that was answered keeps its answer.
func TestRedisEmptiedInAStormDoesNothingTwice(t *testing.T) {
	address := enginetest.Redis(t)
	for name, setting := range map[string]func(*testing.T) string{
		"SQLite": func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") },
		"MySQL":  func(t *testing.T) string { return "mysql:" + enginetest.MySQLDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			options, err := redis.ParseURL(address)
			require.NoError(t, err)
			options.DB = 7 // emptied, and used by nobody else
			client := redis.NewClient(options)
			defer func() { require.NoError(t, client.Close()) }()
			s := start(t, setting(t), func(c *config) { c.secrets.redis = address + "/7" })
			const forms, clicks = 30, 8
			tokens := make([]string, forms)
			for i := range tokens {
				tokens[i] = s.token("order")
			}
			ctx, cancel := context.WithCancel(t.Context())
			var emptying sync.WaitGroup
			emptying.Go(func() {
				for ctx.Err() == nil {
					select {
					case <-ctx.Done():
					case <-time.After(40 * time.Millisecond):
						_ = client.FlushDB(ctx).Err()
					}
				}
			})
			browsers := newCrowd(t, forms*clicks, "dev", s.url)
			answers := together(forms*clicks, func(i int) answer {
				a, err := browsers.post(t.Context(), "/v1/orders", twoBooks, "Submit-Token", tokens[i%forms])
				if err != nil {
					t.Error(err)
				}
				return a
			})
			cancel()
			emptying.Wait()
			made := map[string]string{} // order by token
			for i, a := range answers {
				switch a.status {
				case 200, 201:
					token := tokens[i%forms]
					if made[token] != "" {
						require.Equal(t, made[token], a.str("id"))
					}
					made[token] = a.str("id")
				default:
					refused(t, a, 403, "token_unknown", "")
				}
			}
			var rows int64
			require.NoError(t, s.daemon.database.Gorm.Table("orders").Count(&rows).Error)
			require.EqualValues(t, len(made), rows)
			for token, id := range made {
				a := s.do("POST", "/v1/orders", twoBooks, "Submit-Token", token)
				require.Equal(t, 200, a.status, a)
				require.Equal(t, id, a.str("id"))
			}
			t.Logf("%d of %d forms had their effect: %v", len(made), forms, counted(answers))
			browsers.answers.Check(t, s.daemon.database.Gorm)
			requireClean(t, s.daemon.database.Gorm)
		})
	}
}
