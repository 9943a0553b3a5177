package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Sender reaches people over one channel. It is safe for concurrent use.
type Sender interface {
	// Channel names it: lower-case letters, digits and underscores.
	Channel() string

	// KnowsRepeats reports whether a second call with the same id has no second effect. Only such a
	// sender is called again when nobody knows what became of the first call.
	KnowsRepeats() bool

	// Send hands a notification over. An error that matches ErrNotSent says that nothing was sent;
	// after any other error it may have been.
	Send(ctx context.Context, n Notification) error
}

// Prober is a Sender that can tell whether it is any use to call it now. What is due on its channel waits
// until it is: one that is called in vain may never be called again for the same notification.
type Prober interface {
	Ready(ctx context.Context) error
}

// ErrNotSent says that a sender has certainly sent nothing.
var ErrNotSent = errors.New("not sent")

// Log is a sender that writes to a log: for development. It shows neither recipient nor text.
type Log struct{ To *slog.Logger }

// Channel is log.
func (Log) Channel() string { return "log" }

// KnowsRepeats is true: a repeated line does no harm.
func (Log) KnowsRepeats() bool { return true }

// Send writes a line.
func (l Log) Send(ctx context.Context, n Notification) error {
	l.To.InfoContext(ctx, "a notification", "id", n.ID, "type", n.Type, "order", n.OrderID, "title", n.Title)
	return nil
}

// Post is a sender that posts JSON to a URL of one's own, with the id as Idempotency-Key. Whoever
// answers there has to know repeats by it, unless Forgets is set.
type Post struct {
	Name    string // of the channel
	URL     string
	Client  *http.Client // must have a timeout and follow no redirects
	Forgets bool         // a second post has a second effect, as with most SMS gateways
}

// Channel is the name.
func (p Post) Channel() string { return p.Name }

// KnowsRepeats is by contract what Forgets is not.
func (p Post) KnowsRepeats() bool { return !p.Forgets }

// Ready reports whether somebody takes connections at the URL.
func (p Post) Ready(ctx context.Context) error {
	u, err := url.Parse(p.URL)
	if err != nil {
		return errors.New("the URL is malformed") // it may hold a password
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// answerMax bounds what is read of an answer, in bytes.
const answerMax = 4 << 10

// Send posts a notification; only a 2xx is success.
func (p Post) Send(ctx context.Context, n Notification) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Idempotency-Key", n.ID)
	a, err := p.Client.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = a.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(a.Body, answerMax)) // the status is the answer
	if a.StatusCode < 200 || a.StatusCode > 299 {
		return fmt.Errorf("answered %s", a.Status)
	}
	return nil
}

// sendMax bounds one call of a sender.
const sendMax = 20 * time.Second
