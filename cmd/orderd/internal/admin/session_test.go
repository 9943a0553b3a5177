package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSessionsAreBounded(t *testing.T) {
	now := time.Unix(1, 0)
	s := newSessions(func() time.Time { return now })
	first := s.open("first")
	second := s.open("second")
	for range sessionsMax - 2 {
		s.open("crowd")
	}
	now = now.Add(time.Minute)
	_, ok := s.find(first) // used since, so another one has to go
	require.True(t, ok)
	now = now.Add(time.Minute)
	for range 10 {
		s.open("more")
	}
	require.Len(t, s.all, sessionsMax)
	_, ok = s.find(first)
	require.True(t, ok)

	now = now.Add(sessionIdle)
	fresh := s.open("fresh")
	require.Len(t, s.all, 1, "what is over makes room first")
	_, ok = s.find(second)
	require.False(t, ok)
	key, ok := s.find(fresh)
	require.True(t, ok)
	require.Equal(t, "fresh", key)
}

func TestANoticeIsForOneOrderOnce(t *testing.T) {
	s := newSessions(time.Now)
	id := s.open("key")
	s.leave(id, notice{Order: "a"})
	require.Nil(t, s.take(id, "b"))
	require.NotNil(t, s.take(id, "a"))
	require.Nil(t, s.take(id, "a"))
	s.leave("nobody", notice{Order: "a"})
	require.Nil(t, s.take("nobody", "a"))
}

func TestCookies(t *testing.T) {
	for public, want := range map[string]struct{ secure, plain bool }{
		"https://shop.example":    {secure: true},
		"http://127.0.0.1:8080":   {},
		"http://[::1]:8080":       {},
		"http://localhost":        {},
		"http://shop.example":     {secure: true, plain: true},
		"http://127.0.0.1.evil.x": {secure: true, plain: true},
		"::":                      {secure: true},
	} {
		c, plain := cookieFor(public)
		require.Equal(t, want.secure, c.Secure, public)
		require.Equal(t, want.plain, plain, public)
		require.True(t, c.HttpOnly)
		require.NoError(t, (&c).Valid())
	}
}
