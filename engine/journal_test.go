package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// fly is a request that is always refused, and differs from every other.
func fly(id, source string, n int) engine.Request {
	key := engine.Key{Source: source, Seq: fmt.Sprint(n)}
	return engine.Request{Machine: "gate", ID: id, Event: "fly", Actor: "tester", Key: key}
}

func flood(t *testing.T, e *engine.Engine, n int, request func(i int) engine.Request) {
	t.Helper()
	for i := 0; i < n; {
		var rs []engine.Request
		for ; i < n && len(rs) < 500; i++ {
			rs = append(rs, request(i))
		}
		for _, r := range e.ApplyAll(t.Context(), rs) {
			if r.Outcome != engine.Illegal {
				t.Fatalf("%+v", r)
			}
		}
	}
}

type journalled struct{ Rows, Times, Rest, Longest int }

func journalOf(t *testing.T, db *gorm.DB, where string, args ...any) (j journalled) {
	t.Helper()
	err := db.Table("engine_attempts").Where(where, args...).Select(`COUNT(*) AS "rows", COALESCE(SUM(times), 0) AS times,
		COALESCE(SUM(CASE WHEN detail = 'not_kept' THEN times ELSE 0 END), 0) AS rest,
		COALESCE(MAX(LENGTH(reason) + COALESCE(LENGTH(refused), 0)), 0) AS longest`).Scan(&j).Error
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestAFloodKeepsItsAskersShareAndCountsTheRest(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		e, m := gateEngine(t, db)
		hang(t, e, "a")
		flood(t, e, 10_000, func(i int) engine.Request { return fly("a", "principal:flood", i) })
		if _, err := e.Apply(t.Context(), fly("a", "principal:other", 1)); !errors.Is(err, engine.ErrIllegal) {
			t.Fatal(err)
		}
		if other := journalOf(t, db, "source = 'principal:other'"); other != (journalled{1, 1, 0, 0}) {
			t.Errorf("of another asker %+v is kept", other)
		}
		shut(t, e)
		if got := journalOf(t, db, "source = 'principal:flood'"); got.Rows != 251 || got.Times != 10_000 || got.Rest != 9_750 {
			t.Errorf("of 10,000 attempts %+v is kept", got)
		}
		all, err := e.Attempts(t.Context(), "gate", "a", engine.AttemptQuery{})
		if err != nil || len(all) != 100 {
			t.Fatalf("%d attempts, %v", len(all), err)
		}
		found := false
		for _, a := range all {
			if a.Detail == engine.NotKept {
				key := engine.Key{Source: "principal:flood"}
				found = a.Outcome == engine.Illegal && a.Times == 9_750 && a.Event == "" && a.Key == key
			}
		}
		if !found {
			t.Error("what is not kept is not told")
		}
		report, err := verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}})
		if err != nil || len(report.Findings) != 0 {
			t.Errorf("%+v, %v", report.Findings, err)
		}
	})
}

func TestManyAskersTogetherKeepASubjectsShare(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		e, _ := gateEngine(t, db)
		hang(t, e, "a")
		flood(t, e, 3_000, func(i int) engine.Request { return fly("a", fmt.Sprint("principal:", i), 1) })
		flood(t, e, 1_000, func(i int) engine.Request { // without keys
			return engine.Request{Machine: "gate", ID: "an", Event: "fly", Actor: fmt.Sprint("actor ", i/500), Reason: "r"}
		})
		shut(t, e)
		if got := journalOf(t, db, "subject = 'a'"); got.Rows != 1_001 || got.Times != 3_000 || got.Rest != 2_000 {
			t.Errorf("of 3,000 attempts %+v is kept", got)
		}
		if got := journalOf(t, db, "subject = 'an'"); got.Rows != 2 || got.Times != 1_000 || got.Rest != 0 {
			t.Errorf("of two equal attempts %+v is kept", got)
		}
	})
}

// Engines do not tell each other what they write; each looks every now and then.
func TestSeveralEnginesKeepTheShareTogether(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		first, _ := gateEngine(t, db)
		hang(t, first, "a")
		engines := []*engine.Engine{first}
		for range 3 {
			other, _ := gateEngine(t, db)
			engines = append(engines, other)
		}
		for i := range 800 { // one after the other, as requests come to several daemons
			flood(t, engines[i%4], 1, func(int) engine.Request { return fly("a", "principal:flood", i) })
		}
		late, _ := gateEngine(t, db) // as after a restart
		flood(t, late, 100, func(i int) engine.Request { return fly("a", "principal:flood", 10_000+i) })
		for _, e := range append(engines, late) {
			shut(t, e)
		}
		got := journalOf(t, db, "subject = 'a'")
		if got.Rows-1 < 250 || got.Rows-1 > 250+5*32 || got.Times != 900 {
			t.Errorf("of 900 attempts %+v is kept", got)
		}
	})
}

