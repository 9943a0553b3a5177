package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine"
)

// The statuses are part of the contract with every client.
func TestStatuses(t *testing.T) {
	for _, c := range []struct {
		outcome engine.Outcome
		detail  engine.Detail
		status  int
		retry   bool
	}{
		{engine.Stale, engine.Passed, 409, false},
		{engine.Stale, engine.VersionMoved, 412, false},
		{engine.Stale, engine.ReachedOtherwise, 409, false},
		{engine.Early, "", 409, true},
		{engine.Illegal, engine.UnknownEvent, 422, false},
		{engine.Illegal, engine.NoPath, 422, false},
		{engine.Illegal, engine.GuardRefused, 422, false},
		{engine.Illegal, engine.IdentityRequired, 428, false},
		{engine.Conflict, engine.LostRace, 409, true},
		{engine.Conflict, engine.InputDiffers, 409, false},
		{engine.Conflict, engine.KeyReused, 422, false},
		{engine.Conflict, engine.FactMismatch, 409, false},
		{engine.NotFound, "", 404, false},
		{engine.Unavailable, "", 503, true},
		{engine.Unknown, "", 503, true},
	} {
		p := From(engine.Result{Outcome: c.outcome, Detail: c.detail}.Err())
		require.Equal(t, c.status, p.Status, "%s/%s", c.outcome, c.detail)
		require.Equal(t, string(c.outcome), string(p.Code))
		require.Equal(t, string(c.detail), p.DetailCode)
		require.Equal(t, c.retry, p.GetHeaders().Get("Retry-After") != "", "%s/%s", c.outcome, c.detail)
	}
	for code, status := range map[Code]int{
		BadRequest: 400, Unauthorized: 401, Forbidden: 403, TokenUnknown: 403, MethodNotAllowed: 405,
		TooLarge: 413, RateLimited: 429, Internal: 500,
	} {
		require.Equal(t, status, New(code, "x").Status, code)
	}
}

// What the user's own code met is not about the database, whatever it wraps.
func TestAnErrorOfAnActionIsAFaultWhateverItWraps(t *testing.T) {
	for _, err := range []error{io.EOF, context.DeadlineExceeded, &net.OpError{Op: "read", Err: io.EOF}} {
		require.Equal(t, Internal, From(fmt.Errorf("ship: %w", &engine.ActionError{Action: "call_carrier", Err: err})).Code, "%v", err)
		require.Equal(t, Unavailable, From(fmt.Errorf("read: %w", err)).Code, "%v", err)
	}
}

func TestEveryKindIsExplainedAndListed(t *testing.T) {
	tag, _ := reflect.TypeFor[Problem]().FieldByName("Code")
	var codes []string
	for _, code := range Codes() {
		codes = append(codes, string(code))
	}
	require.Equal(t, strings.Join(codes, ","), tag.Tag.Get("enum"))
	tag, _ = reflect.TypeFor[Problem]().FieldByName("DetailCode")
	var details []string
	for _, k := range Kinds {
		require.NotEmpty(t, k.Title, k.Code)
		require.NotEmpty(t, k.Cause, k.Code)
		require.NotEmpty(t, k.Remedy, k.Code)
		if k.Detail != "" {
			details = append(details, string(k.Detail))
		}
	}
	require.Equal(t, strings.Join(details, ","), tag.Tag.Get("enum"))
}

func TestAProblemCarriesTheWholeResult(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	p := From(fmt.Errorf("ship order: %w", engine.Result{
		Outcome: engine.Illegal, Detail: engine.GuardRefused, Machine: "order", ID: "ord_1", Event: "ship",
		State: "paid", Version: 3, Proof: &engine.Transition{Version: 2, Event: "pay", Key: engine.Key{Source: "s", Seq: "q"}, At: at},
		Refused: []engine.Refused{{Guard: "stock", Reason: "none left"}}, RetryAfter: 1200 * time.Millisecond,
	}.Err()))
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "r1")
	p.Write(w)
	var got map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	require.Equal(t, "2", w.Header().Get("Retry-After"))
	require.Equal(t, "/problems/illegal", got["type"])
	require.Equal(t, "guard", got["detail_code"])
	require.Equal(t, "paid", got["state"])
	require.Equal(t, 3.0, got["version"])
	require.Equal(t, "r1", got["request_id"])
	require.Equal(t, []any{map[string]any{"guard": "stock", "reason": "none left"}}, got["refused"])
	require.Equal(t, "q", got["transition"].(map[string]any)["seq"])
}

func TestNeverIsSaidAndNotLeftOut(t *testing.T) {
	body := func(r engine.Result) string {
		text, err := json.Marshal(From(r.Err()))
		require.NoError(t, err)
		return string(text)
	}
	passed := engine.Result{Outcome: engine.Stale, Detail: engine.Passed}
	require.Contains(t, body(passed), `"possible_from":[]`)
	passed.PossibleFrom = []engine.State{"paid", "completed"}
	require.Contains(t, body(passed), `"possible_from":["paid","completed"]`)
	require.NotContains(t, body(engine.Result{Outcome: engine.Early}), "possible_from")
}

func TestAFaultStaysInside(t *testing.T) {
	p := From(errors.New("dial tcp db.internal: password=x"))
	require.Equal(t, Internal, p.Code)
	body, err := json.Marshal(p)
	require.NoError(t, err)
	require.NotContains(t, string(body), "password")
	require.ErrorContains(t, p, "password") // for the log

	require.Equal(t, Unavailable, From(context.Canceled).Code)
	require.Equal(t, BadRequest, From(&engine.RequestError{Field: "Input", Problem: "is malformed"}).Code)
	for said, err := range map[string]error{
		"body.input is malformed":          &engine.RequestError{Field: "Input", Problem: "is malformed"},
		"body.input is not valid: no":      &engine.RequestError{Field: "Input", Problem: "is not valid", Cause: errors.New("no")},
		"header.Idempotency-Key is odd":    &engine.RequestError{Field: "Key.Seq", Problem: "is odd"},
		"Actor has 200 characters":         &engine.RequestError{Field: "Actor", Problem: "has 200 characters"},
		"items[3].quantity: want 1 to 100": fmt.Errorf("order: place: %w", &engine.RequestError{Field: "items[3].quantity", Problem: "want 1 to 100"}),
		"limit: want 1 to 200":             &engine.RequestError{Field: "limit", Problem: "want 1 to 200"},
	} {
		p := From(err)
		require.Equal(t, BadRequest, p.Code)
		require.Equal(t, said, p.Detail)
		require.Len(t, p.Errors, 1)
	}
}
