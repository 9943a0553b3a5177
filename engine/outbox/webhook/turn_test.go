package webhook_test

import (
	"net/http"
	"testing"
)

// There are more endpoints than there is room for, and most of them always have something due and are
// busy: the others have their turn.
func TestEndpointsTakeTurns(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		gates := map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{})}
		busy := receive(t, func(_ http.ResponseWriter, _ *http.Request, p posted) { <-gates[p.event.Subject] })
		for range 64 {
			r.endpoint(t, busy.URL)
		}
		last := receive(t, nil)
		r.endpoint(t, last.URL) // the last by its id, too
		for _, id := range []string{"a", "b"} {
			r.Open(t, id)
			r.relayAll(t)
			if _, err := r.Step(t.Context(), 0); err != nil {
				t.Error(err)
			}
			close(gates[id])
			r.Wait()
		}
		if n := len(last.posts()); n != 2 {
			t.Errorf("the last one got %d posts", n)
		}
	})
}
