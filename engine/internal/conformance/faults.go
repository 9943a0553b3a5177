package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// callsMax bounds the search for the last call of a request.
const callsMax = 200

// faultTests is what holds when the database fails.
var faultTests = map[string]func(*testing.T, *bench){
	"the n-th call fails, for every n and fault: one transition or none, and the answer is true": func(t *testing.T, b *bench) {
		for _, f := range enginetest.Faults() {
			everyCall(t, b, f, 1)
		}
	},
	"the n-th call of a batch fails, for every n and fault": func(t *testing.T, b *bench) {
		for _, f := range enginetest.Faults() {
			everyCall(t, b, f, 3)
		}
	},
	"a commit whose answer is lost was applied, once": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.faults.Decide(once(commits, enginetest.LostAfter))
		b.apply(t, request("a", "load"), want{engine.Applied, "", "loaded", 2, 2})
		b.faults.Decide(once(commits, enginetest.LostAfter))
		b.apply(t, keyed("a", "deliver", "1"), want{engine.Applied, "", "delivered", 3, 3})
		b.apply(t, keyed("a", "deliver", "1"), want{engine.Already, engine.Replayed, "delivered", 3, 3})
	},
	"a creation whose commit lost its answer made one subject": func(t *testing.T, b *bench) {
		for i, f := range []enginetest.Fault{enginetest.LostAfter, enginetest.LostBefore, enginetest.Timeout} {
			b.faults.Decide(once(commits, f))
			r, err := post(b, t, fmt.Sprint("p", i), fmt.Sprint(i), 500)
			expect(t, r, err, want{engine.Applied, "", "posted", 1, 1})
		}
		if n := b.count(t, "parcels", "1 = 1"); n != 3 {
			t.Errorf("%d parcels", n)
		}
	},
	"a commit that stays in doubt is unknown, and its key settles it": func(t *testing.T, b *bench) {
		if b.setup.Front != nil {
			t.Skip("the engine under this front settles in its own time")
		}
		b.at(t, "a")
		e := b.shortSettling(t)
		committed := false
		b.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			switch {
			case commits(kind) && !committed:
				committed = true
				return enginetest.LostAfter
			case committed:
				return enginetest.LostBefore // the database is gone
			}
			return enginetest.NoFault
		})
		r, err := e.Apply(t.Context(), keyed("a", "load", "1"))
		b.faults.Decide(nil)
		expect(t, r, err, want{outcome: engine.Unknown})
		if r.RetryAfter <= 0 {
			t.Error("no RetryAfter")
		}
		b.apply(t, keyed("a", "load", "1"), want{engine.Already, engine.Replayed, "loaded", 2, 2})
	},
	"a database that is away is unavailable and nothing was done": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.faults.Decide(func(int, enginetest.CallKind, string) enginetest.Fault { return enginetest.LostBefore })
		r, err := b.app.Apply(t.Context(), request("a", "load"))
		b.faults.Decide(nil)
		expect(t, r, err, want{outcome: engine.Unavailable})
		if r.RetryAfter <= 0 {
			t.Error("no RetryAfter")
		}
		b.apply(t, request("a", "load"), want{engine.Applied, "", "loaded", 2, 2})
	},
	"deadlocks without end are a lost race": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.faults.Decide(func(_ int, kind enginetest.CallKind, q string) enginetest.Fault {
			if kind == enginetest.CallExec || kind == enginetest.CallPacket {
				return enginetest.Deadlock
			}
			return enginetest.NoFault
		})
		r, err := b.app.Apply(t.Context(), request("a", "load"))
		b.faults.Decide(nil)
		expect(t, r, err, want{engine.Conflict, engine.LostRace, "posted", 1, -1})
	},
	"a twin that commits between the key read and the subject read is replayed": func(t *testing.T, b *bench) {
		b.at(t, "a")
		queries := 0
		b.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			switch {
			case kind == enginetest.CallQuery:
				if queries++; queries == 2 { // subject has been read, key has not
					twin(t, b, scanned(keyed("a", "scan", "twin"), "depot"))
				}
			case begins(kind) && queries == 1: // both were read in one packet
				queries++
				twin(t, b, scanned(keyed("a", "scan", "twin"), "depot"))
			}
			return enginetest.NoFault
		})
		b.apply(t, scanned(keyed("a", "scan", "twin"), "depot"), want{engine.Already, engine.Replayed, "loaded", 2, 2})
	},
	"a twin that commits after both reads is replayed": func(t *testing.T, b *bench) {
		b.at(t, "a")
		begun := false
		b.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if begins(kind) && !begun {
				begun = true
				twin(t, b, keyed("a", "load", "twin"))
			}
			return enginetest.NoFault
		})
		b.apply(t, keyed("a", "load", "twin"), want{engine.Already, engine.Replayed, "loaded", 2, 2})
	},
	"a caller who has gone before the write changes nothing": func(t *testing.T, b *bench) {
		b.at(t, "a")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r, err := b.app.Apply(ctx, request("a", "load"))
		if !errors.Is(err, context.Canceled) || r.Outcome != "" {
			t.Errorf("got %v %v", r.Outcome, err)
		}
		if p := b.load(t, "a"); p.Version != 1 {
			t.Errorf("row is %+v", p)
		}
	},
}

