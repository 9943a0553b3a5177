package engine

import (
	"sync"
	"time"
)

// contest remembers for a moment which subjects were lost to somebody else, another daemon most likely.
// A group that wants one of them locks its rows at once: it would only lose again, and lock then.
type contest struct {
	mu    sync.Mutex
	until map[ref]time.Time
}

// Bounds of what is remembered.
const (
	contestTime = 250 * time.Millisecond // real time: it paces, it dates nothing
	contestMax  = 4096                   // subjects
)

// lost remembers a round's subjects: which of them it was, nobody knows.
func (c *contest) lost(w *world) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil || len(c.until)+len(w.order) > contestMax {
		c.until = map[ref]time.Time{} // forgetting costs a lost race
	}
	for _, s := range w.order {
		c.until[s.ref] = now.Add(contestTime)
	}
}

// lately reports whether one of the items wants a subject that was lost a moment ago.
func (c *contest) lately(items []*item) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.until) == 0 {
		return false
	}
	now := time.Now()
	for _, it := range items {
		until, known := c.until[it.ref()]
		if known && now.Before(until) {
			return true
		}
		if known {
			delete(c.until, it.ref())
		}
	}
	return false
}
