package admin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
)

// formMax bounds a form's body, in bytes.
const formMax = 16 << 10

// readers are the roles that may see the pages: they show what the list of orders shows.
var readers = auth.Routes["GET /v1/orders"]

type loginView struct {
	Next    string
	Problem string
	Plain   bool // the cookie would not come back
	Dev     bool
}

// loginPage asks for a key.
func (a *admin) loginPage(w http.ResponseWriter, r *http.Request) {
	if _, _, err := a.visitor(r); err == nil {
		http.Redirect(w, r, returnTo(r.FormValue("next")), http.StatusSeeOther)
		return
	}
	a.askForKey(w, r, http.StatusOK, r.FormValue("next"), "")
}

func (a *admin) askForKey(w http.ResponseWriter, r *http.Request, status int, next, wrong string) {
	a.render(w, r, status, "Log in", loginForm(loginView{Next: next, Problem: wrong, Plain: a.plain, Dev: a.Dev}))
}

// login opens a session for a good key. Bad ones are limited as the API limits them.
func (a *admin) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formMax)
	key, next := strings.TrimSpace(r.PostFormValue("key")), r.PostFormValue("next")
	if key == "" {
		a.askForKey(w, r, http.StatusBadRequest, next, "Paste a key first.")
		return
	}
	p, err := a.Gate.Check(&http.Request{
		Header: http.Header{"Authorization": {"Bearer " + key}}, RemoteAddr: r.RemoteAddr,
	})
	if err != nil {
		no := problem.From(err)
		for name, values := range no.GetHeaders() {
			if name == "Retry-After" {
				w.Header()[name] = values
			}
		}
		a.askForKey(w, r, no.GetStatus(), next, loginProblem(no))
		return
	}
	if !p.May(readers) {
		a.askForKey(w, r, http.StatusForbidden, next,
			"The key is good, but these pages need one with the role viewer, operator or admin.")
		return
	}
	if old, err := r.Cookie(a.cookie.Name); err == nil {
		a.sessions.end(old.Value)
	}
	cookie := a.cookie
	cookie.Value = a.sessions.open(key)
	http.SetCookie(w, &cookie)
	http.Redirect(w, r, returnTo(next), http.StatusSeeOther)
}

func loginProblem(no *problem.Problem) string {
	switch no.GetStatus() {
	case http.StatusUnauthorized:
		return "This key is not known, or it has expired or was revoked."
	case http.StatusTooManyRequests:
		return "Too many wrong keys came from your address. Wait a moment, then try again."
	}
	return "The key could not be checked just now. Try again in a moment."
}

// logout ends the session.
func (a *admin) logout(w http.ResponseWriter, r *http.Request) {
	if old, err := r.Cookie(a.cookie.Name); err == nil {
		a.sessions.end(old.Value)
	}
	cookie := a.cookie
	cookie.MaxAge = -1
	http.SetCookie(w, &cookie)
	http.Redirect(w, r, "/admin/login", http.StatusSeeOther)
}

// visitor is who is logged in, and the id of the session. The error matches auth.ErrUnauthorized if
// nobody is.
func (a *admin) visitor(r *http.Request) (auth.Principal, string, error) {
	cookie, err := r.Cookie(a.cookie.Name)
	if err != nil {
		return auth.Principal{}, "", auth.ErrUnauthorized
	}
	key, ok := a.sessions.find(cookie.Value)
	if !ok {
		return auth.Principal{}, "", auth.ErrUnauthorized
	}
	p, err := a.Ring.Verify(r.Context(), key)
	if errors.Is(err, auth.ErrUnauthorized) || err == nil && !p.May(readers) {
		a.sessions.end(cookie.Value)
		return auth.Principal{}, "", auth.ErrUnauthorized
	}
	return p, cookie.Value, err
}

type sessionKey struct{}

// member lets nobody in who is not logged in.
func (a *admin) member(page http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, session, err := a.visitor(r)
		switch {
		case errors.Is(err, auth.ErrUnauthorized):
			back := r.URL.RequestURI()
			if r.Method != http.MethodGet { // an act: what it was about is a page
				back = strings.TrimSuffix(r.URL.Path, "/events")
			}
			http.Redirect(w, r, "/admin/login?next="+url.QueryEscape(back), http.StatusSeeOther)
			return
		case err != nil:
			a.failed(w, r, err)
			return
		}
		ctx := context.WithValue(auth.With(r.Context(), p), sessionKey{}, session)
		page(w, r.WithContext(ctx))
	})
}

// sessionOf is the id of the session of a request that member let in.
func sessionOf(ctx context.Context) string {
	id, _ := ctx.Value(sessionKey{}).(string)
	return id
}
