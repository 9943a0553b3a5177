package conformance

import (
	"context"
	"strings"
	"testing"

	"example.com/orderd/engine"
)

// adoptTests is what rows that the engine did not create are promised.
var adoptTests = map[string]func(*testing.T, *bench){
	"existing rows get their first transition, once": func(t *testing.T, b *bench) {
		for _, id := range []string{"a", "b", "c"} {
			b.insert(t, id, "loaded")
		}
		for _, n := range []int{2, 1, 0} {
			if got, err := b.eng.Adopt(t.Context(), "parcel", 2); got != n || err != nil {
				t.Errorf("adopted %d, want %d (%v)", got, n, err)
			}
		}
		h := b.history(t, "a")
		if len(h) != 1 || h[0].Event != "adopt" || h[0].To != "loaded" || h[0].Version != 1 || b.load(t, "a").Version != 1 {
			t.Errorf("history %+v", h)
		}
		b.apply(t, request("a", "deliver"), want{engine.Applied, "", "delivered", 2, 2})
	},
	"an unadopted row is adopted inside its first transition": func(t *testing.T, b *bench) {
		b.insert(t, "a", "loaded")
		b.apply(t, request("a", "archive"), want{engine.Early, "", "loaded", 0, -1})
		b.apply(t, request("a", "deliver"), want{engine.Applied, "", "delivered", 2, 2})
		if h := b.history(t, "a"); len(h) != 2 || h[0].Event != "adopt" || h[1].Event != "deliver" {
			t.Errorf("history %+v", h)
		}
		if n, err := b.eng.Adopt(t.Context(), "parcel", 10); n != 0 || err != nil {
			t.Errorf("adopted %d, %v", n, err)
		}
	},
	"a row in an unknown state is a fault": func(t *testing.T, b *bench) {
		b.insert(t, "a", "vanished")
		r, err := b.app.Apply(context.Background(), request("a", "deliver"))
		expect(t, r, err, want{})
		if err == nil {
			t.Error("no error")
		}
		b.insert(t, "b", "loaded")
		if n, err := b.eng.Adopt(t.Context(), "parcel", 10); n != 1 || err == nil ||
			!strings.Contains(err.Error(), `parcel a: the row is in state "vanished"`) {
			t.Errorf("adopted %d beside a row in an unknown state: %v", n, err)
		}
	},
}

// insert makes a row as an application without the engine would.
func (b *bench) insert(t *testing.T, id string, state engine.State) {
	t.Helper()
	if err := b.db.Create(&parcel{ID: id, Status: state}).Error; err != nil {
		t.Fatal(err)
	}
}
