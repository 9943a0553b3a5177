// Package web holds what every answer of the daemon goes through, and its pages for readers: the
// reference of the API and the explanations of problems.
package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"example.com/orderd/cmd/orderd/internal/problem"
)

// contentSecurityPolicy lets a page load its own style sheets and images, and post to itself.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Observe is told of every answered request; route is the pattern that served it, "" for none.
type Observe func(route, method string, status int, took time.Duration)

// Outermost wraps the whole daemon: it names the request, sets the headers that make an answer safe
// in a browser, takes in all of a body, turns a panic into an internal problem, and tells observe.
func Outermost(next http.Handler, log *slog.Logger, observe Observe) http.Handler {
	next = takeRest(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := requestID(r.Header)
		secure(w.Header())
		w.Header().Set("X-Request-Id", id)
		answer := &answer{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v) // net/http's own way to drop a connection
				}
				log.ErrorContext(r.Context(), "a handler panicked", "request_id", id, "route", r.Pattern,
					"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				if answer.status == 0 {
					problem.New(problem.Internal, "a fault of the daemon").Write(answer)
				}
			}
			if answer.status == 0 {
				answer.status = http.StatusOK
			}
			took := time.Since(began)
			observe(r.Pattern, r.Method, answer.status, took)
			log.DebugContext(r.Context(), "answered", "request_id", id, "route", r.Pattern,
				"method", r.Method, "status", answer.status, "took", took)
		}()
		next.ServeHTTP(answer, r)
	})
}

// Within gives every request a deadline, so that a caller gets an answer even if what is behind the
// daemon hangs.
func Within(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		inner := r.WithContext(ctx)
		next.ServeHTTP(w, inner)
		r.Pattern = inner.Pattern // the mux has told only the copy
	})
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

type requestIDKey struct{}

// RequestID is the name of the request that a context belongs to; "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID takes over the caller's name of the request if it is harmless, or makes one.
func requestID(h http.Header) string {
	if given := h.Get("X-Request-Id"); goodRequestID.MatchString(given) {
		return given
	}
	return rand.Text()
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Mux is a ServeMux that says no in problems: not_found where there is nothing, method_not_allowed
// where there is something for another method. It knows all methods of a path once it is served.
type Mux struct{ http.ServeMux }

// ServeHTTP serves the route that matches best.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler, pattern := m.Handler(r)
	if pattern != "" {
		m.ServeMux.ServeHTTP(w, r)
		return
	}
	// The standard mux answers in plain text; it is asked on the side what it would have said.
	said := &silent{header: http.Header{}}
	handler.ServeHTTP(said, r)
	if said.status == http.StatusMethodNotAllowed {
		allow := said.header.Get("Allow")
		problem.New(problem.MethodNotAllowed, "%s is not allowed here: %s", r.Method, allow).
			Header("Allow", allow).Write(w)
		return
	}
	problem.New(problem.NotFound, "there is nothing at this address").Write(w)
}

// silent is a ResponseWriter that keeps only status and headers.
type silent struct {
	header http.Header
	status int
}

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) Write(b []byte) (int, error) { return len(b), nil }
func (s *silent) WriteHeader(status int)      { s.status = status }
