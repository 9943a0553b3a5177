package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/engine/schema"
	"example.com/orderd/engine/sqlitedb"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func newClock() *clock                   { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }
func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newStore(t *testing.T) *Store {
	t.Helper()
	ddl, err := os.ReadFile("../../schema.sql")
	require.NoError(t, err)
	g, err := sqlitedb.Open(filepath.Join(t.TempDir(), "keys.db"))
	require.NoError(t, err)
	pool, err := g.DB()
	require.NoError(t, err)
	t.Cleanup(func() { _ = pool.Close() })
	require.NoError(t, schema.Migrate(t.Context(), g, schema.Component{Name: "orderd", Version: 1, DDL: string(ddl)}))
	return NewStore(g)
}

func TestAKeyIsShownOnceAndOpensWithNothingElse(t *testing.T) {
	store, clock := newStore(t), newClock()
	k, text, err := NewKey("shop", "web shop", []Role{Checkout, Viewer}, clock.now(), time.Hour)
	require.NoError(t, err)
	require.Regexp(t, `^ork_[a-z2-7]{12}_[a-z2-7]{52}$`, text)
	require.NoError(t, store.Add(t.Context(), k))

	ring := NewKeyring(store, clock.now, "")
	p, err := ring.Verify(t.Context(), text)
	require.NoError(t, err)
	require.Equal(t, Principal{ID: "shop", KeyID: k.ID, Roles: []Role{Checkout, Viewer}}, p)
	require.Equal(t, "principal:shop", p.Source())

	last := text[len(text)-1]
	for _, bad := range []string{
		"", "dev", text + "a", text[:len(text)-1], strings.ToUpper(text), "ork_" + k.ID + "_",
		text[:len(text)-1] + string('a'+(last-'a'+1)%26), "ork_aaaaaaaaaaaa_" + text[17:], text + "\x00",
	} {
		_, err := ring.Verify(t.Context(), bad)
		require.ErrorIs(t, err, ErrUnauthorized, bad)
	}
	stored, err := store.Find(t.Context(), k.ID)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%+v", stored), text[17:])

	clock.advance(time.Hour)
	_, err = ring.Verify(t.Context(), text)
	require.ErrorIs(t, err, ErrUnauthorized, "expired")
}

func TestRevocationWorksWithinASecond(t *testing.T) {
	store, clock := newStore(t), newClock()
	k, text, err := NewKey("shop", "", []Role{Viewer}, clock.now(), 0)
	require.NoError(t, err)
	require.NoError(t, store.Add(t.Context(), k))
	ring := NewKeyring(store, clock.now, "")
	_, err = ring.Verify(t.Context(), text)
	require.NoError(t, err)

	first, _, err := store.Revoke(t.Context(), k.ID, clock.now())
	require.NoError(t, err)
	clock.advance(cacheLife)
	_, err = ring.Verify(t.Context(), text)
	require.ErrorIs(t, err, ErrUnauthorized)

	again, ended, err := store.Revoke(t.Context(), k.ID, clock.now())
	require.NoError(t, err)
	require.Equal(t, first.RevokedAt, again.RevokedAt)
	require.False(t, ended)
	_, _, err = store.Revoke(t.Context(), "nobody", clock.now())
	require.ErrorIs(t, err, ErrNoKey)
}

