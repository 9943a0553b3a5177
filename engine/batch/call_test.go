package batch

import (
	"context"
	"testing"
	"time"

	"example.com/orderd/engine"
)

// Whose time ends at the moment of the answer gets the answer: it is there, so it is not unknown.
func TestAnAnswerThatIsThereIsGivenToACallerWhoseTimeIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // both are ready, and chance decides which is seen first
		c := newCall(engine.Request{ID: "x"})
		if !c.take() {
			t.Fatal("nobody has left")
		}
		c.answer(engine.Result{Outcome: engine.Applied})
		if r := c.wait(ctx, time.NewTimer(time.Hour)); r.Outcome != engine.Applied {
			t.Fatalf("got %s", r.Outcome)
		}
	}
}
