package conformance

import (
	"errors"
	"testing"
	"time"

	"example.com/orderd/engine"
)

// readTests is what looking without touching promises.
var readTests = map[string]func(*testing.T, *bench){
	"a dry run answers as the request would and writes nothing": func(t *testing.T, b *bench) {
		b.at(t, "a", "load")
		dry := func(r engine.Request) engine.Request { r.DryRun = true; return r }
		r := b.apply(t, dry(request("a", "deliver")), want{engine.Applied, "", "delivered", 3, -1})
		if !r.DryRun {
			t.Error("not marked")
		}
		b.apply(t, dry(request("a", "load")), want{engine.Already, engine.SameState, "loaded", 2, 2})
		b.apply(t, dry(request("a", "archive")), want{engine.Early, "", "loaded", 2, -1})
		b.apply(t, dry(scanned(keyed("a", "scan", "1"), "nowhere")), want{engine.Illegal, engine.GuardRefused, "loaded", 2, -1})
		if p := b.load(t, "a"); p.Version != 2 {
			t.Errorf("row is %+v", p)
		}
	},
	"allowed says what could happen and why not": func(t *testing.T, b *bench) {
		b.post(t, "a", 6000)
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		all, err := b.eng.Allowed(t.Context(), "parcel", "a")
		if err != nil {
			t.Fatal(err)
		}
		got := map[engine.Event]engine.Possibility{}
		for _, p := range all {
			got[p.Event] = p
		}
		if p := got["lose"]; !p.Allowed || p.To != "lost" {
			t.Errorf("lose: %+v", p)
		}
		if p := got["scan"]; !p.Allowed || !p.NeedsInput || !p.NeedsIdentity {
			t.Errorf("scan: %+v", p)
		}
		if p := got["deliver"]; p.Allowed || p.Outcome != engine.Illegal || len(p.Refused) != 2 {
			t.Errorf("deliver: %+v", p)
		}
		if p := got["archive"]; p.Allowed || p.Outcome != engine.Early {
			t.Errorf("archive: %+v", p)
		}
		if p := got["expire"]; p.Allowed || p.Outcome != engine.Stale || p.Proof == nil || p.Proof.Version != 2 {
			t.Errorf("expire: %+v", p)
		}
		if _, err := b.eng.Allowed(t.Context(), "parcel", "nobody"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	},
	"history is read in pages and as of a time": func(t *testing.T, b *bench) {
		b.at(t, "a")
		posted := b.clock.Now()
		b.clock.Advance(time.Minute)
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		b.clock.Advance(time.Minute)
		b.apply(t, request("a", "deliver"), want{outcome: engine.Applied})
		page, err := b.eng.History(t.Context(), "parcel", "a", engine.HistoryQuery{After: 1, Limit: 1})
		if err != nil || len(page) != 1 || page[0].Event != "load" {
			t.Errorf("page %+v, %v", page, err)
		}
		then, err := b.eng.At(t.Context(), "parcel", "a", posted.Add(90*time.Second))
		if err != nil || then.To != "loaded" {
			t.Errorf("then %+v, %v", then, err)
		}
		if _, err := b.eng.At(t.Context(), "parcel", "a", posted.Add(-time.Second)); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("before: %v", err)
		}
	},
	"a locked decision is the same decision": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := request("a", "load")
		r.ForUpdate = true
		b.apply(t, r, want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, r, want{engine.Already, engine.SameState, "loaded", 2, 2})
		nobody := request("nobody", "load")
		nobody.ForUpdate = true
		b.apply(t, nobody, want{outcome: engine.NotFound})
	},
}
