package lock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orderd/engine/lock"
)

// hung is a store that does not answer until it is told to stop.
type hung struct{ released int }

func (*hung) Renew(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func (h *hung) Release(context.Context) error { h.released++; return nil }

// While its store hangs, a holder is told before the time of its lease is over; and the store, which may
// not have noticed, is still told that the lease has ended.
func TestALeaseIsGivenUpBeforeItsTimeIsOver(t *testing.T) {
	for range 20 { // ticks and ends fall together: any order must do
		synctest.Test(t, func(t *testing.T) {
			h := &hung{}
			began := time.Now()
			l := lock.NewLease(t.Context(), "job", 1, 12*time.Second, began, h)
			<-l.Context().Done()
			if took := time.Since(began); took > 10*time.Second || !errors.Is(context.Cause(l.Context()), lock.ErrLost) {
				t.Errorf("told after %s: %v", took, context.Cause(l.Context()))
			}
			if err := l.Release(t.Context()); err != nil || h.released != 1 {
				t.Errorf("released %d times, %v", h.released, err)
			}
		})
	}
}

// Releasing does not wait for a renewal that hangs.
func TestReleaseDoesNotWaitForARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hung{}
		l := lock.NewLease(t.Context(), "job", 1, 12*time.Second, time.Now(), h)
		<-time.After(5 * time.Second) // a renewal is under way
		began := time.Now()
		if err := l.Release(t.Context()); err != nil || time.Since(began) > 0 || h.released != 1 {
			t.Errorf("after %s: released %d times, %v", time.Since(began), h.released, err)
		}
	})
}
