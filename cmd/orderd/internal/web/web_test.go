package web

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/problem"
)

func serve(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryProblemHasItsPage(t *testing.T) {
	mux := &Mux{}
	mux.HandleFunc("GET /problems/{code}", Problems)
	mux.HandleFunc("GET /problems/{$}", ProblemList)
	for _, k := range problem.Kinds {
		w := serve(mux, "GET", "/problems/"+string(k.Code))
		require.Equal(t, 200, w.Code)
		require.Contains(t, w.Body.String(), k.Title)
		require.Contains(t, w.Body.String(), "Remedy")
		if k.Detail != "" {
			w = serve(mux, "GET", "/problems/"+string(k.Detail))
			require.Equal(t, "/problems/"+string(k.Code)+"#"+string(k.Detail), w.Header().Get("Location"))
		}
	}
	require.Equal(t, 200, serve(mux, "GET", "/problems/").Code)
	require.Equal(t, 404, serve(mux, "GET", "/problems/%3Cscript%3E").Code)
}

func TestTheMuxSaysNoInProblems(t *testing.T) {
	mux := &Mux{}
	mux.HandleFunc("GET /here", func(http.ResponseWriter, *http.Request) {})
	w := serve(mux, "POST", "/here")
	require.Equal(t, 405, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	require.Contains(t, w.Body.String(), `"code":"method_not_allowed"`)
	w = serve(mux, "GET", "/there")
	require.Equal(t, 404, w.Code)
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
}

func TestAPanicIsAnInternalProblem(t *testing.T) {
	var log bytes.Buffer
	var observed []int
	h := Outermost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "r-1", RequestID(r.Context()))
		panic("secret state")
	}), slog.New(slog.NewJSONHandler(&log, nil)), func(_, _ string, status int, _ time.Duration) {
		observed = append(observed, status)
	})
	w := serve(h, "GET", "/", "X-Request-Id", "r-1")
	require.Equal(t, 500, w.Code)
	require.Contains(t, w.Body.String(), `"request_id":"r-1"`)
	require.NotContains(t, w.Body.String(), "secret state")
	require.Contains(t, log.String(), "secret state")
	require.Equal(t, []int{500}, observed)
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	h := Outermost(http.NotFoundHandler(), slog.New(slog.NewTextHandler(io.Discard, nil)), func(string, string, int, time.Duration) {})
	w := serve(h, "GET", "/", "X-Request-Id", "two words")
	require.NotEqual(t, "two words", w.Header().Get("X-Request-Id"))
	require.NotEmpty(t, w.Header().Get("X-Request-Id"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
}

func TestOnlyLocalNames(t *testing.T) {
	h := OnlyLocal(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "http://shop.test:8080")
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:80": 200, "shop.test": 200, "localhost": 200,
		"evil.example": 403, "evil.example:8080": 403, "127.0.0.1.evil.example": 403, "192.0.2.1": 403, "": 403,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, want, w.Code, host)
	}
}

// Outermost sees the route that served a request, through everything between.
func TestTheRouteIsObservedThroughTheDeadline(t *testing.T) {
	mux := &Mux{}
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		if _, bounded := r.Context().Deadline(); !bounded {
			t.Error("the request has no deadline")
		}
	})
	var seen string
	h := Outermost(Within(mux, time.Minute), slog.New(slog.DiscardHandler), func(route, _ string, _ int, _ time.Duration) { seen = route })
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/1", nil))
	if seen != "GET /orders/{id}" {
		t.Errorf("observed %q", seen)
	}
}
