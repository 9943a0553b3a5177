package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/retry"
	"example.com/orderd/engine/schema"
)

// Draft is what somebody is to be told.
type Draft struct{ Channel, Recipient, Title, Text string }

// Config is what a Notifier needs. Compose must be given.
type Config struct {
	// Compose says who is to be told of a message, and what: at most one draft for each channel. It may
	// be called again for the same message; the first answer that was kept counts.
	Compose func(ctx context.Context, m outbox.Message) ([]Draft, error)

	Senders []Sender
	Now     func() time.Time // default time.Now
	Rand    func() float64   // jitter in [0,1); default math/rand
	NewID   func(prefix string) string
	Logger  *slog.Logger // default slog.Default
	Wake    func()       // told when there is something to send
}

// Notifier queues notifications, as a sink of messages, and sends them, as a worker's job.
type Notifier struct {
	cfg     Config
	db      *gorm.DB
	apply   engine.Applier
	senders map[string]Sender
	rule    retry.Rule // for senders that know repeats

	mu     sync.Mutex
	places map[string]place // by channel: how far this process has come
	swept  string           // id of the last one that it decided about
}

// place is one in the queue of a channel. The zero value is its front.
type place struct {
	at time.Time
	id string
}

var _ outbox.Sink = (*Notifier)(nil)

// JobName is the name of the lease under which notifications are sent, and the part of the system that
// moves them.
const JobName = "notify"

const source = engine.SourceSystem + JobName

// Bounds of sending.
const (
	queueCalls = 64               // messages at a time: a batcher lets them share transactions
	partMax    = 50               // notifications that are read at a time
	channelMax = 20 * time.Second // after which a step begins no further call on a channel
	calls      = 8                // at a time, on each channel
	triesMax   = 8                // calls of a sender that knows repeats
	pauseMin   = 2 * time.Second  // between them, doubling
	pauseMax   = 128 * time.Second
	lostAfter  = 3 * sendMax
)

// New makes a Notifier on a database with the table of Schema. apply must run Machines.
func New(ctx context.Context, db *gorm.DB, apply engine.Applier, cfg Config) (*Notifier, error) {
	if err := schema.Check(ctx, db, Schema); err != nil {
		return nil, err
	}
	if cfg.Compose == nil {
		return nil, errors.New("notify: Compose must be given")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = id.New
	}
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Wake == nil {
		cfg.Wake = func() {}
	}
	n := &Notifier{
		cfg: cfg, db: db.Session(&gorm.Session{NewDB: true, Logger: logger.Discard}), apply: apply,
		senders: map[string]Sender{}, places: map[string]place{},
		rule: retry.Rule{Pauses: retry.Doubling(pauseMin, pauseMax), Tries: triesMax, Rand: cfg.Rand},
	}
	for _, s := range cfg.Senders {
		if n.senders[s.Channel()] != nil {
			return nil, fmt.Errorf("notify: two senders for the channel %q", s.Channel())
		}
		n.senders[s.Channel()] = s
	}
	return n, nil
}

// Migrate creates the table where it is missing.
func Migrate(ctx context.Context, db *gorm.DB) error {
	return schema.Migrate(ctx, db, Schema)
}

// Name is the sink's name.
func (*Notifier) Name() string { return "notifications" }

// Send queues what messages give occasion to: one notification for each message and channel, by a key
// made of both.
func (n *Notifier) Send(ctx context.Context, ms []outbox.Message) []error {
	return outbox.Each(ms, queueCalls, func(m outbox.Message) error { return n.queue(ctx, m) })
}

func (n *Notifier) queue(ctx context.Context, m outbox.Message) error {
	drafts, err := n.cfg.Compose(ctx, m)
	if err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	for _, d := range drafts {
		if n.senders[d.Channel] == nil {
			return fmt.Errorf("there is no sender for the channel %q", d.Channel)
		}
		row := &Notification{
			ID: n.cfg.NewID("ntf"), Message: m.ID, Type: m.Type, OrderID: m.Subject, Channel: d.Channel,
			Recipient: retry.Text(d.Recipient, 320), Title: retry.Text(d.Title, 255), Text: retry.Text(d.Text, 8000),
		}
		_, err := engine.Create(ctx, n.apply, row, engine.Request{
			Machine: Machine, Event: EventQueue, Input: occasion{m.ID, d.Channel}, Actor: source, Key: keyOf(d.Channel, m.ID),
		})
		if err != nil {
			return err
		}
	}
	if len(drafts) > 0 {
		n.cfg.Wake()
	}
	return nil
}

// keyOf is the key of the one notification of a message on a channel. A long id is named by its hash.
func keyOf(channel, message string) engine.Key {
	return engine.Key{Source: source, Seq: channel + "/" + id.Bounded(message, seqMax-len(channel)-len("/"))}
}

// seqMax bounds the seq of a key, in bytes.
const seqMax = 255

func (n *Notifier) now() time.Time { return engine.StoredTime(n.cfg.Now()) }

// send calls the sender of a notification, if it is this call that takes it.
func (n *Notifier) send(ctx context.Context, one Notification) error {
	sender := n.senders[one.Channel]
	result, err := n.move(ctx, one, EventSend, nil)
	switch {
	case errors.Is(err, engine.ErrStale), err == nil && result.Outcome != engine.Applied:
		return nil // somebody else has it
	case err != nil:
		return err // if it was taken, sweep decides
	}
	one.Version, one.State = result.Version, result.State
	one.Tries++
	// A call that has begun is brought to its end, also when the step is told to end: cut off, it would
	// leave the notification uncertain.
	calling, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendMax)
	err = call(calling, sender, one)
	cancel()
	event := n.after(one, err)
	// What the sender said is written down even if the step was told to end meanwhile.
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendMax)
	defer cancel()
	if event.name != EventFinish {
		n.cfg.Logger.WarnContext(ctx, "a notification was not sent, as far as is known",
			"notification", one.ID, "channel", one.Channel, "order", one.OrderID, "event", event.name, "problem", err)
	}
	_, err = n.move(noting, one, event.name, event.said)
	return err
}

// call calls a sender. After a panic nobody knows what it did.
func call(ctx context.Context, s Sender, n Notification) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return s.Send(ctx, n)
}

// what is an event and its input.
type what struct {
	name engine.Event
	said any
}

// after is what follows from what a sender said about a notification.
func (n *Notifier) after(one Notification, err error) what {
	if err == nil {
		return what{EventFinish, nil}
	}
	sender := n.senders[one.Channel]
	note := n.rule.Failed(n.now(), one.Tries-1, err)
	switch knows := sender != nil && sender.KnowsRepeats(); {
	case knows && !note.Parked:
		return what{EventAgain, said{note.Problem, note.NextAt}}
	case knows, errors.Is(err, ErrNotSent):
		return what{EventFail, said{Problem: note.Problem}}
	}
	return what{EventDoubt, said{Problem: note.Problem}}
}

// move asks for an event at the version that was read, so that only one who read it gets it.
func (n *Notifier) move(ctx context.Context, one Notification, event engine.Event, input any) (engine.Result, error) {
	return n.apply.Apply(ctx, engine.Request{
		Machine: Machine, ID: one.ID, Event: event, Input: input, Actor: source, IfVersion: one.Version,
		Key: engine.Key{Source: source, Seq: fmt.Sprintf("%s/%s/%d", one.ID, event, one.Version)},
	})
}
