package sqlitedb

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/orderd/engine/dberr"
)

// turns lets one at a time write, in the order in which they came. However many wait, each waits in vain only if
// one of those before it does not come to an end.
type turns struct {
	limit time.Duration // of one turn, while others wait
	busy  chan struct{} // holds one while somebody writes

	mu    sync.Mutex
	since time.Time // when the turn under way began; zero between two
}

func newTurns(limit time.Duration) *turns {
	return &turns{limit: limit, busy: make(chan struct{}, 1)}
}

// take waits for a turn, which release ends.
func (t *turns) take(ctx context.Context) error {
	select {
	case t.busy <- struct{}{}:
		t.begun(time.Now())
		return nil
	default:
	}
	patience := time.NewTimer(t.limit)
	defer patience.Stop()
	for {
		select {
		case t.busy <- struct{}{}:
			t.begun(time.Now())
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			held := t.held()
			if held >= t.limit {
				return fmt.Errorf("sqlitedb: %w: one transaction has held the only writer for %s. Does code inside a transaction "+
					"use another handle than that transaction's own, or ask an engine by Apply instead of ApplyTx? "+
					"It waits for itself then", dberr.ErrLockWait, held.Round(time.Millisecond))
			}
			patience.Reset(t.limit - held)
		}
	}
}

func (t *turns) release() {
	t.begun(time.Time{})
	<-t.busy
}

func (t *turns) begun(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = at
}

// held is how long the turn under way has taken.
func (t *turns) held() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		return 0
	}
	return time.Since(t.since)
}
