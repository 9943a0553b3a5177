// Package retry is the one rule for what waits in a queue and fails. It is noted, goes back behind what
// else is due, waits longer each time and is parked in the end, so that nothing heads a queue for ever.
// Timers, messages, deliveries of webhooks and notifications follow it, each with pauses of its own.
// Doubled and Sleep serve whoever waits for something within one call.
package retry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Rule says when what has failed is tried again, and when it is given up.
type Rule struct {
	Pauses []time.Duration // after the first failure, the second and so on; the last one repeats
	Tries  int             // failures after which an item is parked
	Rand   func() float64  // jitter in [0,1); nil is math/rand
}

// Note is what is written down about an item that has failed.
type Note struct {
	Tries   int // failures so far, this one included
	Parked  bool
	NextAt  time.Time // not to be tried before; of what is parked, since when it is
	Problem string
}

// Check refuses a rule that never parks or never waits.
func (r Rule) Check() error {
	if r.Tries < 1 || len(r.Pauses) == 0 {
		return fmt.Errorf("%d tries and %d pauses, want at least one of each", r.Tries, len(r.Pauses))
	}
	return nil
}

// Failed is the note of an item that has failed before so many times, and now again.
func (r Rule) Failed(now time.Time, before int, err error) Note {
	n := Note{Tries: before + 1, NextAt: now, Problem: Text(err.Error(), ProblemMax)}
	if n.Parked = n.Tries >= r.Tries; !n.Parked {
		n.NextAt = now.Add(r.pause(n.Tries))
	}
	return n
}

// Waits is the note of an item that is not to blame: nobody could be asked about it. It goes back as
// after a first failure, and counts none.
func (r Rule) Waits(now time.Time, before int, err error) Note {
	return Note{Tries: before, NextAt: now.Add(r.pause(1)), Problem: Text(err.Error(), ProblemMax)}
}

// pause is up to a quarter shorter than the rule says, so that what failed together comes back apart.
func (r Rule) pause(tries int) time.Duration {
	d, jitter := r.Pauses[min(tries, len(r.Pauses))-1], r.Rand
	if jitter == nil {
		jitter = rand.Float64
	}
	return (d - time.Duration(jitter()*float64(d)/4)).Truncate(time.Microsecond)
}

// Doubling is pauses that double from the first to the longest.
func Doubling(first, longest time.Duration) []time.Duration {
	pauses := []time.Duration{first}
	for d := first; 0 < d && d < longest; {
		d = Doubled(d, longest, 2)
		pauses = append(pauses, d)
	}
	return pauses
}

// Doubled is the nth pause, counted from 1, of those that Doubling lists; the last one repeats.
func Doubled(first, longest time.Duration, n int) time.Duration {
	d := first
	for ; n > 1 && 0 < d && d < longest; n-- {
		if d > longest/2 {
			return longest
		}
		d *= 2
	}
	return d
}

// Sleep waits for d, or until ctx ends. It returns the error of a ctx that has ended.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() // also where both are so
}

// ProblemMax bounds a kept problem, in characters: that of the columns of that name.
const ProblemMax = 1000

// Text bounds a text and makes it one that every database takes.
func Text(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}

// Later is the later of two times: of two reasons to wait the one that lasts longer counts.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
