package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/retry"
	"example.com/orderd/engine/standardwebhook"
)

// answer is what came of a post.
type answer struct {
	Attempt
	retryAfter time.Duration // what the endpoint asked for; 0 if nothing
	gone       bool          // it wants no more of any delivery
}

// body is the message of a delivery as a CloudEvent.
func (d *Delivery) body(source string) []byte {
	m := outbox.Message{
		ID: d.Message, Machine: d.Machine, Subject: d.Subject, Version: d.Version, Ordinal: d.Ordinal, Type: d.Type,
		Data: []byte(*d.data), At: d.at,
	}
	return m.Event(source)
}

// post makes one post. Only a 2xx is success: a redirect would lead past the guard.
func (w *Webhooks) post(ctx context.Context, e *Endpoint, id string, body []byte) answer {
	now := w.now()
	a := answer{Attempt: Attempt{Endpoint: e.ID, At: now}}
	began := time.Now()
	err := w.exchange(ctx, e, id, body, now, &a)
	a.Took = time.Since(began)
	a.TookMS = a.Took.Milliseconds()
	switch {
	case err != nil:
		a.Problem = retry.Text(reason(err), retry.ProblemMax)
	case a.Code < 200 || a.Code > 299:
		a.Problem = fmt.Sprintf("the endpoint answered %d %s", a.Code, http.StatusText(a.Code))
	}
	a.gone = a.Code == http.StatusGone
	return a
}

func (w *Webhooks) exchange(ctx context.Context, e *Endpoint, id string, body []byte, now time.Time, a *answer) error {
	ctx, cancel := context.WithTimeout(ctx, postMax)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	timestamp, signature := standardwebhook.Sign(e.secrets(now), id, body, now)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "orderd-webhooks/1")
	q.Header.Set(standardwebhook.HeaderID, id)
	q.Header.Set(standardwebhook.HeaderTimestamp, timestamp)
	q.Header.Set(standardwebhook.HeaderSignature, signature)
	r, err := w.client.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	a.Code = r.StatusCode
	a.retryAfter = retryAfter(r.Header.Get("Retry-After"), now)
	// The status is the answer; a body that is slow, endless or cut off changes nothing.
	text, _ := io.ReadAll(io.LimitReader(r.Body, answerMax))
	a.Answer = retry.Text(string(text), answerKept)
	return nil
}

// reason is an error without the URL that net/http puts before it.
func reason(err error) string {
	switch {
	case errors.Is(err, errPrivate):
		return errPrivate.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", postMax)
	}
	var inner interface{ Unwrap() error }
	if errors.As(err, &inner) && inner.Unwrap() != nil {
		return inner.Unwrap().Error()
	}
	return err.Error()
}

// retryAfterMax bounds what an endpoint may ask for.
const retryAfterMax = 24 * time.Hour

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	d := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), retryAfterMax)
}

// Test posts an event webhook.test to an endpoint, whether it is enabled or not, and tells what came
// of it. Nothing of it is kept.
func (w *Webhooks) Test(ctx context.Context, id string) (Attempt, error) {
	e, err := w.Endpoint(ctx, id)
	if err != nil {
		return Attempt{}, err
	}
	m := outbox.Message{
		ID: w.cfg.NewID("msg_test"), Machine: "webhook", Subject: e.ID, Version: 1, Ordinal: 1, Type: "webhook.test",
		Data: []byte(`{}`), At: w.now(),
	}
	a := w.post(ctx, e, m.ID, m.Event(w.cfg.Source))
	a.Number = 1
	return a.Attempt, nil
}
