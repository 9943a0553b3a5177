package retry_test

import (
	"errors"
	"fmt"
	"time"

	"example.com/orderd/engine/retry"
)

// A queue keeps the note with the item: how often it failed, when it is tried next, and why it failed.
func Example() {
	rule := retry.Rule{
		Pauses: retry.Doubling(time.Second, time.Minute),
		Tries:  4,
		Rand:   func() float64 { return 0 }, // no jitter; leave it out in a program
	}
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	note := retry.Note{NextAt: noon}
	for !note.Parked {
		note = rule.Failed(note.NextAt, note.Tries, errors.New("no answer"))
		fmt.Println(note.Tries, note.NextAt.Format(time.TimeOnly), note.Parked, note.Problem)
	}
	// Output:
	// 1 12:00:01 false no answer
	// 2 12:00:03 false no answer
	// 3 12:00:07 false no answer
	// 4 12:00:07 true no answer
}
