package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"example.com/orderd/cmd/orderd/internal/problem"
)

// Gate checks the key of HTTP requests. It is safe for concurrent use.
type Gate struct {
	ring     *Keyring
	failures *limiter
	failed   func() // counts a refusal; nothing else is kept of it
}

// NewGate makes a gate; failed is called for every key that is no good.
func NewGate(ring *Keyring, failed func()) *Gate {
	return &Gate{ring: ring, failures: newLimiter(ring.now), failed: failed}
}

const bearerMax = 256 // bytes of a key's text that are worth looking at

// Check returns who sends a request, from its Authorization header and nothing else: cookies are
// for the pages. The error is a *problem.Problem: unauthorized, rate_limited or unavailable.
//
// Too many bad keys from one address close the gate to keys that need a look-up; callers there
// whose keys are in use go on.
func (g *Gate) Check(r *http.Request) (Principal, error) {
	text, ok := bearer(r.Header.Values("Authorization"))
	if !ok {
		g.failed()
		return Principal{}, unauthorized("send Authorization: Bearer with an API key", "")
	}
	if p, ok := g.ring.Cached(text); ok {
		return p, nil
	}
	from := addressOf(r.RemoteAddr)
	if wait := g.failures.wait(from); wait > 0 {
		g.failed()
		return Principal{}, problem.New(problem.RateLimited, "too many invalid keys from this address").Retry(wait)
	}
	p, err := g.ring.Verify(r.Context(), text)
	switch {
	case errors.Is(err, ErrUnauthorized):
		g.failed()
		g.failures.failed(from)
		return Principal{}, unauthorized("the key is unknown, expired or revoked", `, error="invalid_token"`)
	case err != nil:
		return Principal{}, problem.New(problem.Unavailable, "the key could not be looked up").Because(err)
	}
	return p, nil
}

func unauthorized(text, more string) *problem.Problem {
	return problem.New(problem.Unauthorized, "%s", text).Header("WWW-Authenticate", `Bearer realm="orderd"`+more)
}

// bearer takes the key out of the only Authorization header.
func bearer(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	scheme, text, found := strings.Cut(lines[0], " ")
	text = strings.TrimLeft(text, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || text == "" || len(text) > bearerMax {
		return "", false
	}
	return text, true
}

// Forbidden is the answer to a principal none of whose roles is enough.
func Forbidden(p Principal, what string, enough []Role) *problem.Problem {
	no := problem.New(problem.Forbidden, "%s needs one of the roles %s; this key has %s",
		what, strings.ReplaceAll(joinRoles(enough), ",", ", "), strings.ReplaceAll(joinRoles(p.Roles), ",", ", "))
	for _, role := range enough {
		no.RequiredRoles = append(no.RequiredRoles, string(role))
	}
	return no
}

type principalKey struct{}

// With puts a principal into a context.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From takes the principal out of a context; the zero one where there is none, which may nothing.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
