package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// Attempts that found no subject. Each names another, so it is no subject's share that bounds them.

// poor is a machine whose subjects nobody can pay for.
func poor(t *testing.T, db *gorm.DB, cfg engine.Config) (*engine.Engine, *engine.Machine[gate]) {
	t.Helper()
	if err := db.AutoMigrate(&gate{}, &wagon{}); err != nil {
		t.Fatal(err)
	}
	m, err := engine.NewMachine(engine.Definition[gate]{
		Name: "gate", Events: map[engine.Event]engine.Spec{"hang": {}, "open": {}},
		Edges: []engine.Edge[gate]{
			{Event: "hang", To: "shut", Guards: []engine.Guard[gate]{
				engine.Check("money", func(engine.Call[gate, engine.NoInput]) error { return errors.New("too little") }),
			}},
			{Event: "open", From: []engine.State{"shut"}, To: "open"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, cfg, m, (&yard{}).machine(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	return e, m
}

// asking takes a request that it is given to answer.
type asking struct {
	engine.Applier
	request engine.Request
}

func (a *asking) Apply(_ context.Context, r engine.Request) (engine.Result, error) {
	a.request = r
	return engine.Result{}, nil
}

// creating is the request of engine.Create, which can stand among others.
func creating(row *gate, r engine.Request) engine.Request {
	a := &asking{}
	_, _ = engine.Create(context.Background(), a, row, r)
	return a.request
}

// buy is a creation that is always refused; each draws its own id, and a key where it has one.
func buy(source, actor string, n int) engine.Request {
	r := engine.Request{Machine: "gate", Actor: actor}
	if source != "" {
		r.Key = engine.Key{Source: source, Seq: fmt.Sprint(n)}
	}
	return creating(&gate{ID: fmt.Sprintf("%s%s-%d", source, actor, n)}, r)
}

// unfound are the rows of what found no gate.
const unfound = "machine = 'gate' AND status = ''"

func TestRefusedCreationsKeepTheirAskersShareAndCountTheRest(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		e, m := poor(t, db, engine.Config{})
		flood(t, e, 2_000, func(i int) engine.Request { return buy("principal:flood", "tester", i) })
		flood(t, e, 600, func(i int) engine.Request { return buy("", "keyless", i) }) // whose share is the actor's
		flood(t, e, 1, func(i int) engine.Request { return buy("principal:other", "tester", i) })
		flood(t, e, 1, func(i int) engine.Request { return buy("", "another", i) })
		for _, other := range []string{"source = 'principal:other'", "actor = 'another'"} {
			if got := journalOf(t, db, other); got.Rows != 1 || got.Rest != 0 {
				t.Errorf("of another asker %+v is kept", got)
			}
		}
		shut(t, e)
		if got := journalOf(t, db, "source = 'principal:flood'"); got.Rows != 251 || got.Times != 2_000 || got.Rest != 1_750 {
			t.Errorf("of 2,000 refused creations %+v is kept", got)
		}
		if got := journalOf(t, db, "actor = 'keyless'"); got.Rows != 251 || got.Times != 600 || got.Rest != 350 {
			t.Errorf("of 600 refused creations without a key %+v is kept", got)
		}
		all, err := e.Attempts(t.Context(), "gate", "", engine.AttemptQuery{})
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		for _, a := range all {
			keyless := a.Actor == "keyless" && a.Key.IsZero() && a.Times == 350
			keyed := a.Actor == "" && a.Key == engine.Key{Source: "principal:flood"} && a.Times == 1_750
			if a.Detail != engine.NotKept || a.Outcome != engine.Illegal || a.Event != "" || !keyless && !keyed {
				t.Errorf("what is not kept is told as %+v", a)
			}
		}
		report, err := verify.Run(t.Context(), db, verify.Options{Machines: []engine.AnyMachine{m}})
		if err != nil || len(report.Findings) != 0 {
			t.Errorf("%+v, %v", report.Findings, err)
		}
	})
}

// A key that something else has is refused before anybody looks whether the subject exists.
func TestAUsedKeyThatIsTriedOnManySubjectsKeepsItsAskersShare(t *testing.T) {
	for name, try := range map[string]func(i int, key engine.Key) engine.Request{
		"to make them": func(i int, key engine.Key) engine.Request {
			return creating(&gate{ID: fmt.Sprint(i)}, engine.Request{Machine: "gate", Key: key})
		},
		"to move what does not exist": func(i int, key engine.Key) engine.Request {
			return engine.Request{Machine: "gate", ID: fmt.Sprint(i), Event: "open", Key: key}
		},
	} {
		t.Run(name, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				e, _ := poor(t, db, engine.Config{})
				key := engine.Key{Source: "principal:a", Seq: "1"}
				if _, err := engine.Create(t.Context(), e, &wagon{ID: "w"},
					engine.Request{Machine: "wagon", Event: "build", Key: key}); err != nil {
					t.Fatal(err)
				}
				for i := range 300 {
					r, err := e.Apply(t.Context(), try(i, key))
					if r.Detail != engine.KeyReused {
						t.Fatalf("%+v, %v", r, err)
					}
				}
				shut(t, e)
				if got := journalOf(t, db, unfound); got.Rows != 251 || got.Times != 300 || got.Rest != 50 {
					t.Errorf("of 300 attempts %+v is kept", got)
				}
			})
		})
	}
}

func TestRefusedCreationsInACallersTransactionKeepTheShare(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		e, _ := poor(t, db, engine.Config{})
		err := db.Transaction(func(tx *gorm.DB) error {
			for i := range 300 {
				if _, err := e.ApplyTx(t.Context(), tx, buy("principal:flood", "", i)); !errors.Is(err, engine.ErrIllegal) {
					return err
				}
			}
			return nil
		})
		shut(t, e)
		if got := journalOf(t, db, unfound); err != nil || got.Rows != 251 || got.Times != 300 || got.Rest != 50 {
			t.Errorf("of 300 attempts %+v is kept: %v", got, err)
		}
	})
}

func TestSeveralEnginesKeepAnAskersShareOfCreationsTogether(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		var engines []*engine.Engine
		for range 3 {
			e, _ := poor(t, db, engine.Config{})
			engines = append(engines, e)
		}
		for i := range 600 { // one after the other, as requests come to several daemons
			flood(t, engines[i%3], 1, func(int) engine.Request { return buy("principal:flood", "", i) })
		}
		late, _ := poor(t, db, engine.Config{}) // as after a restart
		flood(t, late, 100, func(i int) engine.Request { return buy("principal:flood", "", 10_000+i) })
		for _, e := range append(engines, late) {
			shut(t, e)
		}
		got := journalOf(t, db, unfound)
		if got.Rows-1 < 250 || got.Rows-1 > 250+4*32 || got.Times != 700 {
			t.Errorf("of 700 attempts %+v is kept", got)
		}
	})
}

// Once retention has made room, new attempts are kept again.
func TestAnAskerWhoseRefusedCreationsHaveGoneKeepsNewOnes(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		clock := enginetest.NewClock()
		e, _ := poor(t, db, engine.Config{Now: clock.Now, AttemptRetention: 48 * time.Hour})
		flood(t, e, 300, func(i int) engine.Request { return buy("principal:a", "", i) })
		clock.Advance(49 * time.Hour)
		if n, err := e.TrimAttempts(t.Context(), 1_000); n < 250 || err != nil {
			t.Fatal(n, err)
		}
		flood(t, e, 1, func(int) engine.Request { return buy("principal:a", "", 1_000) })
		if got := journalOf(t, db, "seq = '1000'"); got.Rows != 1 {
			t.Error("it is not kept")
		}
	})
}
