package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/orderd/engine"
)

// Step sends what is due, and decides about what a crash has left. It is a worker's step, under the
// lease JobName. Two at the same time do no harm: a notification is sent by whoever moved it.
//
// Channels are read one by one and at the same time, those of other daemons' senders not at all: a sender
// that is away or slow holds up its own channel only. A channel is gone through from where the last step
// came to, so that what cannot be moved does not stay at its front. An error says that nothing went well.
func (n *Notifier) Step(ctx context.Context, _ int64) (more bool, err error) {
	moved, err := n.sweep(ctx)
	var mu sync.Mutex
	var all sync.WaitGroup
	failures := []error{err}
	for _, sender := range n.senders {
		all.Go(func() {
			sent, further, err := n.channel(ctx, sender)
			mu.Lock()
			defer mu.Unlock()
			moved, more, failures = moved+sent, more || further, append(failures, err)
		})
	}
	all.Wait()
	if err = errors.Join(failures...); err != nil && moved > 0 {
		n.cfg.Logger.WarnContext(ctx, "some notifications could not be moved, others were", "moved", moved, "error", err)
		err = nil
	}
	return more && err == nil, err
}

// channel sends what is due on one channel, part by part, until it is through or its time is over. It
// returns how many went well, and whether there may be more.
func (n *Notifier) channel(ctx context.Context, sender Sender) (sent int, more bool, err error) {
	if n.waits(ctx, sender) {
		return 0, false, nil
	}
	began := time.Now()
	var failures []error
	for more = true; more && ctx.Err() == nil && time.Since(began) < channelMax; {
		due, err := n.due(ctx, sender.Channel())
		if err != nil {
			return sent, false, errors.Join(append(failures, err)...)
		}
		more = len(due) == partMax
		errs := make([]error, len(due))
		var all sync.WaitGroup
		slots := make(chan struct{}, calls)
		for i, one := range due {
			slots <- struct{}{}
			if ctx.Err() != nil || time.Since(began) >= channelMax {
				n.goOn(sender.Channel(), due[:i])
				more, due = true, due[:i]
				break
			}
			all.Go(func() {
				defer func() { <-slots }()
				errs[i] = n.send(ctx, one)
			})
		}
		all.Wait()
		for _, err := range errs[:len(due)] {
			if err == nil {
				sent++
			} else {
				failures = append(failures, err)
			}
		}
	}
	return sent, more, errors.Join(failures...)
}

// goOn lets the next part of a channel begin behind what is done of this one.
func (n *Notifier) goOn(channel string, done []Notification) {
	if len(done) == 0 {
		return
	}
	last := done[len(done)-1]
	n.mu.Lock()
	defer n.mu.Unlock()
	n.places[channel] = place{last.NextAt, last.ID}
}

// waits asks a sender that can tell whether it is of any use to call it now.
func (n *Notifier) waits(ctx context.Context, sender Sender) (waits bool) {
	prober, can := sender.(Prober)
	if !can {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, sendMax)
	defer cancel()
	if err := probe(ctx, prober); err != nil {
		n.cfg.Logger.WarnContext(ctx, "notifications wait: their sender cannot be reached", "channel", sender.Channel(), "problem", err)
		return true
	}
	return false
}

func probe(ctx context.Context, p Prober) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return p.Ready(ctx)
}

// due reads the next part of what is due on a channel. After the last part it begins at the front.
func (n *Notifier) due(ctx context.Context, channel string) ([]Notification, error) {
	n.mu.Lock()
	after := n.places[channel]
	n.mu.Unlock()
	q := n.db.WithContext(ctx).Where("status = ? AND channel = ? AND next_at <= ?", Queued, channel, n.now())
	if after.id != "" {
		q = q.Where("next_at >= ? AND (next_at > ? OR id > ?)", after.at, after.at, after.id)
	}
	var due []Notification
	if err := q.Order("next_at, id").Limit(partMax).Find(&due).Error; err != nil {
		return nil, fmt.Errorf("notify: read what is due on %s: %w", channel, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.places[channel] = (place{}); len(due) == partMax {
		n.places[channel] = place{due[partMax-1].NextAt, due[partMax-1].ID}
	}
	return due, nil
}

// sweep decides about notifications whose sender was called by a process that never came back. It returns
// how many it moved.
func (n *Notifier) sweep(ctx context.Context) (moved int, err error) {
	n.mu.Lock()
	after := n.swept
	n.mu.Unlock()
	var lost []Notification
	err = n.db.WithContext(ctx).Where("status = ? AND updated_at < ? AND id > ?", Sending, n.now().Add(-lostAfter), after).
		Order("id").Limit(partMax).Find(&lost).Error
	if err != nil {
		return 0, fmt.Errorf("notify: look for what was left: %w", err)
	}
	n.mu.Lock()
	if n.swept = ""; len(lost) == partMax {
		n.swept = lost[partMax-1].ID
	}
	n.mu.Unlock()
	var failures []error
	for _, one := range lost {
		event := n.after(one, errors.New("the process ended while it was sending"))
		if _, err := n.move(ctx, one, event.name, event.said); err != nil && !errors.Is(err, engine.ErrStale) {
			failures = append(failures, err)
			continue
		}
		moved++
	}
	return moved, errors.Join(failures...)
}