func TestAPrincipalSurvivesTheRotationOfItsKey(t *testing.T) {
	store, clock := newStore(t), newClock()
	ring := NewKeyring(store, clock.now, "")
	var texts []string
	for range 2 {
		k, text, err := NewKey("shop", "", []Role{Checkout}, clock.now(), 0)
		require.NoError(t, err)
		require.NoError(t, store.Add(t.Context(), k))
		texts = append(texts, text)
		clock.advance(time.Minute)
	}
	old, err := ring.Verify(t.Context(), texts[0])
	require.NoError(t, err)
	young, err := ring.Verify(t.Context(), texts[1])
	require.NoError(t, err)
	require.Equal(t, old.Source(), young.Source())
	keys, err := store.List(t.Context(), "shop")
	require.NoError(t, err)
	require.Len(t, keys, 2)
	keys, err = store.List(t.Context(), "other")
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestBadKeysAreRefusedAtCreation(t *testing.T) {
	now := newClock().now()
	for _, principal := range []string{"", "Shop", "a b", "é", strings.Repeat("a", 65), "-a", "a:b"} {
		_, _, err := NewKey(principal, "", []Role{Viewer}, now, 0)
		require.Error(t, err, principal)
	}
	_, err := ParseRoles([]string{"viewer", "root"})
	require.ErrorContains(t, err, `"root"`)
	_, err = ParseRoles([]string{"viewer", "viewer"})
	require.ErrorContains(t, err, "twice")
	_, err = ParseRoles(nil)
	require.Error(t, err)
}

type brokenKeys struct{ err error }

func (k brokenKeys) Find(context.Context, string) (Key, error) { return Key{}, k.err }

func TestTheGate(t *testing.T) {
	clock := newClock()
	refused := 0
	gate := NewGate(NewKeyring(brokenKeys{ErrNoKey}, clock.now, "dev"), func() { refused++ })
	check := func(from string, lines ...string) *problem.Problem {
		r := httptest.NewRequest(http.MethodGet, "/v1/orders", nil)
		r.RemoteAddr = from
		r.Header["Authorization"] = lines
		_, err := gate.Check(r)
		var p *problem.Problem
		if err != nil {
			require.True(t, errors.As(err, &p))
		}
		return p
	}
	require.Nil(t, check("192.0.2.1:1", "Bearer dev"))
	require.Nil(t, check("192.0.2.1:1", "bearer  dev"))
	for _, lines := range [][]string{nil, {""}, {"Bearer"}, {"Bearer "}, {"Basic ZGV2"}, {"dev"},
		{"Bearer dev", "Bearer dev"}, {"Bearer " + strings.Repeat("x", 300)}, {"Bearer dev,dev"}} {
		p := check("192.0.2.1:1", lines...)
		require.NotNil(t, p, lines)
		require.Equal(t, problem.Unauthorized, p.Code)
		require.Contains(t, p.GetHeaders().Get("WWW-Authenticate"), "Bearer")
	}
	for range failuresBurst {
		require.Equal(t, problem.Unauthorized, check("192.0.2.2:7", "Bearer guess").Code)
	}
	limited := check("192.0.2.2:8", "Bearer guess")
	require.Equal(t, problem.RateLimited, limited.Code)
	require.Equal(t, "1", limited.GetHeaders().Get("Retry-After"))
	require.Nil(t, check("192.0.2.2:9", "Bearer dev"), "a key in use goes on")
	require.Equal(t, problem.Unauthorized, check("192.0.2.3:1", "Bearer guess").Code, "other addresses go on")
	clock.advance(2 * time.Second)
	require.Equal(t, problem.Unauthorized, check("192.0.2.2:8", "Bearer guess").Code)
	require.Greater(t, refused, failuresBurst)

	away := NewGate(NewKeyring(brokenKeys{errors.New("gone")}, clock.now, ""), func() {})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer ork_aaaaaaaaaaaa_"+strings.Repeat("a", 52))
	_, err := away.Check(r)
	require.Equal(t, problem.Unavailable, problem.From(err).Code)
}

func TestTheLimiterIsBounded(t *testing.T) {
	clock := newClock()
	l := newLimiter(clock.now)
	for i := range addressesMax + 100 {
		l.failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	require.LessOrEqual(t, len(l.addresses), addressesMax)
	require.Equal(t, addressOf("[2001:db8:1:2:3:4:5:6]:80"), addressOf("[2001:db8:1:2:9::1]:81"))
	require.NotEqual(t, addressOf("[2001:db8:1:2::1]:80"), addressOf("[2001:db8:1:3::1]:80"))
	require.Equal(t, addressOf("192.0.2.1:5"), addressOf("[::ffff:192.0.2.1]:6"))
}

func TestOnlyAnAdminMayDoWhatNoRoleIsEnoughFor(t *testing.T) {
	for _, role := range Roles {
		require.Equal(t, role == Admin, Principal{Roles: []Role{role}}.May(nil), role)
	}
	require.False(t, Principal{}.May(everybody))
}
