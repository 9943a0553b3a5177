package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/words"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// notice tells what has become of an act.
type notice struct {
	Order   string
	Outcome engine.Outcome // "" if nothing was asked of the engine
	Detail  engine.Detail
	Title   string
	Text    string
	Refused []engine.Refused
}

// Tone is the notice's colour.
func (n notice) Tone() string { return outcomeTone(n.Outcome) }

// reasonMax bounds a reason, in bytes, as the engine does.
const reasonMax = 1000

// form is what an act button sends.
type form struct {
	event   engine.Event
	reason  string
	seq     string // the same however often the form is sent
	version int64  // of the order that the page showed
}

// readForm takes a form apart, or says what is wrong with it.
func readForm(r *http.Request) (f form, wrong string) {
	if err := r.ParseForm(); err != nil {
		return f, "The form could not be read."
	}
	f.event, f.seq = engine.Event(r.PostForm.Get("event")), r.PostForm.Get("key")
	f.reason = strings.TrimSpace(r.PostForm.Get("reason"))
	version, err := strconv.ParseInt(r.PostForm.Get("version"), 10, 64)
	f.version = version
	switch {
	case f.event == "" || err != nil || version < 1 || len(f.seq) < 16 || len(f.seq) > 64:
		return f, "The form is not one of this page."
	case f.reason == "":
		return f, "Say why: the reason is kept in the order's history."
	case len(f.reason) > reasonMax:
		return f, fmt.Sprintf("The reason is too long: at most %d bytes.", reasonMax)
	}
	return f, ""
}

// act lets an event happen to an order. What has its effect leads back to the order's page, so that a
// reload sends nothing; what has not is shown at once, with the order as it is now.
func (a *admin) act(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	r.Body = http.MaxBytesReader(w, r.Body, formMax)
	f, wrong := readForm(r)
	p := auth.From(r.Context())
	if !p.May(auth.Events[f.event]) {
		a.showOrder(w, r, http.StatusForbidden, id, &notice{
			Title: "Not for your key", Text: fmt.Sprintf("Your key lacks a role for %q. Nothing was done.", words.Plain(f.event)),
		})
		return
	}
	if wrong != "" {
		a.showOrder(w, r, http.StatusBadRequest, id, &notice{Title: "Nothing was done", Text: wrong})
		return
	}
	result, err := a.Shop.Transition(r.Context(), orders.Caller{Principal: p.ID, Actor: p.ID}, id, orders.TransitionRequest{
		Event: f.event, Reason: f.reason, Seq: f.seq, IfVersion: f.version,
	})
	n := noticeOf(result, f)
	var outcome *engine.Error
	switch {
	case err == nil:
		a.sessions.leave(sessionOf(r.Context()), n)
		http.Redirect(w, r, string(orderURL(id)), http.StatusSeeOther)
	case errors.As(err, &outcome) && result.Outcome != engine.NotFound:
		a.showOrder(w, r, problem.From(err).GetStatus(), id, &n)
	default:
		if wrong, ok := asBadInput(err); ok {
			a.showOrder(w, r, http.StatusBadRequest, id, &notice{Title: "Nothing was done", Text: wrong})
			return
		}
		a.failed(w, r, err)
	}
}

// noticeOf says an outcome in words.
func noticeOf(r engine.Result, f form) notice {
	n := notice{Order: r.ID, Outcome: r.Outcome, Detail: r.Detail, Refused: r.Refused, Text: words.Answer(r)}
	event := label(f.event)
	n.Title = problem.KindOf(problem.Code(r.Outcome), r.Detail).Title
	switch {
	case r.Outcome == engine.Applied:
		n.Title = event + ": done"
	case r.Outcome == engine.Already:
		n.Title = event + ": it has happened already"
	case r.Detail == engine.VersionMoved:
		n.Title = "The order has changed since you opened the page"
		n.Text = fmt.Sprintf("You saw version %d; it is %s now, version %d. %s was not done. Look again and decide again.",
			f.version, words.Plain(r.State), r.Version, event)
	}
	return n
}

// asBadInput is what is wrong with a request that nothing was looked up for.
func asBadInput(err error) (wrong string, ok bool) {
	var request *engine.RequestError
	if !errors.As(err, &request) {
		return "", false
	}
	return label(request.Error()) + ".", true
}
