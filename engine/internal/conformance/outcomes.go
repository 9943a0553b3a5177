package conformance

import (
	"errors"
	"strings"
	"testing"

	"example.com/orderd/engine"
)

// outcomeTests is one test per row of the outcome table, and the order in which they are decided.
var outcomeTests = map[string]func(*testing.T, *bench){
	"applied moves the row, its version and its history": func(t *testing.T, b *bench) {
		b.at(t, "a", "load")
		r := b.apply(t, request("a", "deliver"), want{outcome: engine.Applied, state: "delivered", version: 3, proof: 3})
		if p := b.load(t, "a"); p.Status != "delivered" || p.Version != 3 || p.Note != "delivered" {
			t.Errorf("row is %+v", p)
		}
		if r.Proof.From != "loaded" || r.Proof.To != "delivered" || r.Proof.Actor != "tester" || r.Proof.At != b.clock.Now() {
			t.Errorf("transition is %+v", r.Proof)
		}
		if h := b.history(t, "a"); len(h) != 3 || h[0].From != "" || h[0].Event != "post" || h[2].Event != "deliver" {
			t.Errorf("history is %+v", h)
		}
	},
	"already/same_state needs no key": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "deliver")
		b.apply(t, request("a", "deliver"), want{engine.Already, engine.SameState, "delivered", 3, 3})
	},
	"already/same_state after a self-loop": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "deliver", "complain")
		b.apply(t, request("a", "deliver"), want{engine.Already, engine.SameState, "delivered", 4, 3})
	},
	"already/superseded when the subject has moved on": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "deliver", "archive")
		b.apply(t, request("a", "deliver"), want{engine.Already, engine.Superseded, "archived", 4, 3})
	},
	"already/same_state where the event counts another's way": func(t *testing.T, b *bench) {
		b.at(t, "a", "expire")
		b.apply(t, request("a", "archive"), want{engine.Already, engine.SameState, "archived", 2, 2})
	},
	"stale/reached_otherwise where it does not": func(t *testing.T, b *bench) {
		b.at(t, "a", "scan")
		b.apply(t, request("a", "load"), want{engine.Stale, engine.ReachedOtherwise, "loaded", 2, 2})
	},
	"stale/passed names the transition that closed the way": func(t *testing.T, b *bench) {
		b.at(t, "a", "lose")
		b.apply(t, request("a", "deliver"), want{engine.Stale, engine.Passed, "lost", 2, 2})
	},
	"stale/passed for a repeatable event under a new key": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "deliver")
		b.apply(t, scanned(keyed("a", "scan", "1"), "depot"), want{engine.Stale, engine.Passed, "delivered", 3, 3})
	},
	"stale/version when the pinned version has gone": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "bounce")
		r := request("a", "lose")
		r.IfVersion = 2
		b.apply(t, r, want{engine.Stale, engine.VersionMoved, "returned", 3, 3})
		r.IfVersion = 9
		b.apply(t, r, want{engine.Stale, engine.VersionMoved, "returned", 3, -1})
		r.IfVersion, r.IfState = 0, "loaded"
		b.apply(t, r, want{engine.Stale, engine.VersionMoved, "returned", 3, -1})
		r.IfState = "returned"
		b.apply(t, r, want{engine.Applied, "", "lost", 4, 4})
	},
	"already/replayed when the pin was passed by this caller's own request": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := scanned(request("a", "scan"), "depot")
		r.IfVersion = 1
		b.apply(t, r, want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, r, want{engine.Already, engine.Replayed, "loaded", 2, 2})
		other := r
		other.Actor = "somebody else"
		b.apply(t, other, want{engine.Stale, engine.VersionMoved, "loaded", 2, 2})
		different := scanned(r, "harbour")
		b.apply(t, different, want{engine.Stale, engine.VersionMoved, "loaded", 2, 2})
	},
	"a pin passed by this caller's own request is replayed unless two keys say that it was another": func(t *testing.T, b *bench) {
		pinned := func(r engine.Request) engine.Request {
			r = scanned(r, "depot")
			r.IfVersion = 1
			return r
		}
		b.at(t, "a")
		b.apply(t, pinned(keyed("a", "scan", "1")), want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, pinned(request("a", "scan")), want{engine.Already, engine.Replayed, "loaded", 2, 2})
		b.apply(t, pinned(keyed("a", "scan", "2")), want{engine.Stale, engine.VersionMoved, "loaded", 2, 2})
		b.at(t, "b")
		b.apply(t, pinned(request("b", "scan")), want{engine.Applied, "", "loaded", 2, 2})
		b.apply(t, pinned(keyed("b", "scan", "3")), want{engine.Already, engine.Replayed, "loaded", 2, 2})
	},
	"early says when to ask again": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := b.apply(t, request("a", "deliver"), want{engine.Early, "", "posted", 1, -1})
		if r.RetryAfter <= 0 {
			t.Error("no RetryAfter")
		}
		b.apply(t, scanned(keyed("a", "complain", "1"), "desk"), want{engine.Early, "", "posted", 1, -1})
	},
	"illegal/unknown_event": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("a", "explode"), want{engine.Illegal, engine.UnknownEvent, "posted", 1, -1})
		b.apply(t, request("nobody", "explode"), want{outcome: engine.NotFound})
	},
	"illegal/guard names every guard that refuses": func(t *testing.T, b *bench) {
		b.post(t, "a", 6000)
		b.apply(t, request("a", "load"), want{engine.Applied, "", "loaded", 2, 2})
		r := b.apply(t, request("a", "deliver"), want{engine.Illegal, engine.GuardRefused, "loaded", 2, -1})
		if len(r.Refused) != 2 || r.Refused[0].Guard != "light enough" || !strings.Contains(r.Refused[0].Reason, "6000 g") {
			t.Errorf("refused: %+v", r.Refused)
		}
	},
	"illegal/guard when an action refuses leaves nothing behind": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := b.apply(t, scanned(keyed("a", "scan", "1"), "void"), want{engine.Illegal, engine.GuardRefused, "posted", 1, -1})
		if len(r.Refused) != 1 || r.Refused[0] != (engine.Refused{Guard: "book", Reason: "void has no books"}) {
			t.Errorf("refused: %+v", r.Refused)
		}
		if p := b.load(t, "a"); p.Version != 1 || p.Scans != 0 {
			t.Errorf("row is %+v", p)
		}
		b.apply(t, scanned(keyed("a", "scan", "1"), "depot"), want{engine.Applied, "", "loaded", 2, 2})
	},
	"illegal/identity_required for repeatable and factual events": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "deliver")
		b.apply(t, scanned(request("a", "complain"), "desk"), want{engine.Illegal, engine.IdentityRequired, "delivered", 3, -1})
		b.apply(t, scanned(request("a", "scan"), "desk"), want{engine.Illegal, engine.IdentityRequired, "delivered", 3, -1})
	},
	"not_found": func(t *testing.T, b *bench) {
		b.apply(t, request("nobody", "load"), want{engine.NotFound, "", "", 0, -1})
		b.apply(t, keyed("nobody", "load", "1"), want{engine.NotFound, "", "", 0, -1})
	},
	"a fault of user code is an error and no outcome": func(t *testing.T, b *bench) {
		b.at(t, "a")
		for _, place := range []string{"fault", "boom", "swallow"} {
			r, err := b.app.Apply(t.Context(), scanned(keyed("a", "scan", place), place))
			expect(t, r, err, want{})
			if err == nil || r.Err() == nil {
				t.Errorf("%s: no error", place)
			}
			var panicked *engine.PanicError
			if errors.As(err, &panicked) != (place == "boom") {
				t.Errorf("%s: got %v", place, err)
			}
		}
		if p := b.load(t, "a"); p.Version != 1 {
			t.Errorf("row is %+v", p)
		}
	},
	"a malformed request is a bad request": func(t *testing.T, b *bench) {
		b.at(t, "a")
		for name, change := range map[string]func(*engine.Request){
			"unknown machine": func(r *engine.Request) { r.Machine = "ship" },
			"no id":           func(r *engine.Request) { r.ID = "" },
			"long id":         func(r *engine.Request) { r.ID = strings.Repeat("x", 129) },
			"half a key":      func(r *engine.Request) { r.Key.Source = "x" },
			"long seq":        func(r *engine.Request) { r.Key = engine.Key{Source: "x", Seq: strings.Repeat("x", 256)} },
			"control in seq":  func(r *engine.Request) { r.Key = engine.Key{Source: "x", Seq: "a\nb"} },
			"reserved source": func(r *engine.Request) { r.Key = engine.Key{Source: "call", Seq: "1"} },
			"long reason":     func(r *engine.Request) { r.Reason = strings.Repeat("x", 1001) },
			"bad actor":       func(r *engine.Request) { r.Actor = "\xff" },
			"escape":          func(r *engine.Request) { r.Reason = "a\x1b[31mb" },
			"nul in actor":    func(r *engine.Request) { r.Actor = "a\x00" },
			"huge input":      func(r *engine.Request) { r.Event, r.Input = "scan", scan{Place: strings.Repeat("x", 600<<10)} },
			"negative pin":    func(r *engine.Request) { r.IfVersion = -1 },
			"unasked input":   func(r *engine.Request) { r.Input = scan{Place: "x"} },
			"wrong input":     func(r *engine.Request) { r.Event, r.Input = "scan", newParcel{} },
			"malformed input": func(r *engine.Request) { r.Event, r.Input = "scan", []byte(`{"place":`) },
			"unknown field":   func(r *engine.Request) { r.Event, r.Input = "scan", []byte(`{"place":"x","y":1}`) },
			"duplicate field": func(r *engine.Request) { r.Event, r.Input = "scan", []byte(`{"place":"x","place":"y"}`) },
			"invalid input":   func(r *engine.Request) { r.Event, r.Input = "scan", scan{} },
		} {
			r := request("a", "load")
			change(&r)
			result, err := b.app.Apply(t.Context(), r)
			var request *engine.RequestError
			if !errors.Is(err, engine.ErrBadRequest) || !errors.As(err, &request) || result.Outcome != "" {
				t.Errorf("%s: got %v %v", name, result.Outcome, err)
			}
		}
		if p := b.load(t, "a"); p.Version != 1 {
			t.Errorf("row is %+v", p)
		}
		r := request("a", "load")
		r.Reason = strings.Repeat("因", 1000) // limits are characters, and lines are text
		r.Actor = strings.Repeat("é", 189) + "\t"
		b.apply(t, r, want{engine.Applied, "", "loaded", 2, 2})
	},
}
