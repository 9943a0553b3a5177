package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
)

// What an action asks by ApplyTx.

// berth is a row whose actions ask what a test chooses.
type berth struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"size:16;<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

type berthCall = engine.Call[berth, engine.NoInput]

// harbour is berths and an engine that drives them on a database that a test can disturb.
type harbour struct {
	db      *gorm.DB // undisturbed
	faults  *enginetest.Faulty
	heard   []string // by the engine's observer
	eng     *engine.Engine
	machine *engine.Machine[berth]

	guard func() error
	asks  func(context.Context, *gorm.DB, string) error // what hail and hail_all do for a berth
}

// newHarbour makes one. Its machine is: build → free -book-> booked -keep-> booked -unbook-> free,
// free -close-> closed, free -pay-> paid; hail and hail_all are loops of free that ask.
func newHarbour(t *testing.T, db *gorm.DB) *harbour {
	t.Helper()
	if err := db.AutoMigrate(&berth{}); err != nil {
		t.Fatal(err)
	}
	h := &harbour{db: db}
	free := []engine.State{"free"}
	hail := engine.Exec("hail", func(ctx context.Context, tx *gorm.DB, c berthCall) error {
		return h.asks(ctx, tx, c.Subject.ID)
	})
	all := engine.ExecAll("hail_all", func(ctx context.Context, tx *gorm.DB, cs []berthCall) []error {
		errs := make([]error, len(cs))
		for i, c := range cs {
			errs[i] = h.asks(ctx, tx, c.Subject.ID)
		}
		return errs
	})
	arm := engine.Set("arm", func(c berthCall, fx *engine.Effects) error {
		fx.Arm("lapse", c.Now.Add(time.Hour), "unbook")
		return nil
	})
	stop := engine.Set("stop", func(_ berthCall, fx *engine.Effects) error { fx.Stop("lapse"); return nil })
	guard := engine.Check("guard", func(berthCall) error {
		if h.guard == nil {
			return nil
		}
		return h.guard()
	})
	var err error
	h.machine, err = engine.NewMachine(engine.Definition[berth]{
		Name: "berth",
		Events: map[engine.Event]engine.Spec{
			"build": {}, "book": {Repeatable: true}, "keep": {Repeatable: true}, "unbook": {Repeatable: true},
			"close": {}, "pay": {Factual: true}, "hail": {Repeatable: true}, "hail_all": {Repeatable: true},
		},
		Edges: []engine.Edge[berth]{
			{Event: "build", To: "free"},
			{Event: "book", From: free, To: "booked", Actions: []engine.Action[berth]{arm}},
			{Event: "keep", From: []engine.State{"booked"}, To: "booked", Actions: []engine.Action[berth]{stop}},
			{Event: "unbook", From: []engine.State{"booked"}, To: "free"},
			{Event: "close", From: free, To: "closed"},
			{Event: "pay", From: free, To: "paid", Guards: []engine.Guard[berth]{guard}},
			{Event: "hail", From: free, To: "free", Actions: []engine.Action[berth]{hail}},
			{Event: "hail_all", From: free, To: "free", Actions: []engine.Action[berth]{all}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	shaken, faults := enginetest.NewFaulty(db, nil)
	h.faults = faults
	if h.eng, err = engine.New(shaken, engine.Config{Observe: h.hear}, h.machine); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		faults.Decide(nil)
		shut(t, h.eng)
	})
	return h
}

func (h *harbour) hear(o engine.Observation) {
	h.heard = append(h.heard, fmt.Sprintf("%s %s %s", o.Result.ID, o.Result.Event, o.Result.Outcome))
}

func (h *harbour) build(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		_, err := engine.Create(t.Context(), h.eng, &berth{ID: id}, engine.Request{Machine: "berth", Event: "build"})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func berthDo(id string, ev engine.Event, seq string) engine.Request {
	r := engine.Request{Machine: "berth", ID: id, Event: ev}
	if seq != "" {
		r.Key = engine.Key{Source: "principal:a", Seq: seq}
	}
	return r
}

func (h *harbour) sound(t *testing.T) {
	t.Helper()
	report, err := verify.Run(t.Context(), h.db, verify.Options{Machines: []engine.AnyMachine{h.machine}})
	if err != nil || len(report.Findings) != 0 {
		t.Errorf("verify: %+v, %v", report.Findings, err)
	}
}

// While actions run, rows have moved that history does not tell yet.
func TestAnActionSeesWhatMovesBesideItWhole(t *testing.T) {
	type scene struct {
		beside, asked engine.Request
		want          string
	}
	pinned := berthDo("o", "close", "")
	pinned.IfVersion, pinned.Actor = 1, "ann"
	dry := berthDo("o", "close", "")
	dry.DryRun = true
	mine := berthDo("o", "close", "")
	mine.Actor = "ann"
	scenes := map[string]scene{
		"what it closes":     {berthDo("o", "close", ""), berthDo("o", "pay", "p"), "stale/passed closed 2 by 2"},
		"the same":           {berthDo("o", "close", ""), berthDo("o", "close", ""), "already/same_state closed 2 by 2"},
		"the same key":       {berthDo("o", "close", "k"), berthDo("o", "close", "k"), "already/replayed closed 2 by 2"},
		"its key for others": {berthDo("o", "close", "k"), berthDo("other", "close", "k"), "conflict/key_reused free 1 by 2"},
		"a pin":              {mine, pinned, "already/replayed closed 2 by 2"},
		"a dry run":          {berthDo("o", "close", ""), dry, "already/same_state closed 2 by 2"},
		"its timer":          {berthDo("o", "book", "b"), berthDo("o", "keep", "k"), "applied/ booked 3 by 3"},
	}
	for name, s := range scenes {
		for _, how := range []engine.Event{"hail", "hail_all"} {
			for what, say := range map[string]func(error) error{
				"returned": func(err error) error { return err }, "swallowed": func(error) error { return nil },
				"refused": func(error) error { return engine.Refuse("no") },
			} {
				t.Run(fmt.Sprintf("%s, %s, %s", name, how, what), func(t *testing.T) {
					forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
						h := newHarbour(t, db)
						h.build(t, "o", "other", "a", "z")
						var got []string
						h.asks = func(ctx context.Context, tx *gorm.DB, id string) error {
							if id == "z" {
								return nil // its action asks nothing
							}
							result, err := h.eng.ApplyTx(ctx, tx, s.asked)
							if result.Outcome != "" {
								got = append(got, answered(result))
								return nil
							}
							return say(err)
						}
						batch := []engine.Request{berthDo("a", how, "1"), s.beside, berthDo("z", how, "2")}
						for _, r := range h.eng.ApplyAll(t.Context(), batch) {
							if r.Outcome != engine.Applied {
								t.Errorf("%s %s: %s, %v", r.ID, r.Event, answered(r), r.Err())
							}
						}
						if !slices.Equal(got, []string{s.want}) {
							t.Errorf("the action was told %q, want %q", got, s.want)
						}
						var timers int64
						if err := db.Table("engine_timers").Where("status = 'armed'").Count(&timers).Error; err != nil || timers != 0 {
							t.Errorf("%d timers are armed: %v", timers, err)
						}
						h.sound(t)
					})
				})
			}
		}
	}
}

// However many of a batch have to run alone, one run finds them all.
func TestActionsThatAskAboutOneNeighbourRunTwiceEach(t *testing.T) {
	const n = 12
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		h := newHarbour(t, db)
		runs := 0
		h.asks = func(ctx context.Context, tx *gorm.DB, _ string) error {
			runs++
			if r, err := h.eng.ApplyTx(ctx, tx, berthDo("o", "close", "")); err != nil || r.Detail != engine.SameState {
				return fmt.Errorf("told %s: %w", answered(r), err)
			}
			return nil
		}
		h.build(t, "o")
		batch := []engine.Request{berthDo("o", "close", "")}
		for i := range n {
			id := fmt.Sprintf("a%d", i)
			h.build(t, id)
			batch = append(batch, berthDo(id, "hail", id))
		}
		for _, r := range h.eng.ApplyAll(t.Context(), batch) {
			if r.Outcome != engine.Applied {
				t.Errorf("%s: %s, %v", r.ID, answered(r), r.Err())
			}
		}
		if runs != 2*n {
			t.Errorf("%d actions ran %d times", n, runs)
		}
	})
}

