package engine_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

// shouted is a row whose state is stored in capitals, and read in another spelling.
type shouted struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"<-:create;size:20" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func (*shouted) TableName() string { return "crates" }

// AfterFind makes of the state what the machine calls it.
func (s *shouted) AfterFind(*gorm.DB) error {
	s.Status = engine.State(strings.ToLower(string(s.Status)))
	return nil
}

// An update that keeps changing nothing although nobody else moves the row is a fault that says so, at once. The
// others of its batch are not held up.
func TestAnUpdateThatChangesNothingIsNoLostRace(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&crate{}); err != nil {
			t.Fatal(err)
		}
		ignore := "CREATE TRIGGER keeps BEFORE UPDATE ON crates FOR EACH ROW SET NEW.status = IF(OLD.id = 'stuck', OLD.status, NEW.status), NEW.version = IF(OLD.id = 'stuck', OLD.version, NEW.version)"
		if db.Name() == "sqlite" {
			ignore = "CREATE TRIGGER keeps BEFORE UPDATE ON crates WHEN OLD.id = 'stuck' BEGIN SELECT RAISE(IGNORE); END"
		}
		for name, c := range map[string]struct {
			sql, state string
			machine    engine.AnyMachine
		}{
			"a trigger that undoes it":        {ignore, "placed", packing[crate](t)},
			"a state that reads as another":   {"", "PLACED", packing[shouted](t)},
			"a state that reads as another 2": {"", "Placed", packing[shouted](t)},
		} {
			for _, tries := range []int{0, 1, 2} {
				t.Run(name, func(t *testing.T) {
					if err := db.Exec("DELETE FROM crates").Error; err != nil {
						t.Fatal(err)
					}
					if err := db.Exec("DELETE FROM engine_transitions").Error; err != nil {
						t.Fatal(err)
					}
					for _, id := range []string{"a", "stuck", "z"} {
						state := "placed"
						if id == "stuck" {
							state = c.state
						}
						if err := db.Exec("INSERT INTO crates (id, status, version) VALUES (?, ?, 1)", id, state).Error; err != nil {
							t.Fatal(err)
						}
					}
					if c.sql != "" {
						if err := db.Exec(c.sql).Error; err != nil {
							t.Fatal(err)
						}
						defer db.Exec("DROP TRIGGER keeps")
					}
					missesAreFaults(t, db, tries, c.machine)
				})
			}
		}
	})
}

func missesAreFaults(t *testing.T, db *gorm.DB, tries int, m engine.AnyMachine) {
	heard, calls := enginetest.NewFaulty(db, nil)
	e, err := engine.New(heard, engine.Config{Tries: tries}, m)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, e)
	updates := 0
	calls.Decide(func(_ int, _ enginetest.CallKind, query string) enginetest.Fault {
		if strings.Contains(query, "UPDATE `crates`") {
			updates++
		}
		return 0
	})
	told := func(err error) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		for _, part := range []string{"table crates", `id = "stuck"`, `status = "placed"`, "version = 1", `"packed", 2`} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v lacks %s", err, part)
			}
		}
	}
	r, err := e.Apply(t.Context(), engine.Request{Machine: "crate", ID: "stuck", Event: "pack"})
	told(err)
	if r.Outcome != "" || updates > 2 {
		t.Errorf("%+v after %d updates", r, updates)
	}
	calls.Decide(nil)
	var rs []engine.Request
	for _, id := range []string{"a", "stuck", "z"} {
		rs = append(rs, engine.Request{Machine: "crate", ID: id, Event: "pack"})
	}
	for i, r := range e.ApplyAll(t.Context(), rs) {
		if i == 1 {
			told(r.Err())
		} else if r.Outcome != engine.Applied {
			t.Errorf("%s: %s %v", r.ID, r.Outcome, r.Err())
		}
	}
	err = db.Transaction(func(tx *gorm.DB) error {
		_, err := e.ApplyTx(context.Background(), tx, engine.Request{Machine: "crate", ID: "stuck", Event: "pack"})
		told(err)
		return tx.Exec("UPDATE crates SET status = 'packed' WHERE id = 'a'").Error // it goes on
	})
	if err != nil {
		t.Error(err)
	}
}
