package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/dberr"
	"example.com/orderd/engine/enginetest"
)

// seat has a unique key of the user's own.
type seat struct {
	ID      string       `gorm:"primaryKey;size:64" engine:"id"`
	Status  engine.State `gorm:"size:16;<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
	Place   *string      `gorm:"size:16;uniqueIndex:place_taken"`
}

type seatInput struct {
	Place string `json:"place"`
	Due   string `json:"due"`
}

func seatMachine(t *testing.T) *engine.Machine[seat] {
	t.Helper()
	from := []engine.State{"free"}
	m, err := engine.NewMachine(engine.Definition[seat]{
		Name: "seat",
		Events: map[engine.Event]engine.Spec{
			"make": {}, "set": {Input: seatInput{}}, "exec": {Input: seatInput{}}, "keep_open": {Input: seatInput{}}, "arm": {Input: seatInput{}},
		},
		Edges: []engine.Edge[seat]{
			{Event: "make", To: "free"},
			{Event: "set", From: from, To: "set", Actions: []engine.Action[seat]{
				engine.Set("place", func(c engine.Call[seat, seatInput], _ *engine.Effects) error {
					place := c.Input.Place
					c.Subject.Place = &place
					return nil
				}),
			}},
			{Event: "exec", From: from, To: "done", Actions: []engine.Action[seat]{
				engine.Exec("place_by_sql", func(_ context.Context, tx *gorm.DB, c engine.Call[seat, seatInput]) error {
					return tx.Exec("UPDATE seats SET place = ? WHERE id = ?", c.Input.Place, c.Subject.ID).Error
				}),
			}},
			{Event: "keep_open", From: from, To: "left", Actions: []engine.Action[seat]{
				engine.Exec("forgetful", func(_ context.Context, tx *gorm.DB, c engine.Call[seat, seatInput]) error {
					if c.Input.Place == "" {
						return nil
					}
					rows, err := tx.Table("seats").Rows()
					if err != nil || !rows.Next() {
						return fmt.Errorf("no rows: %w", err)
					}
					if c.Input.Place == "go on" {
						_ = tx.Exec("UPDATE seats SET place = NULL WHERE id = 'nobody'").Error
					}
					return nil
				}),
			}},
			{Event: "arm", From: from, To: "armed", Actions: []engine.Action[seat]{
				engine.Set("arm_it", func(c engine.Call[seat, seatInput], fx *engine.Effects) error {
					at, name, event := c.Now.Add(time.Hour), "due", engine.Event("set")
					switch c.Input.Due {
					case "zero":
						at = time.Time{}
					case "zero elsewhere":
						at = time.Time{}.In(time.FixedZone("", 3600))
					case "no name":
						name = ""
					case "long name":
						name = strings.Repeat("n", 65)
					case "unknown event":
						event = "explode"
					case "no event":
						event = ""
					}
					fx.Arm(name, at, event)
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

func seats(t *testing.T, db *gorm.DB) *engine.Engine {
	t.Helper()
	if err := db.AutoMigrate(&seat{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db, engine.Config{}, seatMachine(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, e) })
	return e
}

// seatKinds are the databases, also with gorm's translator of errors.
func seatKinds(t *testing.T, f func(t *testing.T, db *gorm.DB)) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		for name, translate := range map[string]bool{"as they are": false, "translated": true} {
			t.Run(name, func(t *testing.T) {
				session := db.Session(&gorm.Session{})
				config := *session.Config
				config.TranslateError = translate
				session.Config = &config
				f(t, session)
				if err := db.Exec("DROP TABLE seats").Error; err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// makeSeat returns the id of a new seat.
func makeSeat(t *testing.T, e *engine.Engine, id string) string {
	t.Helper()
	if _, err := engine.Create(t.Context(), e, &seat{ID: id}, engine.Request{Machine: "seat"}); err != nil {
		t.Fatal(err)
	}
	return id
}

// A taken unique key of the user's is the same error on every database, and its request's alone.
func TestATakenKeyIsOneErrorEverywhere(t *testing.T) {
	n := 0
	seatKinds(t, func(t *testing.T, db *gorm.DB) {
		e := seats(t, db)
		n++
		fresh := func(name string) string { return fmt.Sprint(name, n) }
		one := "1A"
		if _, err := engine.Create(t.Context(), e, &seat{ID: fresh("first"), Place: &one}, engine.Request{Machine: "seat"}); err != nil {
			t.Fatal(err)
		}
		expect := func(where string, err error) {
			t.Helper()
			if !errors.Is(err, gorm.ErrDuplicatedKey) || dberr.Classify(err) != dberr.Duplicate || !strings.Contains(fmt.Sprint(err), "place") ||
				!strings.Contains(fmt.Sprint(err), "is taken") {
				t.Errorf("%s: %v", where, err)
			}
		}
		_, err := engine.Create(t.Context(), e, &seat{ID: fresh("second"), Place: &one}, engine.Request{Machine: "seat"})
		expect("create", err)
		for _, event := range []engine.Event{"set", "exec"} {
			id := makeSeat(t, e, fresh("alone_"+string(event)))
			_, err := e.Apply(t.Context(), engine.Request{Machine: "seat", ID: id, Event: event, Input: seatInput{Place: one}})
			expect(string(event), err)

			err = db.Transaction(func(tx *gorm.DB) error {
				_, err := e.ApplyTx(t.Context(), tx, engine.Request{Machine: "seat", ID: id, Event: event, Input: seatInput{Place: one}})
				expect(string(event)+" in a transaction", err)
				_, err = e.ApplyTx(t.Context(), tx, engine.Request{Machine: "seat", ID: id, Event: event, Input: seatInput{Place: "T" + string(event)}})
				return err
			})
			if err != nil {
				t.Errorf("%s: the transaction goes on: %v", event, err)
			}

			var rs []engine.Request
			for i, place := range []string{"2A", one, "2C", "2D"} {
				id := makeSeat(t, e, fresh(fmt.Sprint("many_", event, i)))
				rs = append(rs, engine.Request{Machine: "seat", ID: id, Event: event, Input: seatInput{Place: string(event) + place}})
			}
			rs[1].Input = seatInput{Place: one}
			for i, r := range e.ApplyAll(t.Context(), rs) {
				if i == 1 {
					expect(string(event)+" in a batch", r.Err())
				} else if r.Outcome != engine.Applied {
					t.Errorf("%s: a companion: %v", event, r.Err())
				}
			}
		}
	})
}

// Rows that an action leaves open are its own fault, by name, and nobody else's.
func TestRowsLeftOpenAreTold(t *testing.T) {
	n := 0
	seatKinds(t, func(t *testing.T, db *gorm.DB) {
		e := seats(t, db)
		n++
		for _, how := range []string{"return", "go on"} {
			var rs []engine.Request
			for i, place := range []string{"", how, ""} {
				id := makeSeat(t, e, fmt.Sprint(how, i, "_", n))
				rs = append(rs, engine.Request{Machine: "seat", ID: id, Event: "keep_open", Input: seatInput{Place: place}})
			}
			results := append(e.ApplyAll(t.Context(), rs), e.ApplyAll(t.Context(), rs[1:2])...)
			for i, r := range results {
				if i == 1 || i == 3 {
					if text := fmt.Sprint(r.Err()); r.Outcome != "" || !strings.Contains(text, "left open") || !strings.Contains(text, "action forgetful") {
						t.Errorf("%s: %s %s", how, r.Outcome, text)
					}
				} else if r.Outcome != engine.Applied {
					t.Errorf("%s: a companion: %s %v", how, r.Outcome, r.Err())
				}
			}
			err := db.Transaction(func(tx *gorm.DB) error {
				if r, err := e.ApplyTx(t.Context(), tx, rs[1]); r.Outcome != "" || !strings.Contains(fmt.Sprint(err), "left open") {
					t.Errorf("%s, in a transaction: %s %v", how, r.Outcome, err)
				}
				return tx.Exec("UPDATE seats SET place = NULL WHERE id = 'nobody'").Error
			})
			if err != nil {
				t.Errorf("%s: the transaction goes on: %v", how, err)
			}
		}
	})
}

// A timer that could not fire as meant is refused with its request, which names it.
func TestATimerThatCannotBeIsRefused(t *testing.T) {
	e := seats(t, enginetest.SQLite(t))
	for due, want := range map[string]string{
		"zero": "timer due: ", "zero elsewhere": "timer due: ", "no name": `timer "": `, "long name": `timer "nnn`,
		"unknown event": `timer due: the machine has no event "explode"`, "no event": `timer due: `,
	} {
		id := makeSeat(t, e, due)
		good := makeSeat(t, e, "beside "+due)
		results := e.ApplyAll(t.Context(), []engine.Request{
			{Machine: "seat", ID: good, Event: "arm", Input: seatInput{Due: "later"}},
			{Machine: "seat", ID: id, Event: "arm", Input: seatInput{Due: due}},
		})
		text := fmt.Sprint(results[1].Err())
		if results[1].Outcome != "" || !strings.Contains(text, want) || !strings.HasPrefix(text, "seat "+due+": arm: ") {
			t.Errorf("%s: %s %s", due, results[1].Outcome, text)
		}
		if results[0].Outcome != engine.Applied {
			t.Errorf("%s: a companion: %v", due, results[0].Err())
		}
	}
}
