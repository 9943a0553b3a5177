package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/orderd/engine"
	"example.com/orderd/engine/standardwebhook"
)

// EndpointStatus says whether an endpoint gets deliveries.
type EndpointStatus string

// The statuses of an endpoint.
const (
	Enabled  EndpointStatus = "enabled"
	Disabled EndpointStatus = "disabled"
)

// Endpoint is a receiver of messages.
type Endpoint struct {
	ID          string         `json:"id"`
	URL         string         `json:"url"`
	Events      []string       `json:"events"` // patterns of types: order.paid, order.* or *
	Description string         `json:"description"`
	Status      EndpointStatus `json:"status"`
	Problem     string         `json:"problem,omitempty"`          // why the system disabled it
	FailingFrom *time.Time     `json:"failing_from,omitempty"`     // since when every delivery has failed
	OldUntil    *time.Time     `json:"old_secret_until,omitempty"` // until when the replaced secret signs, too
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`

	secret, oldSecret standardwebhook.Secret
}

// wants reports whether a message of a type goes to the endpoint.
func (e *Endpoint) wants(kind string) bool {
	if e.Status != Enabled {
		return false
	}
	for _, p := range e.Events {
		prefix, any := strings.CutSuffix(p, "*")
		if p == kind || any && strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

// secrets are those that sign now.
func (e *Endpoint) secrets(now time.Time) []standardwebhook.Secret {
	all := []standardwebhook.Secret{e.secret}
	if e.OldUntil != nil && now.Before(*e.OldUntil) {
		all = append(all, e.oldSecret)
	}
	return all
}

// NewEndpoint is what somebody wants an endpoint to be.
type NewEndpoint struct {
	URL         string
	Events      []string
	Description string
}

// Change is what of an endpoint is to be another; nil fields stay as they are.
type Change struct {
	URL         *string
	Events      *[]string
	Description *string
	Status      *EndpointStatus
}

// ErrNotFound says that there is no such endpoint or delivery.
var ErrNotFound = errors.New("webhook: not found")

// Bounds of an endpoint.
const (
	urlMax         = 2048 // bytes
	eventsMax      = 50
	descriptionMax = 255 // characters
	endpointsMax   = 100
)

var pattern = regexp.MustCompile(`^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?)$`)

// check names the first field of an endpoint that is wrong.
func (e *Endpoint) check(guard Guard) error {
	if err := guard.checkURL(e.URL); err != nil {
		return &engine.RequestError{Field: "url", Problem: err.Error()}
	}
	if len(e.Events) == 0 || len(e.Events) > eventsMax {
		return &engine.RequestError{Field: "events", Problem: fmt.Sprintf("%d of them, want 1 to %d", len(e.Events), eventsMax)}
	}
	for i, p := range e.Events {
		if len(p) > 128 || !pattern.MatchString(p) {
			return &engine.RequestError{Field: fmt.Sprintf("events[%d]", i), Problem: "want a type such as order.paid, or order.*, or *"}
		}
	}
	if n := utf8.RuneCountInString(e.Description); n > descriptionMax || !utf8.ValidString(e.Description) ||
		strings.ContainsFunc(e.Description, unicode.IsControl) {
		return &engine.RequestError{Field: "description", Problem: fmt.Sprintf("want at most %d characters on one line",
			descriptionMax)}
	}
	if e.Status != Enabled && e.Status != Disabled {
		return &engine.RequestError{Field: "status", Problem: "want enabled or disabled"}
	}
	return nil
}

// checkURL refuses what must not or cannot be posted to, as far as the text shows it. Where a name
// leads is seen when it is dialled.
func (g Guard) checkURL(text string) error {
	if len(text) > urlMax {
		return fmt.Errorf("%d bytes, at most %d", len(text), urlMax)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("want https:// or http://")
	case u.Hostname() == "":
		return errors.New("no host")
	case u.User != nil:
		return errors.New("a name or password has no place here: deliveries are signed")
	case u.Fragment != "":
		return errors.New("a fragment is never sent")
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	if addr, err := netip.ParseAddr(host); err == nil && !g.allows(addr) {
		return errPrivate
	}
	return nil
}

func encodeEvents(events []string) string {
	text, _ := json.Marshal(events) // strings
	return string(text)
}
