package conformance

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// orderTests is the order in which requests for one subject are decided: that in which they came,
// whatever happens to one of them.
var orderTests = map[string]func(*testing.T, *bench){
	"what comes after a request with SQL of its own waits for it": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.applyAll(t, []engine.Request{
			request("a", "load"), scanned(keyed("a", "scan", "1"), "depot"), request("a", "deliver"), request("a", "archive"),
		}, []want{
			{engine.Applied, "", "loaded", 2, 2}, {engine.Applied, "", "loaded", 3, 3},
			{engine.Applied, "", "delivered", 4, 4}, {engine.Applied, "", "archived", 5, 5},
		})
	},
	"a refusal behind a waiting request is not decided before it": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.applyAll(t, []engine.Request{
			request("a", "load"), scanned(keyed("a", "scan", "1"), "depot"), request("a", "archive"), request("a", "bounce"),
			keyed("a", "bounce", "2"), request("a", "archive"),
		}, []want{
			{engine.Applied, "", "loaded", 2, 2}, {engine.Applied, "", "loaded", 3, 3}, {engine.Early, "", "loaded", 3, -1},
			{engine.Illegal, engine.IdentityRequired, "returned", 4, -1}, // asks for a key before the subject is looked at
			{engine.Applied, "", "returned", 4, 4}, {engine.Early, "", "returned", 4, -1},
		})
	},
	"what comes after a refused or failed request is decided after it": func(t *testing.T, b *bench) {
		for _, place := range []string{"void", "fault", "boom", "swallow"} {
			a, c := place+"a", place+"c"
			b.at(t, a)
			b.at(t, c)
			results := b.app.ApplyAll(t.Context(), []engine.Request{
				scanned(keyed(a, "scan", a), place), request(a, "load"), request(c, "load"), request(a, "deliver"),
			})
			if place == "void" { // refused where it was when its turn came
				expect(t, results[0], results[0].Err(), want{engine.Illegal, engine.GuardRefused, "posted", 1, -1})
			} else if results[0].Outcome != "" || results[0].Err() == nil {
				t.Errorf("%s: got %s", place, results[0].Outcome)
			}
			expect(t, results[1], results[1].Err(), want{engine.Applied, "", "loaded", 2, 2})
			expect(t, results[2], results[2].Err(), want{engine.Applied, "", "loaded", 2, 2})
			expect(t, results[3], results[3].Err(), want{engine.Applied, "", "delivered", 3, 3})
		}
	},
	"what comes after a failed request on several subjects keeps each subject's order": func(t *testing.T, b *bench) {
		var rs []engine.Request
		var wants []want
		for i := range 6 {
			id := fmt.Sprint("p", i)
			b.at(t, id)
			rs = append(rs, scanned(keyed(id, "scan", id), []string{"depot", "void"}[i%2]), request(id, "load"),
				keyed(id, "bounce", id+"b"))
			if i%2 == 0 {
				wants = append(wants, want{engine.Applied, "", "loaded", 2, 2}, want{engine.Stale, engine.ReachedOtherwise, "loaded", 2, 2})
			} else {
				wants = append(wants, want{engine.Illegal, engine.GuardRefused, "posted", 1, -1}, want{engine.Applied, "", "loaded", 2, 2})
			}
			wants = append(wants, want{engine.Applied, "", "returned", 3, 3})
		}
		b.applyAll(t, rs, wants)
	},
	"a key belongs to the request that came first, also when that one waits": func(t *testing.T, b *bench) {
		if b.setup.Front != nil {
			t.Skip("a batcher may give the subjects to different lanes, where nobody comes first")
		}
		b.at(t, "a")
		b.at(t, "b")
		b.applyAll(t, []engine.Request{
			request("a", "load"), scanned(keyed("a", "scan", "1"), "depot"), scanned(keyed("b", "scan", "1"), "depot"),
		}, []want{
			{engine.Applied, "", "loaded", 2, 2}, {engine.Applied, "", "loaded", 3, 3},
			{engine.Conflict, engine.KeyReused, "posted", 1, 3},
		})
	},
}

