// Package engine drives rows of your own tables through a finite state machine so that every request
// takes effect at most once, and tells every caller precisely what happened.
//
// A machine is made of a Definition: events, and edges that say which event leads from which states to
// which, under which guards, with which actions. The row is a gorm model of yours; tags say which of
// its fields are key, state and version.
//
//	type Order struct {
//		ID      string       `gorm:"primaryKey" engine:"id"`
//		Status  engine.State `gorm:"<-:create" engine:"state"`
//		Version int64        `gorm:"<-:create" engine:"version"`
//	}
//
//	machine, err := engine.NewMachine(engine.Definition[Order]{
//		Name:   "order",
//		Events: map[engine.Event]engine.Spec{"place": {}, "ship": {}},
//		Edges: []engine.Edge[Order]{
//			{Event: "place", To: "placed"},
//			{Event: "ship", From: []engine.State{"placed"}, To: "shipped"},
//		},
//	})
//
// An Engine applies requests. Each is decided from the subject's row, its key and, if need be, its
// history; then one transaction moves the row on the condition that it is still where it was read,
// and writes history, messages and timers.
//
//	eng, err := engine.New(db, engine.Config{}, machine)
//	result, err := engine.Create(ctx, eng, &Order{ID: "o1"}, engine.Request{Machine: "order"})
//	result, err = eng.Apply(ctx, engine.Request{Machine: "order", ID: "o1", Event: "ship"})
//
// The error is nil if the effect stands, whether this call brought it about (Applied) or an earlier
// one (Already). Every other Outcome is an *Error that matches one sentinel and carries the Result.
package engine
