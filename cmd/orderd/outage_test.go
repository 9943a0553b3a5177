//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/internal/outage"
)

const (
	outagePatience = 2 * time.Second  // of the daemon with one request, and with one statement
	outageAnswer   = 10 * time.Second // patience, and what a busy machine adds
	outageMax      = 3 * time.Minute
)

// Whatever is wrong with the database, the daemon answers in time and with a word of the table, keeps what it
// has promised, does nothing twice, and goes on by itself when the database is back.
func TestAnOutageOfTheDatabaseIsAnsweredInTimeAndLosesNothing(t *testing.T) {
	for _, o := range outage.All {
		t.Run(o.Name, func(t *testing.T) {
			server := outage.Start(t, o.Binlog)
			setting := "mysql:" + server.DSN(outagePatience)
			s := start(t, setting, func(c *config) { c.patience = outagePatience })
			s.work()
			w := &work{crowd: newCrowd(t, 2*pairs, s.key("crowd", auth.Roles...), s.url),
				journal: map[string][]acknowledged{}, paid: map[string]string{}, payouts: map[string]string{}}
			w.stands = true
			ctx, cancel := context.WithTimeoutCause(t.Context(), outageMax, errors.New("the outage lasts too long"))
			defer cancel()
			w.openAccounts(ctx, t)
			w.endure(ctx, t, o, server)
			w.requireKept(t)
			w.requireTrue(t, setting)
			eventually(t, "all messages are out", func() bool {
				var waiting int64
				require.NoError(t, s.daemon.database.Pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM engine_messages WHERE status <> 'sent'").Scan(&waiting))
				return waiting == 0
			})
			w.requirePaidOut(t)
			requireClean(t, s.daemon.database.Gorm)
		})
	}
}

// endure has callers move orders through their lives while the database is away and comes back.
func (w *work) endure(ctx context.Context, t *testing.T, o outage.Outage, server *outage.Server) {
	t.Helper()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	var callers sync.WaitGroup
	for caller := range 2 * pairs {
		callers.Go(func() {
			for n := 0; !w.stopping.Load() && ctx.Err() == nil; n++ {
				if err := w.live(ctx, fmt.Sprintf("%d-%d", caller/2, n), n); err != nil {
					giveUp(err)
				}
			}
		})
	}
	more := func(counter func() int64, n int64) func() bool {
		enough := counter() + n
		return func() bool { return counter() >= enough }
	}
	waitFor(ctx, t, "everybody is at work", more(w.promises.Load, 100))
	refused := func() int64 { return w.retried.Load() + w.cut.Load() }
	noticed := more(refused, 2*pairs)
	if o.Slows {
		noticed = more(w.promises.Load, 20)
	}
	end := o.Begin(server)
	waitFor(ctx, t, "the outage is noticed", noticed)
	end()
	waitFor(ctx, t, "all goes on", more(w.promises.Load, 100))
	w.stopping.Store(true)
	callers.Wait()
	require.NoError(t, context.Cause(ctx))
	longest := time.Duration(w.longest.Load())
	t.Logf("%d promises, %d asked again, the longest answer took %s", w.promises.Load(), w.retried.Load(), longest)
	require.Less(t, longest, outageAnswer)
	require.Zero(t, w.cut.Load(), "requests without an answer")
}
