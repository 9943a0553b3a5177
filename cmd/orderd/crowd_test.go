package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/cmd/orderd/internal/database"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders/provider/standard"
)

// crowd is many callers at once. Unlike server it keeps its connections, returns errors instead of
// ending the test, and may spread its requests over several daemons.
type crowd struct {
	client    *http.Client
	key       string
	principal string // whom the key speaks for
	signer    *standard.Provider
	stands    bool // also a request whose connection breaks is sent again
	answers   enginetest.Answers

	daemons atomic.Pointer[[]string] // their URLs
	turn    atomic.Uint64
	waiting atomic.Int64 // requests without an answer yet
	cut     atomic.Int64 // requests that never got one
	retried atomic.Int64 // requests that a daemon wanted to have again
	longest atomic.Int64 // of all answers, in nanoseconds
}

func newCrowd(t *testing.T, callers int, key string, daemons ...string) *crowd {
	t.Helper()
	signer, err := standard.New(standard.Name, testSecret)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: callers}
	t.Cleanup(transport.CloseIdleConnections)
	c := &crowd{client: &http.Client{Transport: transport, Timeout: 20 * time.Second}, key: key, principal: "crowd", signer: signer}
	if key == "dev" {
		c.principal = "dev"
	}
	c.meet(daemons...)
	return c
}

// meet makes the crowd talk to these daemons from now on.
func (c *crowd) meet(daemons ...string) { c.daemons.Store(&daemons) }

// Pauses of this file's polls.
const (
	retryPause = 5 * time.Millisecond
	pollPause  = 2 * time.Millisecond
)

// insist sends a request until its answer is final: what a daemon wants to have again is sent again,
// unchanged.
func (c *crowd) insist(ctx context.Context, send func() (answer, error)) (answer, error) {
	for {
		a, err := send()
		switch {
		case err != nil && !c.stands, ctx.Err() != nil:
			return a, err
		case err == nil && !again(a):
			return a, nil
		case err == nil:
			c.retried.Add(1)
			if a.header.Get("Retry-After") == "" {
				return a, fmt.Errorf("no Retry-After: %s", a)
			}
		}
		if err := sleep(ctx, retryPause); err != nil {
			return a, err
		}
	}
}

// again reports whether an answer asks for the same request once more.
func again(a answer) bool {
	return a.status == http.StatusServiceUnavailable || a.status == http.StatusConflict && a.str("detail_code") == "lost_race"
}

// post sends a request until its answer is final.
func (c *crowd) post(ctx context.Context, path, body string, headers ...string) (answer, error) {
	return c.insist(ctx, func() (answer, error) {
		header := http.Header{"Authorization": {"Bearer " + c.key}}
		for i := 0; i < len(headers); i += 2 {
			header.Set(headers[i], headers[i+1])
		}
		return c.send(ctx, http.MethodPost, path, body, header)
	})
}

func (c *crowd) get(ctx context.Context, path string) (answer, error) {
	return c.insist(ctx, func() (answer, error) {
		return c.send(ctx, http.MethodGet, path, "", http.Header{"Authorization": {"Bearer " + c.key}})
	})
}

// report sends a callback as a provider does: each delivery with a number and a signature of its own.
func (c *crowd) report(ctx context.Context, body string) (answer, error) {
	return c.insist(ctx, func() (answer, error) {
		header := http.Header{}
		c.signer.Sign(header, "msg_"+unique(), []byte(body), time.Now())
		return c.send(ctx, http.MethodPost, "/v1/callbacks/standard", body, header)
	})
}

// send sends one request to the daemon whose turn it is.
func (c *crowd) send(ctx context.Context, method, path, body string, header http.Header) (a answer, err error) {
	c.waiting.Add(1)
	defer func() {
		c.waiting.Add(-1)
		if err != nil {
			c.cut.Add(1)
		}
	}()
	daemons := *c.daemons.Load()
	url := daemons[int(c.turn.Add(1)%uint64(len(daemons)))]
	r, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header = header
	asked, began := c.asked(method, path, body, header), time.Now()
	response, err := c.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // read to its end, or broken
	if err != nil {
		return answer{}, err
	}
	c.timed(time.Since(began))
	a = answer{status: response.StatusCode, header: response.Header, text: string(text)}
	if err := json.Unmarshal(text, &a.body); err != nil {
		return a, fmt.Errorf("%s: %w", a, err)
	}
	if asked != nil {
		if result, known := resultOf(a, !strings.HasSuffix(path, "/transitions")); known {
			asked.Answered(result)
		}
	}
	return a, nil
}

// timed notes how long an answer took.
func (c *crowd) timed(took time.Duration) {
	for longest := c.longest.Load(); int64(took) > longest; longest = c.longest.Load() {
		if c.longest.CompareAndSwap(longest, int64(took)) {
			return
		}
	}
}

// sleep waits, but not longer than ctx lives.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// waitFor polls until something holds.
func waitFor(ctx context.Context, t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(pollPause)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			require.FailNow(t, "waited in vain until "+what, context.Cause(ctx))
		}
	}
}

// requireClean holds a database against every invariant of engine and shop.
func requireClean(t *testing.T, db *gorm.DB) {
	t.Helper()
	report, err := verify.Run(t.Context(), db, verify.Options{
		Machines: database.Machines(), Extra: database.Checks(),
	})
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	require.Positive(t, report.Transitions)
}

// eachBinary builds the program once, without cgo, and runs a test with it on a migrated database of
// each kind. It gives the key of an administrator.
func eachBinary(t *testing.T, f func(t *testing.T, b *binary, setting, key string)) {
	t.Setenv("CGO_ENABLED", "0")
	built := build(t)
	on := func(t *testing.T, setting string) {
		b := *built
		b.t, b.env = t, []string{"HOME=" + b.dir, "ORDERD_DB=" + setting, "ORDERD_STANDARD_WEBHOOK_SECRET=" + testSecret, "ORDERD_WEBHOOK_ALLOW=127.0.0.0/8"}
		_, stderr, code := b.run("migrate")
		require.Equal(t, 0, code, stderr)
		var made struct{ Key string }
		b.ok(&made, "key", "create", "crowd", "--role", "admin")
		f(t, &b, setting, made.Key)
	}
	t.Run("SQLite", func(t *testing.T) { on(t, "sqlite:"+filepath.Join(t.TempDir(), "shop.db")) })
	t.Run("MySQL", func(t *testing.T) { on(t, "mysql:"+enginetest.MySQLDSN(t)) })
}

// serveMortal starts a daemon that does not outlive the test, however that ends.
func (b *binary) serveMortal() *running {
	b.t.Helper()
	r := b.start("serve")
	b.t.Cleanup(r.killHard)
	return r
}

// killHard is kill -9. A daemon that has ended is left alone.
func (r *running) killHard() {
	if r.c.ProcessState != nil {
		return
	}
	_ = r.c.Process.Kill() // it may be ending by itself
	<-r.done
	_ = r.c.Wait() // the error tells of the signal
}

// requireVerified runs orderd verify, which must find nothing.
func (b *binary) requireVerified() {
	b.t.Helper()
	stdout, stderr, code := b.run("verify")
	require.Equal(b.t, 0, code, stdout+stderr)
}
