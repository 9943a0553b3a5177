package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orderd/engine/worker"
)

// lease is one that a test takes away.
type lease struct {
	ctx      context.Context
	fence    int64
	released *int
}

func (l lease) Fence() int64                  { return l.fence }
func (l lease) Context() context.Context      { return l.ctx }
func (l lease) Release(context.Context) error { *l.released++; return nil }

var quiet = slog.New(slog.DiscardHandler)

// A job is done again at once while there is more, and after its pause else; a ring ends the pause.
func TestAJobIsDoneAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		bell := worker.NewBell()
		w := worker.Start(t.Context(), worker.Config{Log: quiet}, worker.Job{
			Name: "count", Every: time.Minute, Wake: bell,
			Step: func(context.Context, int64) (bool, error) {
				at = append(at, time.Since(began))
				return len(at) < 3, nil
			},
		})
		<-time.After(90 * time.Second)
		bell.Ring()
		synctest.Wait()
		w.Close()
		want := []time.Duration{0, 0, 0, time.Minute, 90 * time.Second}
		if len(at) != len(want) {
			t.Fatalf("steps at %v, want %v", at, want)
		}
		for i := range want {
			if at[i] != want[i] {
				t.Fatalf("steps at %v, want %v", at, want)
			}
		}
	})
}

// A step that fails or panics is tried again after a pause that grows, up to a bound; others go on.
func TestAFailingJobIsTriedAgainAndDisturbsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed, other := map[string]int{}, 0
		var at []time.Time
		w := worker.Start(t.Context(), worker.Config{Log: quiet, Failed: func(job string) { failed[job]++ }},
			worker.Job{Name: "bad", Every: time.Second, Step: func(context.Context, int64) (bool, error) {
				at = append(at, time.Now())
				if len(at)%2 == 0 {
					panic("on purpose")
				}
				return true, errors.New("on purpose")
			}},
			worker.Job{Name: "good", Every: time.Second, Step: func(context.Context, int64) (bool, error) { other++; return false, nil }})
		<-time.After(10 * time.Minute)
		w.Close()
		if other < 599 {
			t.Errorf("the other job had %d steps", other)
		}
		if failed["bad"] != len(at) || failed["good"] != 0 {
			t.Errorf("failures %v of %d steps", failed, len(at))
		}
		if len(at) > 60 || len(at) < 20 {
			t.Errorf("%d tries in 10 minutes", len(at))
		}
		if last := at[len(at)-1].Sub(at[len(at)-2]); last > 31*time.Second || last < 14*time.Second {
			t.Errorf("the last pause was %s", last)
		}
	})
}

// A job runs under its lease: not without one, told its fence, ended when the lease is lost.
func TestAJobNeedsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lose context.CancelFunc
		asked, released := 0, 0
		leases := func(ctx context.Context, name string) (worker.Lease, error) {
			asked++
			switch {
			case name != "job":
				t.Errorf("asked for %q", name)
			case asked == 1:
				return nil, errors.New("the database is away")
			case asked <= 3:
				return nil, nil
			}
			ctx, lose = context.WithCancel(context.WithoutCancel(ctx))
			return lease{ctx, int64(asked), &released}, nil
		}
		var fences []int64
		stopped := 0
		w := worker.Start(t.Context(), worker.Config{Leases: leases, Log: quiet}, worker.Job{
			Name: "job", Every: time.Minute,
			Step: func(ctx context.Context, fence int64) (bool, error) {
				fences = append(fences, fence)
				<-ctx.Done() // works until it is told to end
				stopped++
				return false, ctx.Err()
			},
		})
		<-time.After(10 * time.Second)
		synctest.Wait()
		if asked != 4 || len(fences) != 1 || fences[0] != 4 {
			t.Fatalf("asked %d times, fences %v", asked, fences)
		}
		lose()
		synctest.Wait()
		if released != 1 || stopped != 1 || asked != 5 || len(fences) != 2 {
			t.Fatalf("released %d, stopped %d, asked %d, fences %v", released, stopped, asked, fences)
		}
		w.Close()
		if released != 2 || stopped != 2 {
			t.Errorf("released %d, stopped %d", released, stopped)
		}
	})
}

// A step that takes too long is cancelled.
func TestAStepIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		w := worker.Start(t.Context(), worker.Config{Log: quiet}, worker.Job{
			Name: "slow", Every: time.Hour, Limit: 7 * time.Second,
			Step: func(ctx context.Context, _ int64) (bool, error) {
				began := time.Now()
				<-ctx.Done()
				took = max(took, time.Since(began))
				return false, ctx.Err()
			},
		})
		<-time.After(time.Minute)
		w.Close()
		if took != 7*time.Second {
			t.Errorf("a step took %s", took)
		}
	})
}
