package admin

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/web"
)

// policy lets a page use its own files and post to itself. %N% is the nonce of the one inline style
// there is, that of the diagram.
const policy = "default-src 'none'; style-src 'self' 'nonce-%N%'; script-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// frame is what every page has around it.
type frame struct {
	Title string
	Who   string // the principal; "" before the login
	Roles string
	Here  string // path of the page
}

// render answers with a page. Nothing is sent before the page is whole.
func (a *admin) render(w http.ResponseWriter, r *http.Request, status int, title string, content templ.Component) {
	nonce := rand.Text()
	p := auth.From(r.Context())
	f := frame{Title: title, Who: p.ID, Roles: rolesText(p.Roles), Here: r.URL.Path}
	var page bytes.Buffer
	ctx := templ.WithNonce(r.Context(), nonce)
	if err := layout(f, content).Render(ctx, &page); err != nil {
		a.Log.ErrorContext(r.Context(), "a page could not be rendered", "title", title, "error", err)
		problem.New(problem.Internal, "a fault of the daemon").Because(err).Write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", strings.ReplaceAll(policy, "%N%", nonce))
	// Without a referrer a browser would call the origin of our own forms null, and an older one that
	// sends nothing else to tell by would be taken for another site.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// trouble answers with a page that says what is wrong, and where the log has more, if it has.
func (a *admin) trouble(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	request := ""
	if status >= http.StatusInternalServerError {
		request = web.RequestID(r.Context())
	}
	a.render(w, r, status, title, troublePage(title, text, request))
}

// failed answers with a page for an error.
func (a *admin) failed(w http.ResponseWriter, r *http.Request, err error) {
	no := problem.From(err)
	status := no.GetStatus()
	if status >= http.StatusInternalServerError {
		a.Log.ErrorContext(r.Context(), "a page failed", "path", r.URL.Path, "request_id", web.RequestID(r.Context()), "error", err)
	}
	switch status {
	case http.StatusNotFound:
		a.trouble(w, r, status, "Not found", "There is nothing with this id. Ids are case-sensitive.")
	case http.StatusBadRequest:
		a.trouble(w, r, status, "That does not work", "The address is not one of ours: "+no.Error()+".")
	case http.StatusServiceUnavailable:
		a.trouble(w, r, status, "Not available now", "The database does not answer. Nothing was changed; try again in a moment.")
	default:
		a.trouble(w, r, status, "A fault of the daemon", "It is in the log under the number of this request.")
	}
}

func rolesText(roles []auth.Role) string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	return strings.Join(names, ", ")
}
