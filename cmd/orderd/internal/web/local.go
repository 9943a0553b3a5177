package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"example.com/orderd/cmd/orderd/internal/problem"
)

// OnlyLocal refuses requests to any host name but this machine's and that of the public URL. A page
// on the Internet can point a name of its own at 127.0.0.1 and then speak to a daemon there, whose key
// everybody knows; the name gives it away.
func OnlyLocal(next http.Handler, public string) http.Handler {
	var allowed string
	if u, err := url.Parse(public); err == nil {
		allowed = u.Hostname()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			host = name
		}
		addr, err := netip.ParseAddr(host)
		if host != "localhost" && host != allowed && (err != nil || !addr.IsLoopback()) {
			problem.New(problem.Forbidden, "in development the daemon answers to localhost alone").Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
