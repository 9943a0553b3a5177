package engine_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// What happens to a request when a transaction fails, and how often it is tried.

func TestARequestThatLocksItsRowBeginsBeforeItReads(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a", "b")
		for _, lock := range []bool{true, false} {
			var first enginetest.CallKind
			y.faults.Decide(func(n int, kind enginetest.CallKind, _ string) enginetest.Fault {
				if n == 1 {
					first = kind
				}
				return enginetest.NoFault
			})
			mine := wagonDo("b", "shunt", "b")
			mine.ForUpdate = lock
			y.eng.ApplyAll(t.Context(), []engine.Request{wagonDo("a", "shunt", "a"), mine}) // one that asks is enough
			y.faults.Decide(nil)
			if want := map[bool]enginetest.CallKind{true: enginetest.CallBegin, false: enginetest.CallQuery}[lock]; first != want {
				t.Errorf("locking %v: the first call is a %s", lock, first)
			}
		}
	})
}

// On locked rows nobody can come in between, so a request that has lost once does not lose for ever.
func TestAfterALostRaceARequestLocksItsRow(t *testing.T) {
	move := func(a engine.Applier, key string) engine.Result {
		r, _ := a.Apply(context.Background(), wagonDo("a", "shunt", key))
		return r
	}
	assemble := func(a engine.Applier, key string) engine.Result {
		r, _ := engine.Create(context.Background(), a, &wagon{ID: "new" + key}, wagonDo("", "assemble", "one"))
		return r
	}
	for name, c := range map[string]struct {
		do   func(a engine.Applier, key string) engine.Result
		want string
	}{
		"for a row": {move, "applied/ empty 3 by 3"},
		"for a key": {assemble, "already/replayed empty 1 by 1"},
	} {
		t.Run(name, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				y := newYard(t, db, engine.Config{})
				other := y.engine(t, db, engine.Config{})
				y.build(t, "a")
				raced, kinds, queries := false, []enginetest.CallKind(nil), []string(nil)
				y.faults.Decide(func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
					switch {
					case raced:
						kinds, queries = append(kinds, kind), append(queries, query)
					case beginning(kind):
						if r := c.do(other, "theirs"); r.Outcome != engine.Applied {
							t.Error(r.Err())
						}
						raced = true
					}
					return enginetest.NoFault
				})
				if got := answered(c.do(y.eng, "mine")); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				y.faults.Decide(nil)
				again := slices.Index(kinds, enginetest.CallQuery)
				if again < 1 || kinds[again-1] != enginetest.CallBegin {
					t.Fatalf("after the race: %v", kinds)
				}
				if db.Name() == "mysql" && !strings.Contains(queries[again], "FOR UPDATE") {
					t.Errorf("after the race it reads with %s", queries[again])
				}
			})
		})
	}
}

// Whoever deadlocks without end is told after so many tries, and a batch of them after so many for each part.
func TestATransactionIsTriedAsOftenAsConfigured(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{Tries: 3})
		y.build(t, "a", "b")
		moved := 0
		y.faults.Decide(func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
			if kind == enginetest.CallQuery || !strings.Contains(query, "UPDATE `wagons`") {
				return enginetest.NoFault
			}
			moved++
			return enginetest.Deadlock
		})
		y.expect(t, []engine.Request{wagonDo("a", "fill", "")}, "conflict/lost_race empty 1 by 0")
		if moved != 3 {
			t.Errorf("one request was tried %d times", moved)
		}
		moved = 0
		y.expect(t, []engine.Request{wagonDo("a", "fill", ""), wagonDo("b", "fill", "")},
			"conflict/lost_race empty 1 by 0", "conflict/lost_race empty 1 by 0")
		if moved != 3*3 {
			t.Errorf("two requests were tried %d times, want 3 together and 3 each", moved)
		}
	})
}

// A COMMIT in doubt is settled for as long as Settle allows, however few tries a transaction has.
func TestSettlingIsBoundedByTimeAndNotByTries(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		for _, f := range []enginetest.Fault{enginetest.LostAfter, enginetest.LostBefore} {
			y := newYard(t, db, engine.Config{Tries: 2, Settle: time.Minute})
			id := "w" + strings.ReplaceAll(f.String(), " ", "-")
			y.build(t, id)
			doubt, away := new(atomic.Bool), new(atomic.Int64)
			y.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
				switch {
				case committing(kind) && doubt.CompareAndSwap(false, true):
					return f
				case doubt.Load() && away.Add(1) <= 20:
					return enginetest.LostBefore
				}
				return enginetest.NoFault
			})
			y.expect(t, []engine.Request{wagonDo(id, "fill", "")}, "applied/ full 2 by 2")
		}
	})
}

