package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// txTests is what ApplyTx promises.
var txTests = map[string]func(*testing.T, *bench){
	"a handle in no transaction is refused": func(t *testing.T, b *bench) {
		b.at(t, "a")
		if _, err := b.eng.ApplyTx(t.Context(), b.db, request("a", "load")); !errors.Is(err, engine.ErrBadRequest) {
			t.Errorf("got %v", err)
		}
	},
	"a transition shares the fate of the caller's transaction": func(t *testing.T, b *bench) {
		b.at(t, "a")
		undo := errors.New("undo")
		err := b.db.Transaction(func(tx *gorm.DB) error {
			r, err := b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			return undo
		})
		if !errors.Is(err, undo) || b.load(t, "a").Version != 1 {
			t.Errorf("got %v", err)
		}
		err = b.db.Transaction(func(tx *gorm.DB) error {
			r, err := b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			r, err = b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			expect(t, r, err, want{engine.Already, engine.Replayed, "loaded", 2, 2})
			return tx.Create(&parcelScan{Parcel: "a", Version: 2, Place: "own work"}).Error
		})
		if err != nil || b.load(t, "a").Version != 2 || b.count(t, "parcel_scans", "1 = 1") != 1 {
			t.Errorf("got %v", err)
		}
	},
	"a refusal leaves the caller's transaction usable": func(t *testing.T, b *bench) {
		b.at(t, "a")
		err := b.db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&parcelScan{Parcel: "x", Version: 1, Place: "before"}).Error; err != nil {
				return err
			}
			for _, place := range []string{"void", "nowhere"} {
				r, err := b.eng.ApplyTx(t.Context(), tx, scanned(keyed("a", "scan", "1"), place))
				expect(t, r, err, want{engine.Illegal, engine.GuardRefused, "posted", 1, -1})
			}
			r, err := b.eng.ApplyTx(t.Context(), tx, request("a", "load"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			return nil
		})
		if err != nil || b.count(t, "parcel_scans", "1 = 1") != 1 || b.load(t, "a").Version != 2 {
			t.Errorf("got %v", err)
		}
		if n := b.count(t, "engine_attempts", "subject = ?", "a"); n != 2 {
			t.Errorf("%d attempts", n)
		}
	},
	"attempts of a transaction that rolls back are gone with it": func(t *testing.T, b *bench) {
		b.at(t, "a")
		undo := errors.New("undo")
		_ = b.db.Transaction(func(tx *gorm.DB) error {
			r, err := b.eng.ApplyTx(t.Context(), tx, request("a", "deliver"))
			expect(t, r, err, want{outcome: engine.Early})
			return undo
		})
		if n := b.count(t, "engine_attempts", "1 = 1"); n != 0 {
			t.Errorf("%d attempts", n)
		}
	},
	"a creation in the caller's transaction": func(t *testing.T, b *bench) {
		err := b.db.Transaction(func(tx *gorm.DB) error {
			row := &parcel{ID: "a"}
			r, err := engine.CreateTx(t.Context(), b.eng, tx, row, engine.Request{Machine: "parcel", Input: newParcel{Weight: 7}})
			expect(t, r, err, want{engine.Applied, "", "posted", 1, 1})
			if row.Status != "posted" || row.Version != 1 || row.Weight != 7 {
				t.Errorf("row %+v", row)
			}
			r, err = b.eng.ApplyTx(t.Context(), tx, request("a", "load"))
			expect(t, r, err, want{engine.Applied, "", "loaded", 2, 2})
			return nil
		})
		if err != nil || b.load(t, "a").Version != 2 {
			t.Errorf("got %v", err)
		}
	},
	"a twin that committed after the caller's snapshot is replayed": func(t *testing.T, b *bench) {
		if b.db.Name() != "mysql" {
			t.Skip("SQLite lets nobody write beside a transaction")
		}
		b.at(t, "a")
		err := b.db.Transaction(func(tx *gorm.DB) error {
			var n int64
			if err := tx.Table("parcels").Count(&n).Error; err != nil { // takes the snapshot
				return err
			}
			b.apply(t, keyed("a", "load", "1"), want{outcome: engine.Applied})
			r, err := b.eng.ApplyTx(t.Context(), tx, keyed("a", "load", "1"))
			if r.Outcome == "" { // snapshot isolation has ended the transaction: the caller runs it again
				return err
			}
			expect(t, r, err, want{engine.Already, engine.Replayed, "loaded", 2, 2})
			return nil
		})
		if err != nil {
			t.Logf("the database ended the transaction: %v", err)
		}
	},
	"observers hear of it when the caller says so": func(t *testing.T, b *bench) {
		var heard []engine.Observation
		e, err := engine.New(b.db, engine.Config{Now: b.clock.Now, Observe: func(o engine.Observation) { heard = append(heard, o) }}, parcelMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		b.at(t, "a")
		var result engine.Result
		err = b.db.Transaction(func(tx *gorm.DB) (err error) {
			result, err = e.ApplyTx(t.Context(), tx, request("a", "load"))
			return err
		})
		if err != nil || len(heard) != 0 {
			t.Errorf("heard %v before the commit was told (%v)", heard, err)
		}
		e.Committed(result)
		if len(heard) != 1 || heard[0].Result.Outcome != engine.Applied {
			t.Errorf("heard %v", heard)
		}
	},
}

