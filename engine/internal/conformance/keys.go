package conformance

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"example.com/orderd/engine"
)

func post(b *bench, t *testing.T, id, seq string, weight int64) (engine.Result, error) {
	r := engine.Request{Machine: "parcel", Event: "post", Input: newParcel{Weight: weight}}
	if seq != "" {
		r.Key = engine.Key{Source: "principal:tester", Seq: seq}
	}
	return engine.Create(t.Context(), b.app, &parcel{ID: id}, r)
}

// keyTests is what a key promises.
var keyTests = map[string]func(*testing.T, *bench){
	"a key replays its first result for ever": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, keyed("a", "load", "1"), want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, keyed("a", "load", "1"), want{engine.Already, engine.Replayed, "loaded", 2, 2})
		b.apply(t, keyed("a", "deliver", "2"), want{engine.Applied, "", "delivered", 3, 3})
		b.apply(t, keyed("a", "load", "1"), want{engine.Already, engine.Replayed, "delivered", 3, 2})
	},
	"a key precedes the pin": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := keyed("a", "load", "1")
		r.IfVersion = 1
		b.apply(t, r, want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, r, want{engine.Already, engine.Replayed, "loaded", 2, 2})
	},
	"actor, reason and pins are not part of the fingerprint": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, keyed("a", "load", "1"), want{engine.Applied, "", "loaded", 2, 2})
		r := keyed("a", "load", "1")
		r.Actor, r.Reason, r.IfVersion = "another", "again", 7
		b.apply(t, r, want{engine.Already, engine.Replayed, "loaded", 2, 2})
	},
	"spacing and field order of the input are not part of the fingerprint": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, scanned(keyed("a", "scan", "1"), "depot"), want{engine.Applied, "", "loaded", 2, 2})
		r := keyed("a", "scan", "1")
		r.Input = json.RawMessage("{ \"place\" :\n \"d\\u0065pot\" }")
		b.apply(t, r, want{engine.Already, engine.Replayed, "loaded", 2, 2})
	},
	"a creation whose key was used otherwise names what the key made": func(t *testing.T, b *bench) {
		if _, err := post(b, t, "first", "1", 500); err != nil {
			t.Fatal(err)
		}
		r, err := post(b, t, "second", "1", 600)
		expect(t, r, err, want{engine.Conflict, engine.KeyReused, "posted", 1, 1})
		if r.ID != "first" {
			t.Errorf("the answer is about %q, which does not exist", r.ID)
		}
	},
	"a key with other content is conflict/key_reused": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.at(t, "z")
		b.apply(t, scanned(keyed("a", "scan", "1"), "depot"), want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, scanned(keyed("a", "scan", "1"), "harbour"), want{engine.Conflict, engine.KeyReused, "loaded", 2, 2})
		b.apply(t, keyed("a", "deliver", "1"), want{engine.Conflict, engine.KeyReused, "loaded", 2, 2})
		b.apply(t, scanned(keyed("z", "scan", "1"), "depot"), want{engine.Conflict, engine.KeyReused, "posted", 1, 2})
		b.apply(t, scanned(keyed("nobody", "scan", "1"), "depot"), want{engine.Conflict, engine.KeyReused, "", 0, 2})
	},
	"a provider's fact with other content is conflict/fact_mismatch": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := scanned(request("a", "scan"), "depot")
		r.Key = engine.Key{Source: "provider:post", Seq: "1"}
		b.apply(t, r, want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, scanned(r, "harbour"), want{engine.Conflict, engine.FactMismatch, "loaded", 2, 2})
	},
	"keys of different sources and case are different": func(t *testing.T, b *bench) {
		b.at(t, "a")
		for i, key := range []engine.Key{
			{Source: "principal:a", Seq: "x"}, {Source: "principal:b", Seq: "x"},
			{Source: "principal:a", Seq: "X"}, {Source: "principal:A", Seq: "x"},
		} {
			r := scanned(request("a", "scan"), "depot")
			r.Key = key
			b.apply(t, r, want{outcome: engine.Applied, version: int64(i + 2)})
		}
	},
	"a refusal binds no key": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, keyed("a", "deliver", "1"), want{engine.Early, "", "posted", 1, -1})
		b.apply(t, keyed("a", "load", "1"), want{engine.Applied, "", "loaded", 2, 2})
	},
	"an already that wrote nothing binds no key": func(t *testing.T, b *bench) {
		b.at(t, "a", "load")
		b.apply(t, keyed("a", "load", "1"), want{engine.Already, engine.SameState, "loaded", 2, 2})
		b.apply(t, keyed("a", "deliver", "1"), want{engine.Applied, "", "delivered", 3, 3})
	},
	"a call without a key shows none": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		if !r.Proof.Key.IsZero() || !b.history(t, "a")[1].Key.IsZero() {
			t.Errorf("key %+v", r.Proof.Key)
		}
	},
	"creation with one key makes one subject": func(t *testing.T, b *bench) {
		r, err := post(b, t, "a", "1", 500)
		expect(t, r, err, want{engine.Applied, "", "posted", 1, 1})
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		r, err = post(b, t, "b", "1", 500)
		expect(t, r, err, want{engine.Already, engine.Replayed, "loaded", 2, 1})
		if r.ID != "a" {
			t.Errorf("replayed %q, want a", r.ID)
		}
		r, err = post(b, t, "c", "1", 501)
		expect(t, r, err, want{outcome: engine.Conflict, detail: engine.KeyReused})
		if n := b.count(t, "parcels", "1 = 1"); n != 1 {
			t.Errorf("%d parcels", n)
		}
	},
	"creating the same subject again is already there": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r, err := post(b, t, "a", "", 500)
		expect(t, r, err, want{engine.Already, engine.SameState, "posted", 1, 1})
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		r, err = post(b, t, "a", "new", 500)
		expect(t, r, err, want{engine.Already, engine.Superseded, "loaded", 2, 1})
	},
	"64 twins of one request make one transition": func(t *testing.T, b *bench) {
		b.at(t, "a")
		outcomes := twins(t, 64, func(int) (engine.Result, error) {
			return b.app.Apply(t.Context(), scanned(keyed("a", "scan", "1"), "depot"))
		})
		if outcomes["applied/"] != 1 || outcomes["already/replayed"] != 63 {
			t.Errorf("outcomes %v", outcomes)
		}
	},
	"64 twins of one creation make one subject": func(t *testing.T, b *bench) {
		outcomes := twins(t, 64, func(i int) (engine.Result, error) { return post(b, t, fmt.Sprint("p", i), "1", 500) })
		if outcomes["applied/"] != 1 || outcomes["already/replayed"] != 63 {
			t.Errorf("outcomes %v", outcomes)
		}
		if n := b.count(t, "parcels", "1 = 1"); n != 1 {
			t.Errorf("%d parcels", n)
		}
	},
	"64 callers without a key agree on one transition": func(t *testing.T, b *bench) {
		b.at(t, "a")
		outcomes := twins(t, 64, func(int) (engine.Result, error) { return b.app.Apply(t.Context(), request("a", "load")) })
		if outcomes["applied/"] != 1 || outcomes["already/same_state"] != 63 {
			t.Errorf("outcomes %v", outcomes)
		}
	},
	"cancel against ship: one wins, the other is told": func(t *testing.T, b *bench) {
		for i := range 10 {
			id := fmt.Sprint("race", i)
			b.at(t, id, "load")
			events := []engine.Event{"deliver", "lose"}
			outcomes := twins(t, 16, func(i int) (engine.Result, error) {
				return b.app.Apply(t.Context(), request(id, events[i%2]))
			})
			if outcomes["applied/"] != 1 || outcomes["already/same_state"] != 7 || outcomes["stale/passed"] != 8 {
				t.Errorf("outcomes %v", outcomes)
			}
		}
	},
}

// twins runs n calls at once and counts their outcomes.
func twins(t *testing.T, n int, ask func(i int) (engine.Result, error)) map[string]int {
	t.Helper()
	var mu sync.Mutex
	outcomes := map[string]int{}
	var callers sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		callers.Go(func() {
			<-start
			r, err := ask(i)
			mu.Lock()
			defer mu.Unlock()
			outcomes[fmt.Sprintf("%s/%s", r.Outcome, r.Detail)]++
			if r.Outcome == "" {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	close(start)
	callers.Wait()
	return outcomes
}
