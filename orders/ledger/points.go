package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"example.com/orderd/engine"
	"example.com/orderd/engine/id"
	"example.com/orderd/engine/outbox"
	"example.com/orderd/orders"
)

// Rewards credits points, as a sink of messages: when an order completes, its customer gets a point for
// each whole unit of its currency that they have paid. However often the message comes, and however many
// processes work on it, there is one points account per customer and currency, and each order is
// credited once: the credit is a transfer whose key is this consumer and the message.
type Rewards struct{ ledger *Ledger }

var _ outbox.Sink = (*Rewards)(nil)

// NewRewards makes the consumer.
func (l *Ledger) NewRewards() *Rewards { return &Rewards{ledger: l} }

// rewardCalls is how many messages are worked on at a time: a batcher lets them share transactions.
const rewardCalls = 64

// rewardsPart is the part of the system that credits points, and its name as a sink.
const rewardsPart = "points"

// Name is the sink's name.
func (*Rewards) Name() string { return rewardsPart }

// Send credits what messages give occasion to.
func (w *Rewards) Send(ctx context.Context, ms []outbox.Message) []error {
	return outbox.Each(ms, rewardCalls, func(m outbox.Message) error { return w.take(ctx, m) })
}

// occasion is the type of the messages that earn points.
const occasion = "order.completed"

func (w *Rewards) take(ctx context.Context, m outbox.Message) error {
	if m.Machine != orders.MachineOrder || m.Type != occasion {
		return nil
	}
	var o orders.OrderMessage // not the row: what is asked for under one key must always be the same
	if err := json.Unmarshal(m.Data, &o); err != nil {
		return fmt.Errorf("points: %s: %w", m.ID, err)
	}
	n := earned(o)
	if n == 0 || o.CustomerRef == "" || o.CustomerRef == System {
		return nil
	}
	by := engine.SourceSystem + rewardsPart
	wanted := NewAccount{Owner: o.CustomerRef, Kind: Points, Currency: o.Currency}
	account, _, err := w.ledger.open(ctx, engine.Request{Actor: by}, wanted)
	if err != nil {
		return err
	}
	_, _, err = w.ledger.deposit(ctx, account.ID, n, engine.Request{
		Key: engine.Key{Source: by, Seq: seqOf(m.ID)}, Actor: by, Reason: "order " + o.ID,
	})
	return err
}

// earned is a point for each whole unit of the order's currency.
func earned(o orders.OrderMessage) int64 {
	n := o.PaidAmount
	digits, _ := orders.Exponent(o.Currency)
	for range digits {
		n /= 10
	}
	return n
}

// seqOf names a message in a key, by its hash if the id is too long.
func seqOf(message string) string { return id.Bounded(message, 255) }
