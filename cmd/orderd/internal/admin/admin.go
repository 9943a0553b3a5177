// Package admin is the daemon's pages for people: rendered on the server, complete without
// JavaScript, and loading nothing from elsewhere. A page shows what the API says, in the same words.
package admin

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/web"
	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/timer"
	"example.com/orderd/orders"
	"example.com/orderd/orders/notify"
)

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate -path .

// Deps is what the pages stand on.
type Deps struct {
	Shop   *orders.Shop
	Engine *engine.Engine
	Gate   *auth.Gate    // lets people in
	Ring   *auth.Keyring // looks whether their keys are still good
	Now    func() time.Time
	Public string // the URL that browsers use, for whether cookies are for https alone
	Dev    bool   // tell the key of development on the login page
	Log    *slog.Logger

	Queue    *outbox.Queue
	Webhooks *webhook.Webhooks
	Notifier *notify.Notifier
	Timers   *timer.Queue
}

type admin struct {
	Deps
	sessions *sessions
	cookie   http.Cookie // without value
	plain    bool        // http to another machine, where the cookie is not sent back
	machine  engine.Description
}

// New makes the handler of everything under /admin/. The engine must run the machines of the shop.
func New(deps Deps) http.Handler {
	a := &admin{Deps: deps, sessions: newSessions(deps.Now)}
	a.cookie, a.plain = cookieFor(deps.Public)
	for _, d := range deps.Engine.Machines() {
		if d.Name == orders.MachineOrder {
			a.machine = d
		}
	}
	mux := &web.Mux{}
	mux.Handle("GET /admin/{$}", http.RedirectHandler("/admin/orders", http.StatusFound))
	mux.HandleFunc("GET /admin/static/{name}", serveStatic)
	mux.HandleFunc("GET /admin/login", a.loginPage)
	mux.HandleFunc("POST /admin/login", a.login)
	mux.HandleFunc("POST /admin/logout", a.logout)
	mux.Handle("GET /admin/orders", a.member(a.orders))
	mux.Handle("GET /admin/orders/{id}", a.member(a.order))
	mux.Handle("POST /admin/orders/{id}/events", a.member(a.act))
	mux.Handle("GET "+messagesPath, a.member(a.messages))
	mux.Handle("POST "+messagesPath+"/{id}", a.member(a.resend(messagesPath, "POST /v1/messages/{id}/retry",
		func(r *http.Request, id string) (bool, error) { return a.Queue.Retry(r.Context(), id) })))
	mux.Handle("GET "+notificationsPath, a.member(a.notifications))
	mux.Handle("GET "+timersPath, a.member(a.timers))
	mux.Handle("POST "+timersPath+"/{id}", a.member(a.resend(timersPath, "POST /v1/timers/{id}/retry",
		func(r *http.Request, id string) (bool, error) { return a.Timers.Retry(r.Context(), id) })))
	mux.Handle("GET "+deliveriesPath, a.member(a.deliveries))
	mux.Handle("POST "+deliveriesPath+"/{id}", a.member(a.resend(deliveriesPath, "POST /v1/webhook-deliveries/{id}/redeliver",
		func(r *http.Request, id string) (bool, error) { return a.Webhooks.Redeliver(r.Context(), id) })))
	mux.HandleFunc("GET /admin/orders/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, string(orderURL(r.PathValue("id"))), http.StatusSeeOther) // a refusal's address, opened anew
	})
	mux.Handle("GET /admin/", a.member(func(w http.ResponseWriter, r *http.Request) {
		a.trouble(w, r, http.StatusNotFound, "Nothing here", "There is no page at this address.")
	}))
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.trouble(w, r, http.StatusForbidden, "Not from here", "The form came from another site. Nothing was done.")
	}))
	return guard.Handler(mux)
}

// cookieFor is the session's cookie on a public URL. It is for https alone, except on this very
// machine; plain tells that the URL is neither, so that a browser will not send the cookie back.
func cookieFor(public string) (c http.Cookie, plain bool) {
	c = http.Cookie{Name: "__Host-orderd", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "http" {
		return c, false
	}
	if !isLoopback(u.Hostname()) {
		return c, true
	}
	c.Name, c.Path, c.Secure = "orderd", "/admin/", false // the prefix is for secure cookies
	return c, false
}

// isPage reports whether a path is one of the pages.
func isPage(path string) bool {
	return strings.HasPrefix(path, "/admin/orders") || path == messagesPath || path == deliveriesPath ||
		path == notificationsPath || path == timersPath
}

// returnTo is where a login leads: a page of ours, or the list for anything else.
func returnTo(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !isPage(u.Path) || strings.Contains(path, `\`) {
		return "/admin/orders"
	}
	return u.RequestURI()
}
