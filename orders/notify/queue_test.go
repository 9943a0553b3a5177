package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"example.com/orderd/engine"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/orders/notify"
)

// desk is a sender on a channel of its own.
type desk struct {
	channel string
	ready   func() error
	say     func() error
	mu      sync.Mutex
	got     []string
}

func (d *desk) Channel() string    { return d.channel }
func (d *desk) KnowsRepeats() bool { return false }

func (d *desk) Ready(context.Context) error {
	if d.ready == nil {
		return nil
	}
	return d.ready()
}

func (d *desk) Send(_ context.Context, n notify.Notification) error {
	d.mu.Lock()
	d.got = append(d.got, n.OrderID)
	d.mu.Unlock()
	if d.say == nil {
		return nil
	}
	return d.say()
}

// with makes a notifier that tells of each message on the channel that its type names.
func (r *rig) with(apply engine.Applier, senders ...notify.Sender) *notify.Notifier {
	r.t.Helper()
	n, err := notify.New(r.t.Context(), r.db, apply, notify.Config{
		Senders: senders, Now: r.clock.Now, Logger: quiet,
		Compose: func(_ context.Context, m outbox.Message) ([]notify.Draft, error) {
			return []notify.Draft{{Channel: strings.TrimPrefix(m.Type, "by."), Recipient: "x", Title: m.Type, Text: m.Subject}}, nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) handMany(n *notify.Notifier, channel, prefix string, many int) {
	r.t.Helper()
	var ms []outbox.Message
	for i := range many {
		m := message(fmt.Sprintf("%s-%s%03d", channel, prefix, i))
		m.Type = "by." + channel
		ms = append(ms, m)
	}
	r.hand(n, ms...)
}

// A channel whose sender is away, panics when it is asked, or is another daemon's, holds up no other; its
// notifications have lost nothing by it.
func TestAChannelThatWaitsHoldsUpNoOther(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		away := &desk{channel: "away", ready: func() error { return errors.New("no route") }}
		odd := &desk{channel: "odd", ready: func() error { panic("on purpose") }}
		foreign, mail := &desk{channel: "foreign"}, &desk{channel: "mail"}
		all := r.with(r.engine, away, odd, foreign, mail)
		for _, channel := range []string{"away", "odd", "foreign"} {
			r.handMany(all, channel, "n", 60)
		}
		r.clock.Advance(1000)
		r.handMany(all, "mail", "n", 60)
		ours := r.with(r.engine, away, odd, mail)
		r.step(ours)
		if len(mail.got) != 60 || len(away.got)+len(odd.got)+len(foreign.got) != 0 {
			t.Errorf("%d by mail, %d by others", len(mail.got), len(away.got)+len(odd.got)+len(foreign.got))
		}
		away.ready, odd.ready = nil, nil
		r.step(all)
		if n := len(away.got) + len(odd.got) + len(foreign.got); n != 180 {
			t.Errorf("%d were sent in the end", n)
		}
		if got := r.states(); got[notify.Sent] != 200 { // as many as a list shows
			t.Errorf("%v", got)
		}
	})
}

// A sender that is slow takes its own channel's time.
func TestASlowSenderHoldsUpNoOther(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		mailed := make(chan struct{})
		var once sync.Once
		mail := &desk{channel: "mail", say: func() error { once.Do(func() { close(mailed) }); return nil }}
		slow := &desk{channel: "slow", say: func() error { <-mailed; return nil }} // each waits for a mail
		n := r.with(r.engine, slow, mail)
		r.handMany(n, "slow", "n", 20)
		r.clock.Advance(1000)
		r.handMany(n, "mail", "n", 1)
		r.step(n)
		if len(mail.got) != 1 || len(slow.got) != 20 {
			t.Errorf("%d by mail, %d slowly", len(mail.got), len(slow.got))
		}
	})
}

// stuck is an engine that fails over some notifications.
type stuck struct {
	*engine.Engine
	orders map[string]string // by notification
}

func (s stuck) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	if strings.HasPrefix(s.orders[r.ID], "ord_mail-bad") {
		return engine.Result{}, errors.New("it cannot be moved")
	}
	return s.Engine.Apply(ctx, r)
}

// Notifications that cannot even be moved stay where they are, at the front: those behind them are sent.
func TestANotificationThatFailsDoesNotHeadTheQueue(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		mail := &desk{channel: "mail"}
		r.handMany(r.with(r.engine, mail), "mail", "bad", 120)
		r.clock.Advance(1000)
		r.handMany(r.with(r.engine, mail), "mail", "good", 3)
		var rows []notify.Notification
		if err := r.db.Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		orders := map[string]string{}
		for _, row := range rows {
			orders[row.ID] = row.OrderID
		}
		n := r.with(stuck{r.engine, orders}, mail)
		r.step(n)
		if len(mail.got) != 3 {
			t.Errorf("%d were sent", len(mail.got))
		}
		if _, err := n.Step(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "cannot be moved") {
			t.Errorf("a step in which nothing went well: %v", err)
		}
		mail.got = nil
		r.step(r.with(r.engine, mail))
		if len(mail.got) != 120 {
			t.Errorf("%d were sent in the end", len(mail.got))
		}
	})
}
