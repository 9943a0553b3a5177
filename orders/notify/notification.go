// Package notify tells people what happened to their orders: one notification for each event and
// channel, however often the event's message comes. A notification has a life of its own, so that a
// crash at any moment leaves a state that says what is certain. A sender that cannot tell a repeat
// from something new, such as an SMS gateway, is never called twice for one notification.
package notify

import (
	_ "embed" // the table
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/schema"
)

//go:embed schema.sql
var schemaSQL string

//go:embed steps/2.sql
var step2 string

// Schema is the table of notifications.
var Schema = schema.Component{Name: "notify", Version: 2, Oldest: 1, DDL: schemaSQL, Steps: []schema.Step{{To: 2, SQL: step2}}}

// Machine is the name of the machine that drives a Notification.
const Machine = "notification"

// The states of a notification.
const (
	Queued    engine.State = "queued"
	Sending   engine.State = "sending"   // a sender has been or will be called
	Sent      engine.State = "sent"      // it said yes
	Failed    engine.State = "failed"    // it said no
	Uncertain engine.State = "uncertain" // it may have sent it: a person looks, nobody sends again
)

// The events of a notification.
const (
	EventQueue  engine.Event = "queue"  // creates one
	EventSend   engine.Event = "send"   // a sender is going to be called
	EventFinish engine.Event = "finish" // it said yes
	EventFail   engine.Event = "fail"   // it said no
	EventAgain  engine.Event = "again"  // it is called once more, later: only senders that know repeats
	EventDoubt  engine.Event = "doubt"  // nobody knows what it did
)

// Notification is the row.
type Notification struct {
	ID        string       `gorm:"primaryKey" engine:"id" json:"id"`
	State     engine.State `gorm:"column:status;<-:create" engine:"state" json:"state"`
	Version   int64        `gorm:"<-:create" engine:"version" json:"version"`
	Message   string       `json:"message_id"`
	Type      string       `json:"type"`
	OrderID   string       `json:"order_id"`
	Channel   string       `json:"channel"`
	Recipient string       `engine:"derived" json:"recipient"`
	Title     string       `engine:"derived" json:"title"`
	Text      string       `engine:"derived" json:"text"`
	Tries     int          `json:"tries"`
	NextAt    time.Time    `json:"next_at"`
	Problem   string       `json:"problem,omitempty"`
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
}

// TableName is for gorm.
func (Notification) TableName() string { return "notifications" }

// occasion is the input of the event queue: what makes two wishes for a notification the same.
type occasion struct {
	Message string `json:"message"`
	Channel string `json:"channel"`
}

// said is the input of the events that note what a sender said.
type said struct {
	Problem string    `json:"problem"`
	NextAt  time.Time `json:"next_at,omitzero"`
}

// Machines is the one machine, for an engine.
func Machines() []engine.AnyMachine {
	m, err := engine.NewMachine(engine.Definition[Notification]{
		Name: Machine, Exclusive: true,
		Events: map[engine.Event]engine.Spec{
			EventQueue: {Input: occasion{}}, EventSend: {Repeatable: true}, EventFinish: {}, EventFail: {Input: said{}},
			EventAgain: {Input: said{}, Repeatable: true}, EventDoubt: {Input: said{}},
		},
		Edges: []engine.Edge[Notification]{
			{Event: EventQueue, To: Queued, Actions: []engine.Action[Notification]{dueNow()}},
			{Event: EventSend, From: []engine.State{Queued}, To: Sending, Actions: []engine.Action[Notification]{countTry()}},
			{Event: EventFinish, From: []engine.State{Sending}, To: Sent},
			{Event: EventFail, From: []engine.State{Sending}, To: Failed, Actions: []engine.Action[Notification]{noteProblem()}},
			{Event: EventAgain, From: []engine.State{Sending}, To: Queued, Actions: []engine.Action[Notification]{noteProblem()}},
			{Event: EventDoubt, From: []engine.State{Sending}, To: Uncertain, Actions: []engine.Action[Notification]{noteProblem()}},
		},
	})
	if err != nil {
		panic(err) // the definition is constant, and tested
	}
	return []engine.AnyMachine{m}
}

func dueNow() engine.Action[Notification] {
	return engine.Set("due_now", func(c engine.Call[Notification, occasion], _ *engine.Effects) error {
		c.Subject.NextAt = c.Now
		return nil
	})
}

func countTry() engine.Action[Notification] {
	return engine.Set("count_try", func(c engine.Call[Notification, engine.NoInput], _ *engine.Effects) error {
		c.Subject.Tries++
		return nil
	})
}

func noteProblem() engine.Action[Notification] {
	return engine.Set("note_problem", func(c engine.Call[Notification, said], _ *engine.Effects) error {
		c.Subject.Problem = c.Input.Problem
		if !c.Input.NextAt.IsZero() {
			c.Subject.NextAt = c.Input.NextAt
		}
		return nil
	})
}
