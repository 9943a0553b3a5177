package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/once"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/engine/outbox/kafkasink"
	"example.com/orderd/engine/outbox/natssink"
	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/engine/timer"
	"example.com/orderd/engine/worker"
	"example.com/orderd/orders/notify"
)

// background is what the daemon does without being asked. Several daemons on one database share it:
// each job is one daemon's at a time, under a lease.
type background struct {
	relay    *outbox.Relay
	queue    *outbox.Queue
	webhooks *webhook.Webhooks
	timers   *timer.Timers
	timing   *timer.Queue
	notifier *notify.Notifier
	tokens   *once.Tokens
	jobs     *once.Jobs
	closers  []func()

	relayBell, webhookBell, notifyBell worker.Bell
}

// How often jobs look for themselves; they are woken when there is something to do.
const (
	relayEvery   = 100 * time.Millisecond // for what other daemons commit
	webhookEvery = 500 * time.Millisecond
	notifyEvery  = time.Second
	notifyMax    = 5 * time.Minute // of one step: senders may be slow
	timerEvery   = 200 * time.Millisecond
	settleEvery  = 3 * time.Second
	settleBatch  = 100              // facts in one pass
	retainEvery  = 10 * time.Minute // asks whether it was done today
	retainMax    = 15 * time.Minute // of one day's retention
	trimBatch    = 1000             // rows of one kind at a time
	leaseTime    = 6 * time.Second
)

// How long what has ended is kept.
const (
	messagesKept   = 14 * 24 * time.Hour
	timersKept     = 14 * 24 * time.Hour
	deliveriesKept = 30 * 24 * time.Hour
)

// assembleBackground makes the parts. Nothing runs until startWorker.
func (d *daemon) assembleBackground(ctx context.Context) (err error) {
	b := &d.background
	b.relayBell, b.webhookBell, b.notifyBell = worker.NewBell(), worker.NewBell(), worker.NewBell()
	db := d.database.Gorm
	b.webhooks, err = webhook.New(ctx, db, webhook.Config{
		Guard: d.guard, NewID: id.New, Random: random, Now: d.now, Logger: d.log, Posted: d.metrics.Posted, Wake: b.webhookBell.Ring,
	})
	if err != nil {
		return err
	}
	b.closers = append(b.closers, b.webhooks.Close)
	if b.notifier, err = d.newNotifier(ctx); err != nil {
		return err
	}
	if b.jobs, err = once.NewJobs(ctx, db, once.Config{Now: d.now}); err != nil {
		return err
	}
	sinks := []outbox.Sink{b.webhooks, b.notifier, d.ledger.NewRewards()}
	if d.secrets.nats != "" {
		sink, err := natssink.New(natssink.Config{URL: d.secrets.nats, Logger: d.log})
		if err != nil {
			return err
		}
		sinks, b.closers = append(sinks, sink), append(b.closers, sink.Close)
	}
	if d.secrets.kafka != "" {
		c := kafkasink.Parse(d.secrets.kafka)
		c.Logger = d.log
		sink, err := kafkasink.New(c)
		if err != nil {
			return err
		}
		sinks, b.closers = append(sinks, sink), append(b.closers, sink.Close)
	}
	b.relay, err = outbox.NewRelay(ctx, db, outbox.Config{Now: d.now, Logger: d.log, Handed: d.metrics.Handed,
		Parked: d.metrics.Parked}, sinks...)
	if err != nil {
		return err
	}
	if b.queue, err = outbox.NewQueue(ctx, db, d.now); err != nil {
		return err
	}
	d.metrics.Backlog(b.queue.Backlog)
	if b.timing, err = timer.NewQueue(ctx, db, d.now); err != nil {
		return err
	}
	b.timers, err = timer.New(ctx, db, d.batcher, timer.Config{Now: d.now, Logger: d.log, Fired: d.metrics.Fired})
	return err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, says its documentation
	return b
}

// observe hears of every answer of the engine, after its commit.
func (d *daemon) observe(o engine.Observation) {
	d.metrics.Observe(o)
	if outbox.Wake(o) {
		d.background.relayBell.Ring()
	}
}

// startWorker starts all jobs.
func (d *daemon) startWorker(ctx context.Context) (*worker.Worker, error) {
	leases, err := d.leases(ctx)
	if err != nil {
		return nil, err
	}
	b := &d.background
	cfg := worker.Config{Log: d.log, Failed: d.metrics.JobFailed, Leases: leases}
	return worker.Start(context.WithoutCancel(ctx), cfg, // requests come first when stopping
		worker.Job{Name: outbox.RelayName, Step: b.relay.Step, Every: relayEvery, Wake: b.relayBell},
		worker.Job{Name: webhook.SenderName, Step: b.webhooks.Step, Every: webhookEvery, Wake: b.webhookBell},
		worker.Job{Name: notify.JobName, Step: b.notifier.Step, Every: notifyEvery, Wake: b.notifyBell, Limit: notifyMax},
		worker.Job{Name: timer.Name, Step: b.timers.Step, Every: timerEvery},
		worker.Job{Name: "settle", Step: d.settle, Every: settleEvery},
		worker.Job{Name: "retention", Step: d.retain, Every: retainEvery, Limit: 2 * retainMax},
	), nil
}

// settle decides facts that a crash has left undecided.
func (d *daemon) settle(ctx context.Context, _ int64) (bool, error) {
	n, err := d.shop.Settle(ctx, settleBatch)
	if ctx.Err() == nil { // else told to stop; the next start goes on
		d.metrics.Settled(err)
	}
	return n == settleBatch, err
}

// daily is the quiet job that removes what is old: done once a day by one daemon, whoever asks first.
var daily = once.Job{Name: "retention", Every: 24 * time.Hour, Limit: retainMax}

func (d *daemon) retain(ctx context.Context, _ int64) (more bool, err error) {
	_, err = d.background.jobs.Run(ctx, daily, d.trim)
	return false, err
}

// trim removes what is old.
func (d *daemon) trim(ctx context.Context) error {
	b := &d.background
	var errs []error
	for _, one := range []struct {
		what string
		trim func(context.Context) (int, error)
	}{
		{"messages", kept(b.queue.Trim, messagesKept)},
		{"timers", kept(b.timers.Trim, timersKept)},
		{"deliveries", kept(b.webhooks.Trim, deliveriesKept)},
		{"attempts", func(ctx context.Context) (int, error) { return d.engine.TrimAttempts(ctx, trimBatch) }},
		{"submit tokens", func(ctx context.Context) (int, error) { return b.tokens.Trim(ctx, trimBatch) }},
	} {
		for more := true; more; {
			n, err := one.trim(ctx)
			if err != nil {
				errs = append(errs, fmt.Errorf("remove old %s: %w", one.what, err))
			}
			more = n >= trimBatch && err == nil
		}
	}
	return errors.Join(errs...)
}

func kept(trim func(context.Context, time.Duration, int) (int, error), keep time.Duration) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) { return trim(ctx, keep, trimBatch) }
}

// close ends what assembleBackground has opened, the last first.
func (b *background) close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
}
