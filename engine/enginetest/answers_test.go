package enginetest_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// lampLife is a lamp that was made, lit and dimmed under keys and smashed without one: the requests, and
// what they were answered.
type lampLife struct {
	db       *gorm.DB
	requests []engine.Request
	results  []engine.Result
}

func liveLamp(t *testing.T, db *gorm.DB) *lampLife {
	t.Helper()
	machine, err := lamps()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Lamp{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, machine)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	l := &lampLife{db: db}
	for _, r := range []engine.Request{lampRequest("make", "a"), lampRequest("light", "b"), lampRequest("dim", "c"), lampRequest("smash", "")} {
		var result engine.Result
		if r.Event == "make" {
			result, err = engine.Create(t.Context(), e, &Lamp{ID: "lamp"}, r)
		} else {
			result, err = e.Apply(t.Context(), r)
		}
		if err != nil {
			t.Fatal(err)
		}
		l.requests, l.results = append(l.requests, r), append(l.results, result)
	}
	return l
}

func lampRequest(event engine.Event, seq string) engine.Request {
	r := engine.Request{Machine: "lamp", ID: "lamp", Event: event, Actor: "me"}
	if seq != "" {
		r.Key = engine.Key{Source: "test", Seq: seq}
	}
	return r
}

// tell notes what really was answered, from the i-th request on.
func (l *lampLife) tell(a *enginetest.Answers, from int) {
	for i := from; i < len(l.requests); i++ {
		a.Ask(l.requests[i]).Answered(l.results[i])
	}
}

// like is one of the answers, changed.
func (l *lampLife) like(i int, change func(*engine.Result)) engine.Result {
	r := l.results[i]
	proof := *r.Proof
	r.Proof = &proof
	change(&r)
	return r
}

func refusal(o engine.Outcome, d engine.Detail, state engine.State, version int64) engine.Result {
	return engine.Result{Outcome: o, Detail: d, Machine: "lamp", ID: "lamp", State: state, Version: version}
}

// lies are answers that are not true, each with a word of what is found. Most are told after the truth.
var lies = []struct {
	name string
	tell func(l *lampLife, a *enginetest.Answers)
	want string
}{
	{"applied twice", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(l.requests[1]).Answered(l.results[1])
	}, "applied by another call"},
	{"applied twice without a key", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(l.requests[3]).Answered(l.results[3])
	}, "applied by another call"},
	{"applied, but not in history", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(l.like(1, func(r *engine.Result) { r.Version, r.Proof.Version = 9, 9 }))
	}, "no version 9"},
	{"applied without a proof", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(l.like(1, func(r *engine.Result) { r.Proof = nil }))
	}, "no proof"},
	{"applied as another event", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("dim", "b")).Answered(l.results[1])
	}, "its proof is light"},
	{"applied under another key", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(l.results[1])
	}, "has the key"},
	{"applied by another actor", func(l *lampLife, a *enginetest.Answers) {
		r := l.requests[1]
		r.Actor = "you"
		a.Ask(r).Answered(l.results[1])
	}, "did it because"},
	{"applied although pinned to another version", func(l *lampLife, a *enginetest.Answers) {
		r := l.requests[1]
		r.IfVersion = 7
		a.Ask(r).Answered(l.results[1])
	}, "it went from"},
	{"a proof with another time", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(l.requests[1]).Answered(l.like(3, func(r *engine.Result) {
			r.Outcome, r.Detail, r.Proof.At = engine.Already, engine.Replayed, r.Proof.At.Add(1000)
		}))
	}, "another time"},
	{"replayed under another key", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("smash", "x")).Answered(l.like(3, func(r *engine.Result) { r.Outcome, r.Detail = engine.Already, engine.Replayed }))
	}, "has the key"},
	{"already, of another event", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("dim", "")).Answered(l.like(3, func(r *engine.Result) { r.Outcome, r.Detail = engine.Already, engine.Superseded }))
	}, "its proof is smash"},
	{"superseded by nothing", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("smash", "")).Answered(l.like(3, func(r *engine.Result) { r.Outcome, r.Detail = engine.Already, engine.Superseded }))
	}, "nothing came after"},
	{"the same state, from elsewhere", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("smash", "")).Answered(l.like(2, func(r *engine.Result) {
			r.Outcome, r.Detail, r.State, r.Version = engine.Already, engine.SameState, "broken", 4
		}))
	}, "its proof led to"},
	{"a refusal of a state that others knew to be over", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("dim", "x")).Answered(refusal(engine.Early, "", "dark", 3))
	}, "before it was asked, that version 4"},
	{"not found although others knew it", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.NotFound, "", "", 0))
	}, "before it was asked, that version 1"},
	{"a version that never was", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Stale, engine.Passed, "broken", 5))
	}, "history ends with version 4"},
	{"a version in another state", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Early, "", "dark", 4))
	}, `is in state "broken"`},
	{"a known key judged afresh", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "b")).Answered(refusal(engine.Stale, engine.Passed, "broken", 4))
	}, "its key had made version 2"},
	{"a reused key that nobody has used", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Conflict, engine.KeyReused, "broken", 4))
	}, "has made nothing"},
	{"a reused key in the same request", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "b")).Answered(refusal(engine.Conflict, engine.KeyReused, "broken", 4))
	}, "used by the same request"},
	{"a reused key called a fact", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("dim", "b")).Answered(refusal(engine.Conflict, engine.FactMismatch, "broken", 4))
	}, "not the word"},
	{"other input that is the same", func(l *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("smash", "x")).Answered(l.like(3, func(r *engine.Result) { r.Outcome, r.Detail = engine.Conflict, engine.InputDiffers }))
	}, "with the same input"},
	{"a pin that holds", func(_ *lampLife, a *enginetest.Answers) {
		r := lampRequest("light", "x")
		r.IfVersion = 4
		a.Ask(r).Answered(refusal(engine.Stale, engine.VersionMoved, "broken", 4))
	}, "its pins hold"},
	{"an identity that is there", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Illegal, engine.IdentityRequired, "broken", 4))
	}, "it has an identity"},
	{"early, and never to come", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Early, "", "broken", 4))
	}, "reachable: false"},
	{"a guard where no edge is", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Illegal, engine.GuardRefused, "broken", 4))
	}, "no edge leads"},
	{"an event that is known", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Illegal, engine.UnknownEvent, "broken", 4))
	}, "has that event"},
	{"an answer that does not exist", func(_ *lampLife, a *enginetest.Answers) {
		a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Early, engine.Passed, "broken", 4))
	}, "no such answer"},
	{"one call, out of order", func(l *lampLife, a *enginetest.Answers) {
		passed := func(version int64, state engine.State) engine.Result {
			return refusal(engine.Stale, engine.ReachedOtherwise, state, version)
		}
		asked := []engine.Request{lampRequest("light", "x"), lampRequest("light", "y")}
		a.Through(script{passed(4, "broken"), passed(3, "dark")}).ApplyAll(context.Background(), asked)
	}, "before what stood before it"},
}

