package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/internal/id"
	"example.com/orderd/internal/sqldb"
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
	NewID   func(prefix string) string
	Logger  *slog.Logger // default slog.Default
	Wake    func()       // told when there is something to send
}

// Notifier queues notifications, as a sink of messages, and sends them, as a worker's job.
type Notifier struct {
	cfg     Config
	db      *sqldb.DB
	apply   engine.Applier
	senders map[string]Sender
}

var _ outbox.Sink = (*Notifier)(nil)

// JobName is the name of the lease under which notifications are sent, and the part of the system that
// moves them.
const JobName = "notify"

const source = engine.SourceSystem + JobName

// Bounds of sending.
const (
	queueCalls = 64 // messages at a time: a batcher lets them share transactions
	stepMax    = 50 // notifications of one step
	stepCalls  = 8  // of them at a time
	triesMax   = 8  // calls of a sender that knows repeats
	lostAfter  = 3 * sendMax
)

// New makes a Notifier on a database with the table of Schema. apply must run Machines.
func New(ctx context.Context, db *gorm.DB, apply engine.Applier, cfg Config) (*Notifier, error) {
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return nil, err
	}
	if err := sqldb.CheckVersion(ctx, d, Schema); err != nil {
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
	n := &Notifier{cfg: cfg, db: d, apply: apply, senders: map[string]Sender{}}
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
	d, err := sqldb.Wrap(ctx, db)
	if err != nil {
		return err
	}
	return sqldb.Migrate(ctx, d, Schema)
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
			Recipient: cut(d.Recipient, 320), Title: cut(d.Title, 255), Text: cut(d.Text, 8000),
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
	seq := channel + "/" + message
	if len(seq) > seqMax {
		seq = fmt.Sprintf("%s/sha256:%x", channel, sha256.Sum256([]byte(message)))
	}
	return engine.Key{Source: source, Seq: seq}
}

// seqMax bounds the seq of a key, in bytes.
const seqMax = 255

// Step sends what is due, and decides about what a crash has left. It is a worker's step, under the
// lease JobName. Two at the same time do no harm: a notification is sent by whoever moved it.
func (n *Notifier) Step(ctx context.Context, _ int64) (more bool, err error) {
	if err := n.sweep(ctx); err != nil {
		return false, err
	}
	var due []Notification
	err = n.db.Gorm(ctx).Where("status = ? AND next_at <= ?", Queued, n.now()).Order("next_at, id").Limit(stepMax).Find(&due).Error
	if err != nil {
		return false, fmt.Errorf("notify: read what is due: %w", err)
	}
	waiting := n.waiting(ctx, due)
	errs := make([]error, len(due))
	var all sync.WaitGroup
	slots := make(chan struct{}, stepCalls)
	for i, one := range due {
		if waiting[one.Channel] || ctx.Err() != nil {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = n.send(ctx, one)
		})
	}
	all.Wait()
	return len(due) == stepMax && len(waiting) == 0, errors.Join(errs...)
}

// waiting are the channels of some notifications whose senders cannot be called now.
func (n *Notifier) waiting(ctx context.Context, due []Notification) map[string]bool {
	asked, waiting := map[string]bool{}, map[string]bool{}
	for _, one := range due {
		sender, can := n.senders[one.Channel].(Prober)
		if !can || asked[one.Channel] {
			continue
		}
		asked[one.Channel] = true
		probing, cancel := context.WithTimeout(ctx, sendMax)
		err := sender.Ready(probing)
		cancel()
		if err != nil {
			waiting[one.Channel] = true
			n.cfg.Logger.WarnContext(ctx, "notifications wait: their sender cannot be reached", "channel", one.Channel, "problem", err)
		}
	}
	return waiting
}

func (n *Notifier) now() time.Time { return n.cfg.Now().UTC().Truncate(sqldb.Precision) }

// sweep decides about notifications whose sender was called by a process that never came back.
func (n *Notifier) sweep(ctx context.Context) error {
	var lost []Notification
	err := n.db.Gorm(ctx).Where("status = ? AND updated_at < ?", Sending, n.now().Add(-lostAfter)).Order("id").Limit(stepMax).Find(&lost).Error
	if err != nil {
		return fmt.Errorf("notify: look for what was left: %w", err)
	}
	for _, one := range lost {
		event := n.after(one, errors.New("the process ended while it was sending"))
		if _, err := n.move(ctx, one, event.name, event.said); err != nil && !errors.Is(err, engine.ErrStale) {
			return err
		}
	}
	return nil
}

// send calls the sender of a notification, if it is this call that takes it.
func (n *Notifier) send(ctx context.Context, one Notification) error {
	sender := n.senders[one.Channel]
	if sender == nil { // one that this daemon does not have: another may
		return nil
	}
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
	sender := n.senders[one.Channel]
	switch {
	case err == nil:
		return what{EventFinish, nil}
	case sender != nil && sender.KnowsRepeats() && one.Tries < triesMax:
		return what{EventAgain, said{cut(err.Error(), 1000), n.now().Add(time.Second << one.Tries)}}
	case errors.Is(err, ErrNotSent), sender != nil && sender.KnowsRepeats():
		return what{EventFail, said{Problem: cut(err.Error(), 1000)}}
	}
	return what{EventDoubt, said{Problem: cut(err.Error(), 1000)}}
}

// move asks for an event at the version that was read, so that only one who read it gets it.
func (n *Notifier) move(ctx context.Context, one Notification, event engine.Event, input any) (engine.Result, error) {
	return n.apply.Apply(ctx, engine.Request{
		Machine: Machine, ID: one.ID, Event: event, Input: input, Actor: source, IfVersion: one.Version,
		Key: engine.Key{Source: source, Seq: fmt.Sprintf("%s/%s/%d", one.ID, event, one.Version)},
	})
}

func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}
