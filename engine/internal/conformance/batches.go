package conformance

import (
	"fmt"
	"maps"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// applyAll asks many at once and checks each answer.
func (b *bench) applyAll(t *testing.T, rs []engine.Request, wants []want) []engine.Result {
	t.Helper()
	results := b.app.ApplyAll(t.Context(), rs)
	if len(results) != len(rs) {
		t.Fatalf("%d results for %d requests", len(results), len(rs))
	}
	for i, r := range results {
		if expect(t, r, r.Err(), wants[i]); t.Failed() {
			t.Fatalf("item %d: %s %s", i, rs[i].ID, rs[i].Event)
		}
	}
	return results
}

// batchTests is what many requests in one call promise.
var batchTests = map[string]func(*testing.T, *bench){
	"each item has its own answer": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.at(t, "b", "load")
		b.at(t, "c", "lose")
		b.applyAll(t, []engine.Request{
			request("a", "load"), request("b", "deliver"), request("c", "deliver"), request("nobody", "load"),
			request("b", "load"), request("a", "deliver"),
		}, []want{
			{engine.Applied, "", "loaded", 2, 2}, {engine.Applied, "", "delivered", 3, 3}, {engine.Stale, engine.Passed, "lost", 2, 2},
			{outcome: engine.NotFound}, {engine.Already, engine.Superseded, "delivered", 3, 2}, {engine.Applied, "", "delivered", 3, 3},
		})
	},
	"requests for one subject are folded in their order": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.applyAll(t, []engine.Request{
			keyed("a", "load", "1"), keyed("a", "bounce", "2"), keyed("a", "retry", "3"), keyed("a", "bounce", "4"),
			keyed("a", "bounce", "2"), keyed("a", "retry", "3"), keyed("a", "lose", "2"), keyed("a", "lose", "5"), request("a", "lose"),
		}, []want{
			{engine.Applied, "", "loaded", 2, 2}, {engine.Applied, "", "returned", 3, 3}, {engine.Applied, "", "loaded", 4, 4},
			{engine.Applied, "", "returned", 5, 5}, {engine.Already, engine.Replayed, "returned", 5, 3},
			{engine.Already, engine.Replayed, "returned", 5, 4},
			{engine.Conflict, engine.KeyReused, "returned", 5, 3}, {engine.Applied, "", "lost", 6, 6},
			{engine.Already, engine.SameState, "lost", 6, 6},
		})
		if h := b.history(t, "a"); len(h) != 6 || h[3].Key.Seq != "3" || h[5].Key.Seq != "5" {
			t.Errorf("history %+v", h)
		}
		if n := b.count(t, "engine_messages", "subject = ?", "a"); n != 6 {
			t.Errorf("%d messages", n)
		}
	},
	"a subject is created and moved in one batch": func(t *testing.T, b *bench) {
		b.at(t, "z")
		if r := b.app.ApplyAll(t.Context(), nil); len(r) != 0 {
			t.Errorf("%d results for no requests", len(r))
		}
		b.applyAll(t, []engine.Request{request("z", "load"), request("z", "deliver"), request("z", "archive")},
			[]want{{engine.Applied, "", "loaded", 2, 2}, {engine.Applied, "", "delivered", 3, 3}, {engine.Applied, "", "archived", 4, 4}})
	},
	"requests with SQL of their own are not folded, and all happen": func(t *testing.T, b *bench) {
		b.at(t, "a")
		var rs []engine.Request
		var wants []want
		for i := range 5 {
			rs = append(rs, scanned(keyed("a", "scan", fmt.Sprint(i)), "depot"))
			wants = append(wants, want{engine.Applied, "", "loaded", int64(i + 2), int64(i + 2)})
		}
		b.applyAll(t, rs, wants)
		if p := b.load(t, "a"); p.Scans != 5 {
			t.Errorf("scans %d", p.Scans)
		}
		if n := b.count(t, "parcel_scans", "parcel = ?", "a"); n != 5 {
			t.Errorf("%d booked scans", n)
		}
	},
	"one bad item leaves its neighbours alone": func(t *testing.T, b *bench) {
		for _, bad := range []struct {
			place string
			want  want
		}{
			{"void", want{engine.Illegal, engine.GuardRefused, "posted", 1, -1}},
			{"nowhere", want{engine.Illegal, engine.GuardRefused, "posted", 1, -1}},
			{"fault", want{}}, {"boom", want{}}, {"swallow", want{}},
		} {
			var rs []engine.Request
			var wants []want
			for i := range 9 {
				id := fmt.Sprintf("%s%d", bad.place, i)
				b.at(t, id)
				place, w := "depot", want{engine.Applied, "", "loaded", 2, 2}
				if i == 4 {
					place, w = bad.place, bad.want
				}
				rs, wants = append(rs, scanned(keyed(id, "scan", id), place)), append(wants, w)
			}
			b.applyAll(t, rs, wants)
		}
	},
	"a hundred subjects move in a handful of statements": func(t *testing.T, b *bench) {
		var rs []engine.Request
		var wants []want
		for i := range 100 {
			id := fmt.Sprintf("m%03d", i)
			b.at(t, id)
			rs, wants = append(rs, keyed(id, "load", id)), append(wants, want{engine.Applied, "", "loaded", 2, 2})
		}
		if b.setup.Front != nil {
			b.applyAll(t, rs, wants)
			return
		}
		calls := map[enginetest.CallKind]int{}
		b.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			calls[kind]++
			return enginetest.NoFault
		})
		b.applyAll(t, rs, wants)
		b.faults.Decide(nil)
		packets := maps.Equal(calls, map[enginetest.CallKind]int{enginetest.CallQuery: 1, enginetest.CallPacket: 1})
		if !packets && (calls[enginetest.CallBegin] != 1 || calls[enginetest.CallCommit] != 1 ||
			calls[enginetest.CallExec] > 3 || calls[enginetest.CallQuery] > 2) {
			t.Errorf("calls %v", calls)
		}
	},
	"a lost race in a batch is decided afresh": func(t *testing.T, b *bench) {
		for i := range 4 {
			b.at(t, fmt.Sprint("p", i), "load")
		}
		raced := false
		b.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if begins(kind) && !raced {
				raced = true // after the rows were read, before they are written
				err := b.db.Transaction(func(tx *gorm.DB) error {
					tx.Exec(`UPDATE parcels SET status = 'lost', version = 3 WHERE id = 'p2'`)
					return tx.Exec(`INSERT INTO engine_transitions (machine, subject, version, event, from_status, to_status, source, seq,
						fingerprint, nonce, actor, reason, input, messages, machine_version, at, hash) SELECT machine, subject, 3, 'lose', 'loaded', 'lost', 'test', 'twin',
						fingerprint, 1, actor, reason, input, 0, machine_version, at, hash FROM engine_transitions WHERE subject = 'p2' AND version = 2`).Error
				})
				if err != nil {
					t.Error(err)
				}
			}
			return enginetest.NoFault
		})
		applied := want{outcome: engine.Applied, state: "delivered", version: 3}
		var rs []engine.Request
		for i := range 4 {
			r := request(fmt.Sprint("p", i), "deliver")
			r.Lane = "one" // they share a transaction behind a batcher as well
			rs = append(rs, r)
		}
		b.applyAll(t, rs, []want{applied, applied, {engine.Stale, engine.Passed, "lost", 3, 3}, applied})
		if !raced {
			t.Error("no race took place")
		}
	},
}
