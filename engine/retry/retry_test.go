package retry_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"example.com/orderd/engine/retry"
)

func rule(jitter float64) retry.Rule {
	return retry.Rule{Pauses: retry.Doubling(time.Second, 10*time.Second), Tries: 7, Rand: func() float64 { return jitter }}
}

func TestPausesGrowToABoundAndThenItIsParked(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for before, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		n := rule(0).Failed(now, before, errors.New("no"))
		if n.Parked || n.Tries != before+1 || n.NextAt.Sub(now) != want || n.Problem != "no" {
			t.Errorf("%+v, want a pause of %s", n, want)
		}
		if n := rule(0.999).Failed(now, before, errors.New("no")); n.NextAt.Sub(now) < want*3/4 || n.NextAt.Sub(now) >= want {
			t.Errorf("with jitter: %s, want a bit less than %s", n.NextAt.Sub(now), want)
		}
	}
	for _, before := range []int{6, 7, 1000} {
		if n := rule(0).Failed(now, before, errors.New("no")); !n.Parked || n.Tries != before+1 || !n.NextAt.Equal(now) {
			t.Errorf("%+v, want it parked", n)
		}
	}
}

func TestWhatIsNotToBlameWaitsAndIsNeverParked(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, before := range []int{0, 3, 1000} {
		if n := rule(0).Waits(now, before, errors.New("away")); n.Parked || n.Tries != before || n.NextAt.Sub(now) != time.Second || n.Problem != "away" {
			t.Errorf("%+v", n)
		}
	}
}

func TestAKeptTextIsBoundedAndFitsIntoEveryDatabase(t *testing.T) {
	n := rule(0).Failed(time.Now(), 0, errors.New("a\x00b\xffc"+strings.Repeat("鐘", 2000)))
	if r := []rune(n.Problem); len(r) != retry.ProblemMax || string(r[:5]) != "a\ufffdb\ufffdc" {
		t.Errorf("%d characters, %q", len(r), string(r[:8]))
	}
}

func TestARuleMustWaitAndPark(t *testing.T) {
	for _, r := range []retry.Rule{{}, {Tries: 1}, {Pauses: retry.Doubling(1, 2)}, {Tries: -1, Pauses: retry.Doubling(1, 2)}} {
		if r.Check() == nil {
			t.Errorf("%+v", r)
		}
	}
	if err := rule(0).Check(); err != nil {
		t.Error(err)
	}
}

func TestAPauseIsTheOneOfTheList(t *testing.T) {
	for _, longest := range []time.Duration{1, time.Second, 3 * time.Second, 8 * time.Second, 10 * time.Second} {
		all := retry.Doubling(time.Second, longest)
		for n := range 40 {
			want := all[min(max(n-1, 0), len(all)-1)]
			if got := retry.Doubled(time.Second, longest, n); got != want {
				t.Errorf("pause %d up to %s: %s, want %s", n, longest, got, want)
			}
		}
	}
	if got := retry.Doubled(time.Hour, math.MaxInt64, 1<<40); got != math.MaxInt64 {
		t.Errorf("a pause of %s", got)
	}
}

func TestASleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	if err := retry.Sleep(ctx, 0); err != nil {
		t.Error(err)
	}
	cancel(errors.New("enough"))
	for _, d := range []time.Duration{time.Hour, 0} {
		for range 100 {
			if err := retry.Sleep(ctx, d); !errors.Is(err, context.Canceled) {
				t.Fatalf("%v, want that of the context", err)
			}
		}
	}
}
