package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/enginetest"
)

// nodes is the program on each node of a cluster, on a migrated database.
type nodes struct {
	*enginetest.Cluster
	each     []*binary
	settings []string
	key      string // of an administrator
}

func onThreeNodes(t *testing.T) *nodes {
	t.Helper()
	n := &nodes{Cluster: enginetest.Galera(t)}
	t.Setenv("CGO_ENABLED", "0")
	built := build(t)
	for _, dsn := range n.DSNs {
		b := *built
		b.t, b.env = t, []string{"HOME=" + b.dir, "ORDERD_DB=mysql:" + dsn, "ORDERD_STANDARD_WEBHOOK_SECRET=" + testSecret, "ORDERD_WEBHOOK_ALLOW=127.0.0.0/8"}
		n.each, n.settings = append(n.each, &b), append(n.settings, "mysql:"+dsn)
	}
	_, stderr, code := n.each[0].run("migrate")
	require.Equal(t, 0, code, stderr)
	var made struct{ Key string }
	n.each[0].ok(&made, "key", "create", "crowd", "--role", "admin")
	n.key = made.Key
	n.Settle(t)
	return n
}

// serve starts a daemon on each node.
func (n *nodes) serve() (daemons []*running, urls []string) {
	for _, b := range n.each {
		r := b.serveMortal()
		daemons, urls = append(daemons, r), append(urls, r.url)
	}
	return daemons, urls
}

// requireVerified runs orderd verify on each node, and holds all answers to the callers against the history
// that each has.
func (n *nodes) requireVerified(t *testing.T, c *crowd) {
	t.Helper()
	n.AwaitWhole(t)
	n.Settle(t)
	for i, b := range n.each {
		b.requireVerified()
		requireOncePerKey(t, n.settings[i])
		c.requireTrue(t, n.settings[i])
	}
}

func TestDaemonsOnThreeNodesMoveAnOrderOnceThroughItsLife(t *testing.T) {
	n := onThreeNodes(t)
	daemons, _ := n.serve()
	c := blowOver(t, n.each[0], n.settings[0], n.key, 10, daemons...)
	n.requireVerified(t, c)
}

// Two events that exclude each other are asked for at two daemons at once. One is told that it was
// applied, the other that it was too late, and that is what happened.
func TestDaemonsOnThreeNodesLetOneOfTwoWin(t *testing.T) {
	n := onThreeNodes(t)
	_, urls := n.serve()
	ctx, cancel := context.WithTimeoutCause(t.Context(), workMax, errors.New("the work lasts too long"))
	defer cancel()
	w := newCrowd(t, 12, n.key, urls...) // each request goes to the next daemon
	var callers sync.WaitGroup
	for c := range 6 {
		callers.Go(func() {
			for i := range 40 {
				if err := w.contest(ctx, fmt.Sprintf("%d-%d", c, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	n.requireVerified(t, w)
}

// contest places an order, and asks to cancel it and to note that it is paid at once.
func (c *crowd) contest(ctx context.Context, name string) error {
	placed, err := c.post(ctx, "/v1/orders", twoBooks, "Idempotency-Key", "place-"+name)
	if err != nil {
		return err
	}
	path := "/v1/orders/" + placed.str("id") + "/transitions"
	bodies := []string{`{"event":"cancel"}`, `{"event":"pay","input":{"amount":2500,"currency":"EUR"}}`}
	told, errs := make([]answer, len(bodies)), make([]error, len(bodies))
	var both sync.WaitGroup
	for i, body := range bodies {
		both.Go(func() {
			told[i], errs[i] = c.post(ctx, path, body, "Idempotency-Key", fmt.Sprintf("%s-%d", name, i))
		})
	}
	both.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if n := counted(told); n[http.StatusOK] != 1 || n[http.StatusConflict] != 1 {
		return fmt.Errorf("%s: want one that is done and one that is too late: %v", path, told)
	}
	return nil
}

// A node is killed, then a daemon, while orders live their lives: nothing is lost, and nothing is done twice.
func TestKillsOfANodeAndOfADaemonLoseNothing(t *testing.T) {
	n := onThreeNodes(t)
	daemons, urls := n.serve()
	ctx, w, in := startWork(t, n.key, urls...)
	further := func(promises int64) {
		enough := w.promises.Load() + promises
		waitFor(ctx, t, "more is promised", func() bool { return w.promises.Load() >= enough })
	}
	further(200)
	n.Kill(t, 1)
	further(200)
	n.AwaitWhole(t)
	further(200)
	daemons[2].killHard()
	further(100)
	daemons[2] = n.each[2].serveMortal()
	w.meet(urls[0], urls[1], daemons[2].url)
	further(200)
	w.finish(ctx, t)
	w.requirePromisesKept(ctx, t, n.settings[0], in)
	for _, r := range daemons {
		code, log := r.stop()
		require.Equal(t, 0, code, log)
	}
	n.requireVerified(t, w.crowd)
}

// A daemon whose node is cut off says that nothing was done, and says so to those who ask whether it is ready.
func TestADaemonOnANodeThatIsCutOffIsNotReady(t *testing.T) {
	n := onThreeNodes(t)
	_, urls := n.serve()
	here, there := newCrowd(t, 1, n.key, urls[0]), newCrowd(t, 1, n.key, urls[2])
	placed, err := here.post(t.Context(), "/v1/orders", twoBooks, "Idempotency-Key", "one")
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, placed.status, placed)
	path := "/v1/orders/" + placed.str("id") + "/transitions"
	cancel := func(c *crowd) answer {
		header := http.Header{"Authorization": {"Bearer " + n.key}, "Idempotency-Key": {"two"}}
		a, err := c.send(t.Context(), http.MethodPost, path, `{"event":"cancel"}`, header)
		require.NoError(t, err)
		return a
	}

	n.Isolate(t, 2)
	ready, err := there.send(t.Context(), http.MethodGet, "/readyz", "", http.Header{})
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, ready.status, ready)
	refused(t, cancel(there), http.StatusServiceUnavailable, "unavailable", "")
	n.Rejoin(t, 2)
	n.AwaitWhole(t)
	a, err := there.post(t.Context(), path, `{"event":"cancel"}`, "Idempotency-Key", "two")
	require.NoError(t, err)
	require.Equal(t, "applied", a.str("outcome"), a)
	n.requireVerified(t, there)
}