// The neighbours of an ExecAll do not know whose call asks.
func TestTheCallsOfOneExecAllMayAskAboutEachOther(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		h := newHarbour(t, db)
		h.build(t, "a", "b")
		h.asks = func(ctx context.Context, tx *gorm.DB, id string) error {
			_, err := h.eng.ApplyTx(ctx, tx, berthDo(map[string]string{"a": "b", "b": "a"}[id], "book", "of-"+id))
			return err
		}
		rs := h.eng.ApplyAll(t.Context(), []engine.Request{berthDo("a", "hail_all", "1"), berthDo("b", "hail_all", "2")})
		if got := answered(rs[0]); got != "applied/ free 2 by 2" {
			t.Errorf("a: %s, %v", got, rs[0].Err())
		}
		if got := answered(rs[1]); got != "stale/passed booked 2 by 2" { // a's call has booked it
			t.Errorf("b: %s, %v", got, rs[1].Err())
		}
		h.sound(t)
	})
}

const inTheirs = "in the caller's transaction"

// outright applies a request, in a transaction of the engine's or in one of the caller's own.
var outright = map[string]func(context.Context, *harbour, engine.Request) (engine.Result, error){
	"alone": func(ctx context.Context, h *harbour, r engine.Request) (engine.Result, error) {
		return h.eng.Apply(ctx, r)
	},
	inTheirs: func(ctx context.Context, h *harbour, r engine.Request) (result engine.Result, err error) {
		err = h.db.Transaction(func(tx *gorm.DB) error {
			result, err = h.eng.ApplyTx(ctx, tx, r)
			return err
		})
		return result, err
	},
}

