package admin_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
)

func TestEveryPageAsksForALogin(t *testing.T) {
	s := start(t)
	o := s.place("c-1")
	b := s.browser()
	for _, path := range []string{"/admin/orders", "/admin/orders?state=paid", "/admin/orders/" + o.ID} {
		p := b.get(path)
		require.Equal(t, http.StatusSeeOther, p.status, path)
		require.Equal(t, "/admin/login?next="+url.QueryEscape(path), p.header.Get("Location"))
		require.NotContains(t, p.text, "c-1")
	}
	p := b.post("/admin/orders/"+o.ID+"/events", url.Values{"event": {"cancel"}, "reason": {"r"}, "key": {"admin-0123456789"}, "version": {"1"}})
	require.Equal(t, "/admin/login?next="+url.QueryEscape("/admin/orders/"+o.ID), p.header.Get("Location"))
	require.EqualValues(t, 1, s.versions(o.ID))
}

func TestALogin(t *testing.T) {
	s := start(t)
	b := s.browser()
	form := b.get("/admin/login?next=%2Fadmin%2Forders%3Fstate%3Dpaid")
	require.Equal(t, http.StatusOK, form.status)
	p := b.post("/admin/login", url.Values{"key": {s.key("alice", auth.Viewer)}, "next": {hidden(form.text, "next")}})
	require.Equal(t, http.StatusSeeOther, p.status)
	require.Equal(t, "/admin/orders?state=paid", p.header.Get("Location"))

	response := http.Response{Header: p.header}
	cookie := response.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	require.False(t, cookie.Secure, "loopback over http")
	require.GreaterOrEqual(t, len(cookie.Value), 32)
	require.Equal(t, http.StatusOK, b.get("/admin/orders").status)

	p = b.post("/admin/logout", url.Values{})
	require.Equal(t, "/admin/login", p.header.Get("Location"))
	again := s.browser()
	stolen := again.send(http.MethodGet, "/admin/orders", nil, "Cookie", cookie.Name+"="+cookie.Value)
	require.Equal(t, http.StatusSeeOther, stolen.status, "the session is over on the server too")
}

func TestALoginLeadsNowhereElse(t *testing.T) {
	s := start(t)
	key := s.key("alice", auth.Viewer)
	for _, next := range []string{"https://evil.example/admin/orders", "//evil.example/admin/orders", "/\\evil.example", "javascript:alert(1)", "/v1/orders", ""} {
		p := s.browser().post("/admin/login", url.Values{"key": {key}, "next": {next}})
		require.Equal(t, "/admin/orders", p.header.Get("Location"), next)
	}
}

func TestWrongKeys(t *testing.T) {
	s := start(t)
	b := s.browser()
	for _, key := range []string{"guess", "ork_aaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\r\nX: y"} {
		p := b.post("/admin/login", url.Values{"key": {key}})
		require.Equal(t, http.StatusUnauthorized, p.status, key)
		require.Contains(t, p.text, "not known")
		require.Empty(t, p.header.Values("Set-Cookie"))
	}
	require.Equal(t, http.StatusBadRequest, b.post("/admin/login", url.Values{"key": {" "}}).status)
	p := b.post("/admin/login", url.Values{"key": {s.key("bot", auth.Checkout)}})
	require.Equal(t, http.StatusForbidden, p.status)
	require.Empty(t, p.header.Values("Set-Cookie"))
}

func TestWrongKeysAreLimited(t *testing.T) {
	s := start(t)
	b := s.browser()
	var p page
	for range 80 {
		if p = b.post("/admin/login", url.Values{"key": {"guess"}}); p.status != http.StatusUnauthorized {
			break
		}
	}
	require.Equal(t, http.StatusTooManyRequests, p.status)
	require.NotEmpty(t, p.header.Get("Retry-After"))
	require.Contains(t, p.text, "Too many wrong keys")
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := start(t)
	key := url.Values{"key": {s.key("alice", auth.Viewer)}}
	p := s.browser().post("/admin/login", key, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, p.status)
	require.Contains(t, p.text, "from another site")
	require.Equal(t, http.StatusForbidden, s.browser().post("/admin/login", key, "Origin", "https://evil.example").status)
	require.Equal(t, http.StatusSeeOther, s.browser().post("/admin/login", key, "Sec-Fetch-Site", "same-origin").status)
}

func TestASessionEnds(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := start(t)
		b := s.as(auth.Viewer)
		s.later.Store(int64(59 * time.Minute))
		require.Equal(t, http.StatusOK, b.get("/admin/orders").status)
		s.later.Store(int64(59*time.Minute + time.Hour))
		require.Equal(t, http.StatusSeeOther, b.get("/admin/orders").status)
	})
	t.Run("after its life", func(t *testing.T) {
		s := start(t)
		b := s.as(auth.Viewer)
		for at := time.Duration(0); at < 12*time.Hour; at += 30 * time.Minute {
			s.later.Store(int64(at))
			require.Equal(t, http.StatusOK, b.get("/admin/orders").status, at)
		}
		s.later.Store(int64(12 * time.Hour))
		require.Equal(t, http.StatusSeeOther, b.get("/admin/orders").status)
	})
	t.Run("with its key", func(t *testing.T) {
		s := start(t)
		b := s.as(auth.Viewer)
		keys, err := s.keys.List(t.Context(), "alice")
		require.NoError(t, err)
		_, _, err = s.keys.Revoke(t.Context(), keys[0].ID, time.Now())
		require.NoError(t, err)
		s.later.Store(int64(2 * time.Second)) // a key is remembered for one
		require.Equal(t, http.StatusSeeOther, b.get("/admin/orders").status)
	})
}
