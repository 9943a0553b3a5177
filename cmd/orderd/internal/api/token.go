package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/engine/once"
	"example.com/orderd/orders"
)

// How many submit tokens one principal may ask for.
const (
	tokensPerSecond = 50
	tokensBurst     = 500
	holdersMax      = 4096
)

// issuers bounds the issuing of tokens, by principal.
type issuers struct {
	now func() time.Time

	mu   sync.Mutex
	each map[string]*rate.Limiter
}

// wait takes one token from a principal's share; above zero it is how long there is none.
func (i *issuers) wait(principal string) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	l := i.each[principal]
	if l == nil {
		if len(i.each) >= holdersMax {
			clear(i.each)
		}
		l = rate.NewLimiter(tokensPerSecond, tokensBurst)
		i.each[principal] = l
	}
	now := i.now()
	if l.AllowN(now, 1) {
		return 0
	}
	return time.Duration((1 - l.TokensAt(now)) / tokensPerSecond * float64(time.Second))
}

type issueInput struct {
	Body struct {
		Scope string `json:"scope" enum:"order,payment,transfer" doc:"What it may be spent for: placing an order, starting a payment, making a transfer or deposit."`
	}
}

type issueOutput struct {
	Body struct {
		Token     string    `json:"token" doc:"For the header Submit-Token, or the form field submit_token."`
		Scope     string    `json:"scope"`
		ExpiresAt time.Time `json:"expires_at" doc:"Not to be spent from then on. What it was spent for is still answered."`
	}
}

type tokenInput struct {
	Token string `path:"token" maxLength:"128" doc:"The token."`
}

type revokedOutput struct {
	Body struct {
		Deleted bool `json:"deleted" doc:"false: there was nothing left to delete."`
	}
}

func (a *api) registerTokens() {
	register(a, huma.Operation{
		OperationID: "issue-token", Method: http.MethodPost, Path: "/v1/tokens", DefaultStatus: http.StatusCreated,
		Tags: []string{"tokens"}, Summary: "Get a submit token for a form.",
		Description: "The form carries it, and it takes the place of an Idempotency-Key: the first request with it has its " +
			"effect, the same request again gets the first answer, another one is refused. Only the principal that asked for " +
			"it can spend it.",
	}, writing, a.issue)
	register(a, huma.Operation{
		OperationID: "delete-token", Method: http.MethodDelete, Path: "/v1/tokens/{token}",
		Tags: []string{"tokens"}, Summary: "Delete a submit token that will not be needed.",
		Description: "Deleting it again succeeds, too, and says that nothing was left.",
	}, writing, a.revoke)
}

func (a *api) issue(ctx context.Context, in *issueInput) (*issueOutput, error) {
	p := auth.From(ctx)
	if wait := a.issuers.wait(p.ID); wait > 0 {
		return nil, problem.New(problem.RateLimited, "too many submit tokens: %d a second are enough", tokensPerSecond).Retry(wait)
	}
	token, err := a.Tokens.Issue(ctx, once.Binding{Holder: p.Source(), Scope: in.Body.Scope})
	if err != nil {
		return nil, err
	}
	out := &issueOutput{}
	out.Body.Token, out.Body.Scope, out.Body.ExpiresAt = token.Text, in.Body.Scope, token.ExpiresAt
	return out, nil
}

func (a *api) revoke(ctx context.Context, in *tokenInput) (*revokedOutput, error) {
	deleted, err := a.Tokens.Revoke(ctx, in.Token, auth.From(ctx).Source())
	if err != nil {
		return nil, err
	}
	out := &revokedOutput{}
	out.Body.Deleted = deleted
	return out, nil
}

// NextToken is the part of an output that gives the next submit token to those who have spent one.
type NextToken struct {
	SubmitToken string `header:"Submit-Token" doc:"The next token, of the same scope; only if this request has spent one."`
}

// submitted is one request that may carry a submit token.
type submitted struct {
	KeyOrToken
	scope   string
	request any // what is asked for, beside the token: path and body
}

// once does the work of a request with a key or a submit token, and issues the next token to those who
// have spent one.
func (a *api) once(ctx context.Context, s submitted,
	work func(ctx context.Context, by orders.Caller, seq string) error) (NextToken, error) {
	by := caller(ctx)
	if s.token == "" {
		return NextToken{}, work(ctx, by, s.seq)
	}
	request, err := json.Marshal(s.request)
	if err != nil {
		return NextToken{}, err
	}
	p := auth.From(ctx)
	b := once.Binding{Holder: p.Source(), Scope: s.scope}
	err = a.Tokens.Spend(ctx, s.token, b, string(request), func(ctx context.Context, spends bool) error {
		by.Spends = spends
		return work(ctx, by, s.token)
	})
	if err != nil || a.issuers.wait(p.ID) > 0 {
		return NextToken{}, err
	}
	next, err := a.Tokens.Issue(ctx, b)
	if err != nil {
		a.Log.WarnContext(ctx, "no next submit token was issued", "error", err)
		return NextToken{}, nil // what was asked for is done
	}
	return NextToken{next.Text}, nil
}
