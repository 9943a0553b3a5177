package enginetest_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
)

type Lamp struct {
	ID      string       `gorm:"primaryKey" engine:"id"`
	Status  engine.State `gorm:"<-:create" engine:"state"`
	Version int64        `gorm:"<-:create" engine:"version"`
}

func lamps() (*engine.Machine[Lamp], error) {
	return engine.NewMachine(engine.Definition[Lamp]{
		Name:   "lamp",
		Events: map[engine.Event]engine.Spec{"make": {}, "light": {Repeatable: true}, "dim": {Repeatable: true}, "smash": {}},
		Edges: []engine.Edge[Lamp]{
			{Event: "make", To: "dark"},
			{Event: "light", From: []engine.State{"dark"}, To: "bright"},
			{Event: "dim", From: []engine.State{"bright"}, To: "dark"},
			{Event: "smash", From: []engine.State{"dark", "bright"}, To: "broken"},
		},
	})
}

func TestLampsAreSafeAgainstDuplicates(t *testing.T) {
	machine, err := lamps()
	if err != nil {
		t.Fatal(err)
	}
	kit := enginetest.Kit[Lamp]{
		Machine: machine,
		New:     func(n int) *Lamp { return &Lamp{ID: fmt.Sprint("lamp", n)} },
		Prepare: func(db *gorm.DB) error { return db.AutoMigrate(&Lamp{}) },
	}
	enginetest.Walk(t, enginetest.SQLite(t), kit)
	enginetest.Storm(t, enginetest.SQLite(t), kit, enginetest.Storms{})
}
