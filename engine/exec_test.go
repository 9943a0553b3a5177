package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// What guards and actions are given, and what becomes of what they do.

// An action's SQL runs right behind its own row's move: after all that went before, and before what follows.
func TestTheSQLOfAnActionFindsItsSubjectWhereItsOwnTransitionLeftIt(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a")
		runs := 0
		y.exec = func(tx *gorm.DB, c wagonCall) error {
			runs++
			var row wagon
			var past int64
			if err := errors.Join(tx.First(&row, "id = ?", c.Subject.ID).Error,
				tx.Table("engine_transitions").Where("machine = 'wagon' AND subject = ?", c.Subject.ID).Count(&past).Error); err != nil {
				return err
			}
			if row.Version != c.Version || row.Status != "full" || past != c.Version-1 {
				t.Errorf("at version %d: the row is %s at %d, behind %d transitions", c.Version, row.Status, row.Version, past)
			}
			return nil
		}
		y.expect(t, []engine.Request{
			wagonDo("a", "shunt", "1"), wagonDo("a", "fill", ""), wagonDo("a", "haul", "2"), wagonDo("a", "haul", "3"), wagonDo("a", "tip", ""),
		}, "applied/ empty 2 by 2", "applied/ full 3 by 3", "applied/ full 4 by 4", "applied/ full 5 by 5", "applied/ tipped 6 by 6")
		if runs != 2 {
			t.Errorf("the action ran %d times", runs)
		}
	})
}

func TestARowWhoseFirstTransitionIsRefusedIsNotAdopted(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		if err := db.Create(&wagon{ID: "old", Status: "empty"}).Error; err != nil {
			t.Fatal(err)
		}
		y.exec = func(*gorm.DB, wagonCall) error { return engine.Refuse("no locomotive") }
		y.expect(t, []engine.Request{wagonDo("old", "haul", "1")}, "illegal/guard empty 0 by 0")
		if w := y.row(t, "old"); w.Version != 0 || w.Status != "empty" {
			t.Errorf("the row is %+v", w)
		}
		y.exec = nil
		y.expect(t, []engine.Request{wagonDo("old", "haul", "1")}, "applied/ full 2 by 2")
	})
}

// What the database will forgive on another try is tried again, whatever the action makes of it.
func TestADeadlockIsNeverAnActionsFault(t *testing.T) {
	for name, say := range map[string]func(error) error{
		"returned":  func(err error) error { return err },
		"replaced":  func(error) error { return errors.New("could not be hauled") },
		"refused":   func(error) error { return engine.Refuse("could not be hauled") },
		"swallowed": func(error) error { return nil },
		"panicked":  func(err error) error { panic(err) },
	} {
		t.Run(name, func(t *testing.T) {
			forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
				y := newYard(t, db, engine.Config{})
				y.build(t, "a")
				y.exec = func(tx *gorm.DB, _ wagonCall) error {
					if err := tx.Exec("UPDATE wagons SET load_ = load_ + 1 WHERE id = 'a'").Error; err != nil {
						return say(err)
					}
					return nil
				}
				hit := false
				y.faults.Decide(func(_ int, _ enginetest.CallKind, query string) enginetest.Fault {
					if !hit && strings.Contains(query, "load_ + 1") {
						hit = true
						return enginetest.Deadlock
					}
					return enginetest.NoFault
				})
				y.expect(t, []engine.Request{wagonDo("a", "haul", "1")}, "applied/ full 2 by 2")
				if !hit || y.row(t, "a").Load != 1 {
					t.Errorf("deadlocked %v, the row is %+v", hit, y.row(t, "a"))
				}
			})
		})
	}
}

// A panic says that the code is wrong, even if it says so with an error that would otherwise be tried again.
func TestAPanicIsAFaultWhateverItSays(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a")
		runs := 0
		y.exec = func(*gorm.DB, wagonCall) error {
			runs++
			panic(&mysql.MySQLError{Number: 1213})
		}
		_, err := y.eng.Apply(t.Context(), wagonDo("a", "haul", "1"))
		var panicked *engine.PanicError
		if !errors.As(err, &panicked) || runs != 1 {
			t.Errorf("after %d runs: %v", runs, err)
		}
	})
}

func TestAStatementThatFailedIsItsActionsFaultThoughTheActionIsSilent(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a", "b")
		y.exec = func(tx *gorm.DB, c wagonCall) error {
			if c.Subject.ID == "a" {
				_ = tx.Exec("UPDATE no_such_table SET x = 1").Error
			}
			return nil
		}
		results := y.eng.ApplyAll(t.Context(), []engine.Request{wagonDo("a", "haul", "1"), wagonDo("b", "haul", "2")})
		var action *engine.ActionError
		if err := results[0].Err(); !errors.As(err, &action) || action.Action != "exec" {
			t.Errorf("got %v", err)
		}
		if answered(results[1]) != "applied/ full 2 by 2" || y.row(t, "a").Version != 1 {
			t.Errorf("the neighbour: %s; the row %+v", answered(results[1]), y.row(t, "a"))
		}
	})
}

// Guards look. What one writes into the row that it is shown is seen by nobody.
func TestAGuardCannotChangeARow(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		y.build(t, "a")
		y.guard = func(c wagonCall) error {
			if c.Subject.Load != 0 {
				t.Errorf("a guard sees a load of %d", c.Subject.Load)
			}
			c.Subject.Load = 7
			return nil
		}
		y.set = func(c wagonCall) error {
			if c.Subject.Load != 0 {
				t.Errorf("an action sees a load of %d", c.Subject.Load)
			}
			return nil
		}
		y.expect(t, []engine.Request{wagonDo("a", "fill", "")}, "applied/ full 2 by 2")
		if w := y.row(t, "a"); w.Load != 0 {
			t.Errorf("the row is %+v", w)
		}
	})
}

func TestNoBytesAndNullAreTwoValues(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		y := newYard(t, db, engine.Config{})
		for from, to := range map[string][]byte{"null": {}, "x": {'y'}, "y": {}, "z": nil, "same": []byte("same")} {
			id := "seal-" + from
			y.build(t, id)
			var seal any = []byte(from)
			if from == "null" {
				seal = nil
			}
			if err := db.Exec("UPDATE wagons SET seal = ? WHERE id = ?", seal, id).Error; err != nil {
				t.Fatal(err)
			}
			y.set = func(c wagonCall) error { c.Subject.Seal = to; return nil }
			y.expect(t, []engine.Request{wagonDo(id, "fill", "")}, "applied/ full 2 by 2")
			var null bool
			if err := db.Raw("SELECT seal IS NULL FROM wagons WHERE id = ?", id).Scan(&null).Error; err != nil {
				t.Fatal(err)
			}
			if got := y.row(t, id).Seal; null != (to == nil) || string(got) != string(to) {
				t.Errorf("from %s: stored %#v, null %v; want %#v", from, got, null, to)
			}
		}
	})
}