// effectTests is what messages and timers promise.
var effectTests = map[string]func(*testing.T, *bench){
	"each transition has exactly its messages": func(t *testing.T, b *bench) {
		b.at(t, "a", "load", "deliver")
		var kinds []string
		if err := b.db.Table("engine_messages").Where("subject = ?", "a").Order("version").Pluck("type", &kinds).Error; err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(kinds, []string{"parcel.posted", "parcel.loaded", "parcel.delivered"}) {
			t.Errorf("messages %v", kinds)
		}
	},
	"a timer is armed with the entry and stopped by name": func(t *testing.T, b *bench) {
		b.at(t, "a")
		type armed struct {
			Entered             int64
			Name, Event, Status string
			DueAt               time.Time
		}
		read := func() (all []armed) {
			if err := b.db.Table("engine_timers").Where("subject = ?", "a").Find(&all).Error; err != nil {
				t.Fatal(err)
			}
			return all
		}
		timers := read()
		if len(timers) != 1 || timers[0].Name != "expiry" || timers[0].Entered != 1 || timers[0].Status != "armed" ||
			!timers[0].DueAt.Equal(b.clock.Now().Truncate(time.Microsecond).Add(time.Hour)) {
			t.Errorf("timers %+v", timers)
		}
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		b.apply(t, request("a", "deliver"), want{outcome: engine.Applied})
		if timers = read(); timers[0].Status != "stopped" {
			t.Errorf("timers %+v", timers)
		}
	},
	"a refused transition has no effects": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, scanned(keyed("a", "scan", "1"), "void"), want{engine.Illegal, engine.GuardRefused, "posted", 1, -1})
		if n := b.count(t, "engine_messages", "subject = ?", "a"); n != 1 {
			t.Errorf("%d messages", n)
		}
	},
}

// journalTests is what the attempt journal promises.
var journalTests = map[string]func(*testing.T, *bench){
	"a refusal is durable before its answer, repeats are counted": func(t *testing.T, b *bench) {
		b.at(t, "a")
		r := keyed("a", "deliver", "1")
		r.Reason = "in a hurry"
		b.apply(t, r, want{outcome: engine.Early})
		if n := b.count(t, "engine_attempts", "subject = 'a' AND outcome = 'early' AND actor = 'tester' AND times = 1"); n != 1 {
			t.Fatalf("%d attempts after the first answer", n)
		}
		for range 4 {
			b.apply(t, r, want{outcome: engine.Early})
		}
		b.apply(t, request("a", "load"), want{outcome: engine.Applied})
		b.apply(t, request("a", "load"), want{engine.Already, engine.SameState, "loaded", 2, 2})
		b.apply(t, request("a", "load"), want{engine.Already, engine.SameState, "loaded", 2, 2})
		if err := b.eng.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := b.eng.Attempts(t.Context(), "parcel", "a", engine.AttemptQuery{})
		if err != nil || len(all) != 2 {
			t.Fatalf("attempts %+v, %v", all, err)
		}
		if a := all[0]; a.Times != 5 || a.Outcome != engine.Early || a.Key.Seq != "1" || a.Reason != "in a hurry" || a.State != "posted" || a.Version != 1 {
			t.Errorf("first attempt %+v", a)
		}
		if a := all[1]; a.Times != 2 || a.Outcome != engine.Already || !a.Key.IsZero() || a.ProofVersion != 2 {
			t.Errorf("second attempt %+v", a)
		}
	},
	"an unknown event of any length is journalled": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("a", engine.Event(strings.Repeat("x", 1000))), want{engine.Illegal, engine.UnknownEvent, "posted", 1, -1})
		if n := b.count(t, "engine_attempts", "subject = 'a' AND detail = 'unknown_event'"); n != 1 {
			t.Errorf("%d attempts", n)
		}
	},
	"the same question in another situation is another attempt": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("a", "deliver"), want{outcome: engine.Early})
		b.apply(t, request("a", "lose"), want{outcome: engine.Applied})
		b.apply(t, request("a", "deliver"), want{engine.Stale, engine.Passed, "lost", 2, 2})
		if n := b.count(t, "engine_attempts", "subject = 'a'"); n != 2 {
			t.Errorf("%d attempts", n)
		}
	},
	"an unknown subject and a dry run leave no attempt": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("nobody", "load"), want{outcome: engine.NotFound})
		r := request("a", "deliver")
		r.DryRun = true
		b.apply(t, r, want{outcome: engine.Early})
		if n := b.count(t, "engine_attempts", "1 = 1"); n != 0 {
			t.Errorf("%d attempts", n)
		}
	},
	"a journal that cannot be written does not change the answer": func(t *testing.T, b *bench) {
		b.at(t, "a")
		rename := func(from, to string) {
			if err := b.db.Exec("ALTER TABLE " + from + " RENAME TO " + to).Error; err != nil {
				t.Fatal(err)
			}
		}
		rename("engine_attempts", "hidden_attempts")
		b.apply(t, request("a", "deliver"), want{engine.Early, "", "posted", 1, -1})
		rename("hidden_attempts", "engine_attempts")
	},
	"attempts are kept for their retention": func(t *testing.T, b *bench) {
		b.at(t, "a")
		b.apply(t, request("a", "deliver"), want{outcome: engine.Early})
		b.clock.Advance(89 * 24 * time.Hour)
		if n, err := b.eng.TrimAttempts(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("trimmed %d, %v", n, err)
		}
		b.clock.Advance(2 * 24 * time.Hour)
		if n, err := b.eng.TrimAttempts(t.Context(), 10); n != 1 || err != nil {
			t.Errorf("trimmed %d, %v", n, err)
		}
	},
}

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
		if n, err := b.eng.Adopt(t.Context(), "parcel", 10); n != 1 || err == nil || !strings.Contains(err.Error(), `parcel a: the row is in state "vanished"`) {
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

// shortSettling is an engine on the failing database that gives up on an unknown commit at once.
func (b *bench) shortSettling(t *testing.T) engine.Applier {
	t.Helper()
	e, err := engine.New(b.shaken, engine.Config{Now: b.clock.Now, Settle: 50 * time.Millisecond}, parcelMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	return b.answers.Through(e)
}