func TestAttemptsInACallersTransactionKeepTheShare(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		e, _ := gateEngine(t, db)
		hang(t, e, "a")
		err := db.Transaction(func(tx *gorm.DB) error {
			for i := range 300 {
				if _, err := e.ApplyTx(t.Context(), tx, fly("a", "principal:flood", i)); !errors.Is(err, engine.ErrIllegal) {
					return err
				}
			}
			return nil
		})
		shut(t, e)
		if got := journalOf(t, db, "subject = 'a'"); err != nil || got.Rows != 251 || got.Times != 300 || got.Rest != 50 {
			t.Errorf("of 300 attempts %+v is kept: %v", got, err)
		}
	})
}

// boasting is a machine whose guards talk too much.
func boasting(t *testing.T) *engine.Machine[gate] {
	t.Helper()
	var guards []engine.Guard[gate]
	for i := range 50 {
		guards = append(guards, engine.Check(fmt.Sprint("guard ", i), func(engine.Call[gate, engine.NoInput]) error {
			return errors.New(strings.Repeat("ü", 5_000))
		}))
	}
	m, err := engine.NewMachine(engine.Definition[gate]{
		Name: "gate", Events: map[engine.Event]engine.Spec{"hang": {}, "open": {}},
		Edges: []engine.Edge[gate]{
			{Event: "hang", To: "shut"},
			{Event: "open", From: []engine.State{"shut"}, To: "open", Guards: guards},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAnAttemptsTextsAreKeptInPartAndSayIt(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&gate{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, boasting(t))
		if err != nil {
			t.Fatal(err)
		}
		hang(t, e, "a")
		long := strings.Repeat("ü", 1_000)
		result, err := e.Apply(t.Context(), engine.Request{Machine: "gate", ID: "a", Event: "open", Reason: long})
		if !errors.Is(err, engine.ErrIllegal) || len(result.Refused) != 50 || len(result.Refused[0].Reason) != 10_000 {
			t.Errorf("the caller was told %d reasons: %v", len(result.Refused), err)
		}
		all, err := e.Attempts(t.Context(), "gate", "a", engine.AttemptQuery{})
		if err != nil || len(all) != 1 {
			t.Fatalf("%d attempts, %v", len(all), err)
		}
		a, cut := all[0], strings.Repeat("ü", 249)+"…"
		if a.Reason != cut || len(a.Refused) != 11 || a.Refused[9].Reason != cut || a.Refused[10].Reason != "and 40 more" {
			t.Errorf("kept: %d bytes of reason, %d refusals", len(a.Reason), len(a.Refused))
		}
		if got := journalOf(t, db, "1 = 1"); got.Longest > 10_000 {
			t.Errorf("an attempt takes %d bytes", got.Longest)
		}
		shut(t, e)
	})
}

func TestAnAttemptWhoseCommitGotNoAnswerIsInTheJournal(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		for _, fault := range []enginetest.Fault{enginetest.LostBefore, enginetest.LostAfter, enginetest.Timeout} {
			id := fmt.Sprint("a", fault)
			shaken, faults := enginetest.NewFaulty(db, nil)
			e, _ := gateEngine(t, shaken)
			hang(t, e, id[:2])
			commits := 0
			faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
				if kind != enginetest.CallCommit {
					return enginetest.NoFault
				}
				if commits++; commits > 1 {
					return enginetest.NoFault
				}
				return fault
			})
			r := fly(id[:2], "principal:a", int(fault))
			if _, err := e.Apply(t.Context(), r); !errors.Is(err, engine.ErrIllegal) {
				t.Fatal(err)
			}
			if got := journalOf(t, db, "seq = ?", r.Key.Seq); got.Rows != 1 || commits != 2 {
				t.Errorf("%v: %+v after %d commits", fault, got, commits)
			}
			faults.Decide(nil)
			if err := db.Exec("DELETE FROM gates").Error; err != nil {
				t.Fatal(err)
			}
			if err := db.Exec("DELETE FROM engine_transitions").Error; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What could not be written is not taken for known: its repeat is written before the answer.
func TestAnAttemptThatCouldNotBeWrittenIsWrittenWithItsRepeat(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		shaken, faults := enginetest.NewFaulty(db, nil)
		e, _ := gateEngine(t, shaken)
		hang(t, e, "a")
		faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind == enginetest.CallBegin {
				return enginetest.LostBefore
			}
			return enginetest.NoFault
		})
		for _, want := range []int{0, 1} {
			if _, err := e.Apply(t.Context(), fly("a", "principal:a", 1)); !errors.Is(err, engine.ErrIllegal) {
				t.Fatal(err)
			}
			if got := journalOf(t, db, "1 = 1"); got.Rows != want {
				t.Errorf("%d rows, want %d", got.Rows, want)
			}
			faults.Decide(nil)
		}
	})
}