func TestAnActionCannotMoveTheSubjectThatItsOwnTransitionMoves(t *testing.T) {
	for field, own := range map[string]engine.Request{"ID": berthDo("a", "close", ""), "Key": berthDo("o", "close", "1")} {
		for where, apply := range outright {
			for _, how := range []engine.Event{"hail", "hail_all"} {
				t.Run(fmt.Sprintf("%s, %s, %s", field, where, how), func(t *testing.T) {
					forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
						h := newHarbour(t, db)
						h.build(t, "a", "b", "o")
						depth := 0
						h.asks = func(ctx context.Context, tx *gorm.DB, id string) error {
							if depth++; id == "a" { // what b is asked stands in a's transition, too
								if _, err := h.eng.ApplyTx(ctx, tx, berthDo("b", how, "of-a")); err != nil {
									t.Error(err)
								}
							}
							r, err := h.eng.ApplyTx(ctx, tx, own)
							var mistake *engine.RequestError
							if !errors.As(err, &mistake) || mistake.Field != field || !errors.Is(err, engine.ErrBadRequest) {
								t.Errorf("%s was told %s, %v", id, answered(r), err)
							}
							_, err = h.eng.ApplyTx(ctx, tx, berthDo("o", map[string]engine.Event{"a": "unbook", "b": "book"}[id], id))
							return err // the transaction goes on
						}
						r, err := apply(t.Context(), h, berthDo("a", how, "1"))
						if err != nil || answered(r) != "applied/ free 2 by 2" || depth != 2 {
							t.Errorf("after %d actions: %s, %v", depth, answered(r), err)
						}
						if r, err := h.eng.Apply(t.Context(), berthDo("o", "close", "")); err != nil || r.Version != 4 {
							t.Errorf("what was asked besides is lost: %s, %v", answered(r), err)
						}
						h.sound(t)
					})
				})
			}
		}
	}
}
