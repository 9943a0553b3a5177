package callback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// said is a provider that verifies as told.
type said struct{ err error }

func (said) Name() string { return "test" }

func (s said) Verify(http.Header, []byte, time.Time) (provider.Fact, error) {
	return provider.Fact{}, s.err
}

// keeps is a shop that accepts as told.
type keeps struct {
	err  error
	kept *int
}

func (k keeps) Accept(context.Context, provider.Fact) (orders.FactReceipt, error) {
	*k.kept++
	return orders.FactReceipt{}, k.err
}

// brokenBody ends early.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWhatAProviderIsAnswered(t *testing.T) {
	outcome := func(o engine.Outcome, d engine.Detail) error {
		return fmt.Errorf("keep a fact: %w", engine.Result{Outcome: o, Detail: d}.Err())
	}
	for name, c := range map[string]struct {
		verify, accept error
		body           io.Reader
		status         int
		kept           bool
	}{
		"kept":           {status: 200, kept: true},
		"of no interest": {verify: fmt.Errorf("%w: payout", provider.ErrIgnored), status: 200},
		"forged":         {verify: provider.ErrSignature, status: 401},
		"old":            {verify: provider.ErrStaleTimestamp, status: 401},
		"malformed":      {verify: fmt.Errorf("%w: id", provider.ErrMalformed), status: 400},
		"too large":      {body: strings.NewReader(strings.Repeat("x", bodyMax+1)), status: 413},
		"just so large":  {body: strings.NewReader(strings.Repeat("x", bodyMax)), status: 200, kept: true},
		"cut off":        {body: brokenBody{}, status: 400},
		"unavailable":    {accept: outcome(engine.Unavailable, ""), status: 503, kept: true},
		"unknown":        {accept: outcome(engine.Unknown, ""), status: 503, kept: true},
		"lost races":     {accept: outcome(engine.Conflict, engine.LostRace), status: 409, kept: true},
		"a fault":        {accept: errors.New("secret fault"), status: 500, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			kept, observed := 0, 0
			mux := http.NewServeMux()
			mux.Handle("POST /v1/callbacks/{provider}", &Handler{
				Shop: keeps{c.accept, &kept}, Providers: map[string]provider.Provider{"test": said{c.verify}}, Now: time.Now,
				Log: slog.New(slog.DiscardHandler), Observe: func(_ string, status int) { observed = status },
			})
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/callbacks/test", c.body))
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.status, observed)
			require.Equal(t, c.kept, kept > 0)
			require.NotContains(t, w.Body.String(), "secret fault")
			require.Equal(t, c.status == 503 || c.status == 409, w.Header().Get("Retry-After") != "")

			w = httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/callbacks/other", nil))
			require.Equal(t, 404, w.Code)
		})
	}
}