// Repeats come in floods, so no answer to one waits for a write, and each is counted.
func TestARepeatCostsNoWriteOfItsOwn(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		shaken, faults := enginetest.NewFaulty(db, nil)
		e, _ := gateEngine(t, shaken)
		hang(t, e, "a")
		open := engine.Request{Machine: "gate", ID: "a", Event: "open"}
		for _, r := range []engine.Request{open, fly("a", "principal:a", 1)} {
			_, _ = e.Apply(t.Context(), r)
		}
		var writing atomic.Bool
		faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind != enginetest.CallQuery {
				writing.Store(true)
			}
			return enginetest.NoFault
		})
		const repeats = 5
		began := time.Now()
		for range repeats {
			if r, err := e.Apply(t.Context(), open); err != nil || r.Outcome != engine.Already {
				t.Fatal(err)
			}
			if _, err := e.Apply(t.Context(), fly("a", "principal:a", 1)); !errors.Is(err, engine.ErrIllegal) {
				t.Fatal(err)
			}
		}
		if writing.Load() && time.Since(began) < time.Second { // counts are written after one
			t.Error("a repeat was written before its answer")
		}
		faults.Decide(nil)
		shut(t, e)
		already, refused := journalOf(t, db, "outcome = 'already'"), journalOf(t, db, "event = 'fly'")
		if already.Times != repeats || refused.Times != repeats+1 {
			t.Errorf("counted %+v and %+v", already, refused)
		}
	})
}

func TestOldAttemptsGoInStepsUntilNoneAreLeft(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		clock := enginetest.NewClock()
		shaken, faults := enginetest.NewFaulty(db, nil)
		if err := db.AutoMigrate(&gate{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(shaken, engine.Config{Now: clock.Now, AttemptRetention: 48 * time.Hour}, boasting(t))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 13 {
			hang(t, e, fmt.Sprint("a", i))
			flood(t, e, 200, func(n int) engine.Request { return fly(fmt.Sprint("a", i), "principal:a", 1000*i+n) })
		}
		clock.Advance(49 * time.Hour)
		if _, err := e.Apply(t.Context(), fly("a0", "principal:a", 77_777)); !errors.Is(err, engine.ErrIllegal) {
			t.Fatal(err)
		}
		var steps []int
		for {
			n, err := e.TrimAttempts(t.Context(), 1_000)
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, n)
			if n < 1_000 {
				break
			}
		}
		if got := journalOf(t, db, "1 = 1"); fmt.Sprint(steps) != "[1000 1000 600]" || got.Rows != 1 {
			t.Errorf("removed %v, left %+v", steps, got)
		}

		clock.Advance(49 * time.Hour)
		faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind == enginetest.CallBegin { // between looking for it and removing it, the attempt is repeated
				if err := db.Exec("UPDATE engine_attempts SET last_at = ?", clock.Now()).Error; err != nil {
					t.Error(err)
				}
			}
			return enginetest.NoFault
		})
		if _, err := e.TrimAttempts(t.Context(), 1_000); err != nil {
			t.Fatal(err)
		}
		if got := journalOf(t, db, "1 = 1"); got.Rows != 1 {
			t.Error("an attempt that was made again is gone")
		}
		shut(t, e)
	})
}

// Once retention has made room, new attempts are kept again.
func TestASubjectWhoseAttemptsHaveGoneKeepsNewOnes(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		clock := enginetest.NewClock()
		if err := db.AutoMigrate(&gate{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{Now: clock.Now, AttemptRetention: 48 * time.Hour}, boasting(t))
		if err != nil {
			t.Fatal(err)
		}
		hang(t, e, "a")
		flood(t, e, 300, func(i int) engine.Request { return fly("a", "principal:a", i) })
		clock.Advance(49 * time.Hour)
		if n, err := e.TrimAttempts(t.Context(), 1_000); n < 250 || err != nil {
			t.Fatal(n, err)
		}
		flood(t, e, 1, func(int) engine.Request { return fly("a", "principal:a", 1_000) })
		if got := journalOf(t, db, "seq = '1000'"); got.Rows != 1 {
			t.Error("it is not kept")
		}
		shut(t, e)
	})
}