// settleTests is what an answer says whose COMMIT got none itself.
var settleTests = map[string]func(*testing.T, *bench){
	"a settled answer equals the clear one in every field": func(t *testing.T, b *bench) {
		ask := func(b *bench, faults func(int, enginetest.CallKind, string) enginetest.Fault) string {
			b.at(t, "a")
			b.at(t, "c", "lose")
			b.faults.Decide(faults)
			row := parcel{ID: "new", Note: "fragile"}
			made, err := engine.Create(t.Context(), b.app, &row, engine.Request{
				Machine: "parcel", Input: newParcel{Weight: 7}, Key: engine.Key{Source: "principal:tester", Seq: "new"}, Actor: "tester",
			})
			text := said(made) + fmt.Sprintf(" %v %+v\n", err, row)
			b.faults.Decide(faults)
			for _, r := range b.app.ApplyAll(t.Context(), []engine.Request{
				keyed("a", "load", "1"), keyed("a", "bounce", "2"), keyed("a", "load", "1"), request("c", "load"), keyed("a", "lose", "2"),
				request("a", "deliver"), keyed("a", "retry", "3"), scanned(keyed("a", "scan", "4"), "depot"), request("a", "deliver"),
			}) {
				text += said(r) + fmt.Sprintf(" %v\n", r.Err())
			}
			b.faults.Decide(nil)
			return text
		}
		clear := ask(b, nil)
		if b.setup.Front != nil {
			return // which requests share a transaction there is chance
		}
		for _, f := range []enginetest.Fault{enginetest.LostAfter, enginetest.LostBefore, enginetest.Timeout} {
			for nth := range 3 {
				lost := new(atomic.Int64)
				other := b.setup.bench(t)
				got := ask(other, func(_ int, k enginetest.CallKind, _ string) enginetest.Fault {
					if commits(k) && lost.Add(1) == int64(nth+1) {
						return f
					}
					return enginetest.NoFault
				})
				if got != clear {
					t.Errorf("%s at commit %d: got\n%swant\n%s", f, nth+1, got, clear)
				}
			}
		}
	},
	"what waits behind a COMMIT in doubt was not done, and its twin is in doubt as well": func(t *testing.T, b *bench) {
		if b.setup.Front != nil {
			t.Skip("the engine under this front settles in its own time")
		}
		b.at(t, "a")
		e := b.shortSettling(t)
		var gone atomic.Bool
		b.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			switch {
			case gone.Load():
				return enginetest.LostBefore
			case commits(kind):
				gone.Store(true)
				return enginetest.LostAfter
			}
			return enginetest.NoFault
		})
		results := e.ApplyAll(t.Context(), []engine.Request{
			keyed("a", "load", "1"), keyed("a", "load", "1"), scanned(keyed("a", "scan", "2"), "depot"), request("a", "deliver"),
		})
		b.faults.Decide(nil)
		for i, w := range []engine.Outcome{engine.Unknown, engine.Unknown, engine.Unavailable, engine.Unavailable} {
			expect(t, results[i], results[i].Err(), want{outcome: w})
			if results[i].RetryAfter <= 0 {
				t.Errorf("item %d has no RetryAfter", i)
			}
		}
		b.apply(t, keyed("a", "load", "1"), want{engine.Already, engine.Replayed, "loaded", 2, 2})
		b.apply(t, scanned(keyed("a", "scan", "2"), "depot"), want{engine.Applied, "", "loaded", 3, 3})
	},
	"an outage is nobody's fault: a whole batch costs the calls of one request": func(t *testing.T, b *bench) {
		var rs []engine.Request
		for i := range 64 {
			id := fmt.Sprintf("m%03d", i)
			b.at(t, id)
			rs = append(rs, request(id, "load"))
		}
		calls := new(atomic.Int64)
		b.faults.Decide(func(int, enginetest.CallKind, string) enginetest.Fault {
			calls.Add(1)
			return enginetest.LostBefore
		})
		results := b.app.ApplyAll(t.Context(), rs)
		b.faults.Decide(nil)
		for _, r := range results {
			expect(t, r, r.Err(), want{outcome: engine.Unavailable})
		}
		const each = 9 // tries, and asking whether the database is there
		if lanes := int64(2); b.setup.Front == nil && calls.Load() > each || calls.Load() > each*lanes*8 {
			t.Errorf("%d calls", calls.Load())
		}
		b.app.ApplyAll(t.Context(), rs)
		if n := b.count(t, "parcels", "status = 'loaded'"); n != 64 {
			t.Errorf("%d were loaded once the database was back", n)
		}
	},
}