// The engine settles in its own time, also for what a batch is split into.
func TestSettlingASplitBatchDoesNotDependOnItsCaller(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a", "b")
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		broken := errors.New("the axle is broken")
		doubt := false
		y.exec = func(*gorm.DB, wagonCall) error {
			if doubt {
				return broken
			}
			return nil
		}
		y.faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind == enginetest.CallCommit && !doubt {
				doubt = true
				leave()
				return enginetest.LostBefore
			}
			return enginetest.NoFault
		})
		results := y.eng.ApplyAll(ctx, []engine.Request{wagonDo("a", "fill", ""), wagonDo("b", "haul", "1")})
		if answered(results[0]) != "applied/ full 2 by 2" {
			t.Errorf("the neighbour was answered %s, %v", answered(results[0]), results[0].Err())
		}
		if !errors.Is(results[1].Err(), broken) {
			t.Errorf("the failed one was answered %s, %v", answered(results[1]), results[1].Err())
		}
	})
}

// A twin comes between reading and writing, takes what the action needs, and leaves the key.
func TestARefusalThatItsOwnTwinHasCausedIsASuccess(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		other := y.engine(t, db, engine.Config{})
		taken := false
		y.exec = func(*gorm.DB, wagonCall) error {
			if taken {
				return engine.Refuse("the last axle is gone")
			}
			taken = true
			return nil
		}
		assemble := func(a engine.Applier, id, seq string) engine.Result {
			r, _ := engine.Create(t.Context(), a, &wagon{ID: id}, wagonDo(id, "assemble", seq))
			return r
		}
		y.faults.Decide(before(beginning, func() {
			if r := assemble(other, "theirs", "one"); r.Outcome != engine.Applied {
				t.Error(r.Err())
			}
		}))
		if r := assemble(y.eng, "mine", "one"); answered(r) != "already/replayed empty 1 by 1" || r.ID != "theirs" {
			t.Errorf("got %s of %s, %v", answered(r), r.ID, r.Err())
		}
		if r := assemble(y.eng, "mine", "two"); answered(r) != "illegal/guard  0 by 0" {
			t.Errorf("another request: %s", answered(r))
		}
	})
}

// What the database refuses for one row is that row's fault, whatever stands around it, and the order of the
// others is kept.
func TestARowThatTheDatabaseRefusesHoldsUpNobody(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a", "b", "c", "lost")
		y.set = func(c wagonCall) error {
			if c.Subject.ID == "lost" {
				c.Subject.Owner = nil // which its column does not take
			}
			return nil
		}
		y.expect(t, []engine.Request{
			wagonDo("a", "shunt", "1"), wagonDo("a", "fill", ""), wagonDo("lost", "fill", ""), wagonDo("b", "fill", ""),
			wagonDo("a", "tip", ""), wagonDo("c", "tip", ""), wagonDo("b", "tip", ""), wagonDo("lost", "shunt", "2"),
		},
			"applied/ empty 2 by 2", "applied/ full 3 by 3", "/  0 by 0", "applied/ full 2 by 2",
			"applied/ tipped 4 by 4", "early/ empty 1 by 0", "applied/ tipped 3 by 3", "applied/ empty 2 by 2")
	})
}

// Two who lock the same tables and rows in different orders wait for each other.
func TestABatchLocksInOneOrderWhateverTheRequestsAre(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "1", "2")
		lampRow(t, y.eng, "1")
		lampRow(t, y.eng, "2")
		burn := func(id string) engine.Request { return engine.Request{Machine: "lamp", ID: id, Event: "burn"} }
		written := func(rs ...engine.Request) (all []string) {
			y.faults.Decide(func(_ int, kind enginetest.CallKind, query string) enginetest.Fault {
				if kind == enginetest.CallExec || kind == enginetest.CallPacket {
					all = append(all, writes.FindAllString(query, -1)...)
				}
				return enginetest.NoFault
			})
			for _, r := range y.eng.ApplyAll(t.Context(), rs) {
				if r.Outcome != engine.Applied {
					t.Error(r.Err())
				}
			}
			return all
		}
		one, other := written(burn("1"), wagonDo("1", "fill", "")), written(wagonDo("2", "fill", ""), burn("2"))
		if len(one) < 4 || !slices.Equal(one, other) {
			t.Errorf("one: %s; the other: %s", strings.Join(one, ", "), strings.Join(other, ", "))
		}
	})
}

// writes finds the tables of a statement, or of several, that rows are changed in or added to.
var writes = regexp.MustCompile("(UPDATE|INSERT INTO) `\\w+`")
