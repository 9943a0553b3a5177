package web

import (
	"io"
	"net/http"
)

// restMax is how much of a body is taken in after its request has been answered.
const restMax = 2 << 20

// takeRest takes in what is left of a body, up to a bound, before the answer is sent off. A connection
// that is closed while its client still sends is reset, and the client may never see why it was refused.
// The server's own timeouts bound how long it takes.
func takeRest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, waits := r.Body, r.Header.Get("Expect") != "" // for leave to send it
		r.Body = io.NopCloser(body)                         // who closes it early ends the taking in
		next.ServeHTTP(w, r)
		if r.ContentLength != 0 && !waits {
			_, _ = io.CopyN(io.Discard, body, restMax) // the client may well have gone
		}
	})
}
