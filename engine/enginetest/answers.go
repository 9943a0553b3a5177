package enginetest

import (
	"context"
	"sync"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

const (
	answersMax = 1 << 20 // requests that one Answers keeps
	faultsMax  = 20      // false answers that are told one by one
)

// Answers compares every answer of a storm with history, once the storm is over. Each request is noted before
// it is sent and again when its answer is there, so an answer is also held against what others had been
// told before. Give it every request that carries one of its keys, by Through or, where answers come from
// elsewhere, by Ask. The zero value is ready, and safe for concurrent use.
type Answers struct {
	mu    sync.Mutex
	clock int64 // grows with every note: what came before what
	calls int64
	asked []*Asked
	left  int // requests there was no room for
}

// Asked is one request that was sent. Without an answer, anything may have become of it: nothing, one
// transition, or one transition later.
type Asked struct {
	of      *Answers
	request engine.Request
	result  engine.Result
	began   int64
	ended   int64 // 0 while there is no answer
	call    int64 // that it was one of several of; 0 if it was alone
}

// Ask notes that a request is about to be sent.
func (a *Answers) Ask(r engine.Request) *Asked { return a.ask(r, 0) }

func (a *Answers) ask(r engine.Request, call int64) *Asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock++
	q := &Asked{of: a, request: r, began: a.clock, call: call}
	if len(a.asked) >= answersMax {
		a.left++
		return q
	}
	a.asked = append(a.asked, q)
	return q
}

// Answered notes the answer. One that was read from JSON has a Proof without a fingerprint, and is held to
// those fields of it that are there.
func (q *Asked) Answered(r engine.Result) {
	q.of.mu.Lock()
	defer q.of.mu.Unlock()
	q.of.clock++
	q.ended, q.result = q.of.clock, r
}

// Through returns an Applier that asks to and notes everything.
func (a *Answers) Through(to engine.Applier) engine.Applier { return &noted{answers: a, to: to} }

type noted struct {
	answers *Answers
	to      engine.Applier
}

func (n *noted) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	q := n.answers.Ask(r)
	result, err := n.to.Apply(ctx, r)
	q.Answered(result)
	return result, err
}

func (n *noted) ApplyAll(ctx context.Context, rs []engine.Request) []engine.Result {
	n.answers.mu.Lock()
	n.answers.calls++
	call := n.answers.calls
	n.answers.mu.Unlock()
	asked := make([]*Asked, len(rs))
	for i, r := range rs {
		asked[i] = n.answers.ask(r, call)
	}
	results := n.to.ApplyAll(ctx, rs)
	for i, result := range results {
		asked[i].Answered(result)
	}
	return results
}

// Check fails the test for every answer that history contradicts. It is for when nobody asks any more and
// nothing is under way.
func (a *Answers) Check(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	untrue, err := a.Compare(context.Background(), db)
	if err != nil {
		tb.Errorf("compare the answers with history: %v", err)
	}
	for i, f := range untrue {
		if i == faultsMax {
			tb.Errorf("and %d more false answers", len(untrue)-i)
			break
		}
		tb.Errorf("a false answer: %v", f)
	}
}
