package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// A lost subject is locked for a moment, its neighbours are not, and the memory is bounded.
func TestLostSubjectsAreRememberedForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{name: "order"}
		want := func(id string) *item { return &item{m: m, req: Request{Machine: "order", ID: id}} }
		lose := func(c *contest, ids ...string) {
			w := &world{}
			for _, id := range ids {
				w.order = append(w.order, &subject{ref: ref{m.name, id}})
			}
			c.lost(w)
		}

		var c contest
		if c.lately([]*item{want("a")}) {
			t.Error("nothing was lost yet")
		}
		lose(&c, "a", "b")
		if !c.lately([]*item{want("x"), want("b")}) {
			t.Error("b was lost a moment ago")
		}
		if c.lately([]*item{want("x")}) {
			t.Error("x was never lost")
		}
		<-time.After(contestTime)
		if c.lately([]*item{want("a"), want("b")}) {
			t.Error("the moment is over")
		}
		if len(c.until) != 0 {
			t.Errorf("%d subjects are still remembered", len(c.until))
		}

		for i := range 3 * contestMax {
			lose(&c, fmt.Sprint(i))
		}
		if len(c.until) > contestMax {
			t.Errorf("%d subjects are remembered", len(c.until))
		}
		if !c.lately([]*item{want(fmt.Sprint(3*contestMax - 1))}) {
			t.Error("the last one was forgotten")
		}
	})
}