// twin lets a second engine answer the same request first.
func twin(t *testing.T, b *bench, r engine.Request) {
	other, err := engine.New(b.db, engine.Config{Now: b.clock.Now}, parcelMachine(t))
	if err != nil {
		t.Error(err)
		return
	}
	if got, err := b.answers.Through(other).Apply(context.Background(), r); err != nil || got.Outcome != engine.Applied {
		t.Errorf("twin: %v %v", got.Outcome, err)
	}
}

func begins(kind enginetest.CallKind) bool {
	return kind == enginetest.CallBegin || kind == enginetest.CallPacket
}

func commits(kind enginetest.CallKind) bool {
	return kind == enginetest.CallCommit || kind == enginetest.CallPacket
}

// once is a fault of the first call of a kind.
func once(is func(enginetest.CallKind) bool, f enginetest.Fault) func(int, enginetest.CallKind, string) enginetest.Fault {
	var done atomic.Bool
	return func(_ int, k enginetest.CallKind, _ string) enginetest.Fault {
		if is(k) && done.CompareAndSwap(false, true) {
			return f
		}
		return enginetest.NoFault
	}
}

// everyCall makes the n-th call of a request fail, for every n until a request gets by without
// meeting the fault. Whatever the answer, the database must agree with it.
func everyCall(t *testing.T, b *bench, f enginetest.Fault, batch int) {
	t.Helper()
	for n := 1; n < callsMax; n++ {
		var rs []engine.Request
		for i := range batch {
			id := fmt.Sprintf("%d-%d-%d-%d", f, batch, n, i)
			b.at(t, id)
			rs = append(rs, scanned(keyed(id, "scan", id), "depot"))
		}
		hit := atomic.Bool{}
		b.faults.Decide(func(call int, _ enginetest.CallKind, _ string) enginetest.Fault {
			if call == n {
				hit.Store(true)
				return f
			}
			return enginetest.NoFault
		})
		results := b.app.ApplyAll(t.Context(), rs)
		b.faults.Decide(nil)
		for i, r := range results {
			agree(t, b, rs[i], r, fmt.Sprintf("call %d %s", n, f))
			b.apply(t, rs[i], want{engine.Already, engine.Replayed, "loaded", 2, 2})
		}
		if !hit.Load() {
			return
		}
	}
	t.Errorf("%s: more than %d calls", f, callsMax)
}

// agree checks that all tables are as before or as after, and as the answer says. A single fault is
// never a reason to answer anything but applied.
func agree(t *testing.T, b *bench, r engine.Request, got engine.Result, where string) {
	t.Helper()
	if got.Outcome != engine.Applied {
		t.Errorf("%s: got %s/%s (%v)", where, got.Outcome, got.Detail, got.Err())
	}
	p := b.load(t, r.ID)
	rows := []int64{
		p.Version - 1, p.Scans,
		b.count(t, "engine_transitions", "subject = ? AND version = 2", r.ID),
		b.count(t, "engine_messages", "subject = ? AND version = 2", r.ID),
		b.count(t, "parcel_scans", "parcel = ?", r.ID),
	}
	for _, n := range rows {
		if n != 1 {
			t.Errorf("%s: version, scans, history, messages, booked scans: %v", where, rows)
			return
		}
	}
}

// shortSettling is an engine on the failing database that gives up on an unknown commit at once.
func (b *bench) shortSettling(t *testing.T) engine.Applier {
	t.Helper()
	e, err := engine.New(b.shaken, engine.Config{Now: b.clock.Now, Settle: 50 * time.Millisecond}, parcelMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	return b.answers.Through(e)
}
