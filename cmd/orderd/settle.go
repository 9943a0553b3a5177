package main

import (
	"context"
	"time"
)

// How facts are settled that a crash left undecided.
const (
	settleEvery = 3 * time.Second
	settleMax   = 30 * time.Second // of one pass
	settleBatch = 100              // facts in one pass
)

// settling is a running loop.
type settling struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// startSettling settles at once and then every few seconds, until stopped.
func (d *daemon) startSettling(ctx context.Context) *settling {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // requests come first when stopping
	s := &settling{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		ticker := time.NewTicker(settleEvery)
		defer ticker.Stop()
		for {
			d.settleOnce(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return s
}

func (d *daemon) settleOnce(ctx context.Context) {
	pass, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	_, err := d.shop.Settle(pass, settleBatch)
	if ctx.Err() != nil { // told to stop; the next start goes on
		return
	}
	d.metrics.Settled(err)
	if err != nil {
		d.log.Warn("settling payment facts failed, it is tried again", "error", err)
	}
}

// stop ends the loop and waits for it. What it was working on is rolled back or committed.
func (s *settling) stop() {
	s.cancel()
	<-s.done
}