// script answers what it was told to.
type script []engine.Result

func (s script) Apply(context.Context, engine.Request) (engine.Result, error) {
	return s[0], s[0].Err()
}
func (s script) ApplyAll(context.Context, []engine.Request) []engine.Result { return s }

func TestEachKindOfFalseAnswerIsFound(t *testing.T) {
	l := liveLamp(t, enginetest.SQLite(t))
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			var a enginetest.Answers
			l.tell(&a, 0)
			lie.tell(l, &a)
			found(t, l, &a, lie.want)
		})
	}
}

func found(t *testing.T, l *lampLife, a *enginetest.Answers, want string) {
	t.Helper()
	untrue, err := a.Compare(t.Context(), l.db)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range untrue {
		if strings.Contains(u.Error(), want) {
			return
		}
	}
	t.Errorf("%q is not in what was found: %v", want, untrue)
}

// What happened although everybody was told that nothing did, with and without a key.
func TestWhatNobodyWasToldOfIsFound(t *testing.T) {
	l := liveLamp(t, enginetest.SQLite(t))
	for _, r := range []engine.Result{
		refusal(engine.Unavailable, "", "", 0), refusal(engine.Conflict, engine.LostRace, "", 0),
		refusal(engine.Illegal, engine.GuardRefused, "dark", 1), engine.Failed(l.requests[1], context.Canceled),
	} {
		for _, i := range []int{1, 3} {
			var a enginetest.Answers
			a.Ask(l.requests[i]).Answered(r)
			found(t, l, &a, "nobody was told applied")
		}
	}
	var a enginetest.Answers // the twin cannot have been the first to be answered
	a.Ask(l.requests[1]).Answered(l.like(1, func(r *engine.Result) { r.Outcome, r.Detail = engine.Already, engine.Replayed }))
	found(t, l, &a, "nobody was told applied")
}

// An answer cannot speak of what was asked for only after it.
func TestAnAnswerAheadOfItsTimeIsFound(t *testing.T) {
	l := liveLamp(t, enginetest.SQLite(t))
	var a enginetest.Answers
	a.Ask(lampRequest("light", "x")).Answered(refusal(engine.Stale, engine.Passed, "broken", 4))
	l.tell(&a, 0)
	found(t, l, &a, "was asked for only after that")
}

// True answers in any order that can be are left in peace: refusals beside what is under way, repeats, and
// requests that nobody knows the end of.
func TestTrueAnswersAreLeftInPeace(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		l := liveLamp(t, db)
		var a enginetest.Answers
		slow, repeat := a.Ask(lampRequest("dim", "x")), a.Ask(l.requests[1])
		a.Ask(l.requests[1]) // its answer never comes
		a.Ask(l.requests[0]).Answered(l.results[0])
		a.Ask(l.requests[1]).Answered(refusal(engine.Unavailable, "", "", 0))
		a.Ask(l.requests[1]).Answered(refusal(engine.Unknown, "", "", 0))
		l.tell(&a, 2)
		slow.Answered(refusal(engine.Early, "", "dark", 1))
		repeat.Answered(l.like(1, func(r *engine.Result) {
			r.Outcome, r.Detail, r.State, r.Version = engine.Already, engine.Replayed, "dark", 3
		}))
		a.Ask(lampRequest("smash", "y")).Answered(l.like(3, func(r *engine.Result) {
			r.Outcome, r.Detail, r.Proof.Fingerprint, r.Proof.Actor = engine.Already, engine.SameState, [32]byte{}, ""
		}))
		a.Check(t, db)
	})
}
