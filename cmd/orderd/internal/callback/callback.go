// Package callback takes what payment providers report, and in development plays one.
package callback

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// bodyMax bounds a callback's body; real ones are a few kilobytes.
const bodyMax = 256 << 10

// Shop keeps facts; orders.Shop does.
type Shop interface {
	Accept(ctx context.Context, said provider.Fact) (orders.FactReceipt, error)
}

// Handler serves POST /v1/callbacks/{provider}.
type Handler struct {
	Shop      Shop
	Providers map[string]provider.Provider // those that are on, by name
	Now       func() time.Time
	Log       *slog.Logger
	Observe   func(provider string, status int)
}

// ServeHTTP verifies a callback and answers with success once its fact is committed: also to repeats,
// to money that comes too late, and to what contradicts an earlier fact, because asking for it again
// would change nothing. Nothing is stored of a callback that does not verify.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("provider")
	from, on := h.Providers[name]
	if !on { // unknown and switched off look the same
		problem.New(problem.NotFound, "there is no such provider").Write(w)
		return
	}
	err := h.take(r, from)
	status := http.StatusOK
	if err == nil || errors.Is(err, provider.ErrIgnored) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{\"status\":\"ok\"}\n") // the provider may have gone; it asks again
	} else {
		p := refusal(err)
		status = p.Status
		if status >= http.StatusInternalServerError {
			h.Log.ErrorContext(r.Context(), "a callback could not be kept, the provider sends it again",
				"request_id", web.RequestID(r.Context()), "provider", name, "error", err)
		}
		p.Write(w)
	}
	h.Observe(name, status)
}

func (h *Handler) take(r *http.Request, from provider.Provider) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, bodyMax))
	if err != nil {
		return err
	}
	said, err := from.Verify(r.Header, body, h.Now())
	if err != nil {
		return err
	}
	_, err = h.Shop.Accept(r.Context(), said)
	return err
}

// refusal is the answer to a callback that is not kept.
func refusal(err error) *problem.Problem {
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return problem.New(problem.TooLarge, "the body has more than %d bytes", bodyMax)
	case errors.Is(err, provider.ErrSignature), errors.Is(err, provider.ErrStaleTimestamp):
		return problem.New(problem.Unauthorized, "%v", err)
	case errors.Is(err, provider.ErrMalformed):
		return problem.New(problem.BadRequest, "%v", err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem.New(problem.BadRequest, "the body ends early")
	}
	return problem.From(err)
}
