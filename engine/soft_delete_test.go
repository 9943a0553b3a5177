package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// flag marks a row as deleted by a number, as plugins of gorm do.
type flag int

func (flag) QueryClauses(f *schema.Field) []clause.Interface {
	column := clause.Column{Table: clause.CurrentTable, Name: f.DBName}
	return []clause.Interface{clause.Where{Exprs: []clause.Expression{clause.Eq{Column: column, Value: 0}}}}
}

// ticket is deleted softly, in either way.
type ticket struct {
	ID        string       `gorm:"primaryKey" engine:"id"`
	Status    engine.State `gorm:"<-:create" engine:"state"`
	Version   int64        `gorm:"<-:create" engine:"version"`
	Note      string
	Void      flag           `gorm:"<-:create"`
	DeletedAt gorm.DeletedAt `gorm:"<-:create"`
}

func ticketMachine(t *testing.T) *engine.Machine[ticket] {
	t.Helper()
	m, err := engine.NewMachine(engine.Definition[ticket]{
		Name: "ticket", Events: map[engine.Event]engine.Spec{"sell": {}, "use": {}},
		Edges: []engine.Edge[ticket]{
			{Event: "sell", To: "sold"},
			{Event: "use", From: []engine.State{"sold"}, To: "used", Actions: []engine.Action[ticket]{
				engine.Set("note", func(c engine.Call[ticket, engine.NoInput], _ *engine.Effects) error {
					c.Subject.Note = "used " + c.Subject.ID
					return nil
				}),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A row that was deleted softly after it was read does not move: to the engine it is not there.
func TestARowDeletedSoftlySinceItWasReadIsNotFound(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&ticket{}); err != nil {
			t.Fatal(err)
		}
		for way, column := range map[string]string{"deleted_at": "'2026-01-01'", "void": "1"} {
			for _, n := range []int{1, 3} {
				t.Run(fmt.Sprint(way, ", ", n, " at once"), func(t *testing.T) {
					if err := db.Exec("DELETE FROM tickets").Error; err != nil {
						t.Fatal(err)
					}
					shaken, faults := enginetest.NewFaulty(db, nil)
					e, err := engine.New(shaken, engine.Config{}, ticketMachine(t))
					if err != nil {
						t.Fatal(err)
					}
					defer shut(t, e)
					var rs []engine.Request
					for i := range n {
						id := fmt.Sprint(way, n, i)
						if _, err := engine.Create(t.Context(), e, &ticket{ID: id}, engine.Request{Machine: "ticket"}); err != nil {
							t.Fatal(err)
						}
						rs = append(rs, engine.Request{Machine: "ticket", ID: id, Event: "use"})
					}
					deleted := false
					faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
						if !deleted && (kind == enginetest.CallPacket || kind == enginetest.CallBegin) {
							deleted = true
							if err := db.Exec("UPDATE tickets SET "+way+" = "+column+" WHERE id = ?", rs[0].ID).Error; err != nil {
								t.Error(err)
							}
						}
						return enginetest.NoFault
					})
					for i, result := range e.ApplyAll(t.Context(), rs) {
						want := engine.Applied
						if i == 0 {
							want = engine.NotFound
						}
						if result.Outcome != want {
							t.Errorf("request %d: %v", i, result.Err())
						}
					}
					past, err := e.History(t.Context(), "ticket", rs[0].ID, engine.HistoryQuery{})
					if err != nil || len(past) != 1 || !deleted {
						t.Errorf("history %+v, %v", past, err)
					}
				})
			}
		}
	})
}

func TestARowDeletedSoftlySinceItWasFoundIsNotAdopted(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&ticket{}); err != nil {
			t.Fatal(err)
		}
		shaken, faults := enginetest.NewFaulty(db, nil)
		e, err := engine.New(shaken, engine.Config{}, ticketMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		for _, id := range []string{"a", "b", "c"} {
			if err := db.Create(&ticket{ID: id, Status: "sold"}).Error; err != nil {
				t.Fatal(err)
			}
		}
		began := false
		faults.Decide(func(_ int, kind enginetest.CallKind, _ string) enginetest.Fault {
			if kind == enginetest.CallBegin && !began { // between the search and the adoption
				began = true
				err := errors.Join(db.Delete(&ticket{ID: "a"}).Error,
					db.Exec("UPDATE tickets SET version = 1 WHERE id = 'b'").Error) // adopted by somebody else
				if err != nil {
					t.Error(err)
				}
			}
			return enginetest.NoFault
		})
		if n, err := e.Adopt(t.Context(), "ticket", 10); n != 1 || err != nil {
			t.Errorf("adopted %d, %v", n, err)
		}
		var all []engine.Transition
		for _, id := range []string{"a", "b", "c"} {
			past, err := e.History(t.Context(), "ticket", id, engine.HistoryQuery{})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, past...)
		}
		if len(all) != 1 || all[0].Subject != "c" || all[0].At.Before(time.Now().Add(-time.Hour)) {
			t.Errorf("history %+v", all)
		}
	})
}