// said is everything that an answer says.
func said(r engine.Result) string {
	text := fmt.Sprintf("%s %s %s %s %s %s %d %v %v %v", r.Outcome, r.Detail, r.Machine, r.ID, r.Event, r.State,
		r.Version, r.Refused,
		r.PossibleFrom, r.RetryAfter)
	if p := r.Proof; p != nil {
		text += fmt.Sprintf(" %s %s %d %s %s %s %v %x %s %s %s %d %s %s", p.Machine, p.Subject, p.Version, p.Event, p.From, p.To, p.Key,
			p.Fingerprint, p.Actor, p.Reason, p.Input, p.Messages, p.MachineVersion, p.At)
	}
	return strings.TrimSpace(text)
}

// sameTests is that "already" means the same thing, not only the same event.
var sameTests = map[string]func(*testing.T, *bench){
	"a creation of what exists is already done only with the same content": func(t *testing.T, b *bench) {
		b.post(t, "a", 500)
		for _, seq := range []string{"", "another"} {
			r, err := post(b, t, "a", seq, 500)
			expect(t, r, err, want{engine.Already, engine.SameState, "posted", 1, 1})
			r, err = post(b, t, "a", seq, 501)
			expect(t, r, err, want{engine.Conflict, engine.InputDiffers, "posted", 1, 1})
			r, err = post(b, t, "a", seq, 0) // says nothing, so it contradicts nothing
			expect(t, r, err, want{engine.Already, engine.SameState, "posted", 1, 1})
		}
		b.apply(t, request("a", "load"), want{engine.Applied, "", "loaded", 2, 2})
		r, err := post(b, t, "a", "", 501)
		expect(t, r, err, want{engine.Conflict, engine.InputDiffers, "loaded", 2, 1})
		r, err = post(b, t, "a", "", 500)
		expect(t, r, err, want{engine.Already, engine.Superseded, "loaded", 2, 1})
		if p := b.load(t, "a"); p.Weight != 500 {
			t.Errorf("the weight is %d", p.Weight)
		}
	},
	"a request that comes too late says from where it would be possible again": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "bounce")
		r := b.apply(t, keyed("a", "bounce", "2"), want{engine.Stale, engine.Passed, "returned", 3, 3})
		if fmt.Sprint(r.PossibleFrom) != "[loaded]" {
			t.Errorf("possible from %v", r.PossibleFrom)
		}
		b.apply(t, request("a", "lose"), want{engine.Applied, "", "lost", 4, 4})
		for _, ev := range []engine.Event{"bounce", "deliver", "load"} {
			r = b.apply(t, keyed("a", ev, "3"+string(ev)), map[engine.Event]want{
				"bounce": {engine.Stale, engine.Passed, "lost", 4, 3}, "deliver": {engine.Stale, engine.Passed, "lost", 4, 4},
				"load": {engine.Already, engine.Superseded, "lost", 4, 2},
			}[ev])
			if r.Outcome == engine.Stale && (r.PossibleFrom == nil || len(r.PossibleFrom) != 0) {
				t.Errorf("%s: possible from %#v", ev, r.PossibleFrom)
			}
		}
	},
}
