package engine_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
)

// Nobody can take the key that a row's adoption will have: the row could never be adopted, nor move.
func TestTheKeysOfAdoptionsAreTheEnginesOwn(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db *gorm.DB) {
		if err := db.AutoMigrate(&ticket{}); err != nil {
			t.Fatal(err)
		}
		e, err := engine.New(db, engine.Config{}, ticketMachine(t))
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, e)
		if err := errors.Join(db.Create(&ticket{ID: "a", Status: "sold"}).Error, db.Create(&ticket{ID: "b", Status: "sold"}).Error); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "b"} {
			key := engine.Key{Source: "system:adopt", Seq: "ticket/" + id}
			_, err := engine.Create(t.Context(), e, &ticket{ID: "c"}, engine.Request{Machine: "ticket", Key: key})
			if !errors.Is(err, engine.ErrBadRequest) {
				t.Errorf("created with it: %v", err)
			}
			if _, err := e.ByKey(t.Context(), key); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("before: %v", err)
			}
		}
		if n, err := e.Adopt(t.Context(), "ticket", 1); n != 1 || err != nil {
			t.Errorf("adopted %d, %v", n, err)
		}
		if _, err := e.Apply(t.Context(), engine.Request{Machine: "ticket", ID: "b", Event: "use"}); err != nil {
			t.Error(err)
		}
		for _, id := range []string{"a", "b"} {
			adopted, err := e.ByKey(t.Context(), engine.Key{Source: "system:adopt", Seq: "ticket/" + id})
			if err != nil || adopted.Event != "adopt" || adopted.Subject != id {
				t.Errorf("%+v, %v", adopted, err)
			}
		}
	})
}
