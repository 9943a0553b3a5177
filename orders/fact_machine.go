package orders

import (
	"context"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/orders/provider"
)

// MachineFact is the name of the machine that drives a Fact.
const MachineFact = "payment_fact"

// The states of a fact.
const (
	FactReceived engine.State = "received" // kept, not decided yet
	FactApplied  engine.State = "applied"  // it had its effect; nothing is left to do
	FactDesk     engine.State = "desk"     // a person has to decide about DeskAmount
)

// The events of a fact.
const (
	EventReceive    engine.Event = "receive"    // creates a fact
	EventContradict engine.Event = "contradict" // creates another version of a fact, for the desk
	EventHold       engine.Event = "hold"       // creates what an ended order was paid in part, for the desk
	EventApply      engine.Event = "apply"
	EventPark       engine.Event = "park" // lays it on the desk
)

// factMachine defines the life of a fact.
func (cfg Config) factMachine() (*engine.Machine[Fact], error) {
	received := []engine.State{FactReceived}
	return engine.NewMachine(engine.Definition[Fact]{
		Name: MachineFact, Exclusive: true,
		Events: map[engine.Event]engine.Spec{
			EventReceive:    {Input: receipt{}, Factual: true},
			EventContradict: {Input: receipt{}, Factual: true},
			EventHold:       {Factual: true},
			EventApply:      {Input: decision{}},
			EventPark:       {Input: decision{}},
		},
		Edges: []engine.Edge[Fact]{
			{Event: EventReceive, To: FactReceived},
			{Event: EventContradict, To: FactDesk},
			{Event: EventHold, To: FactDesk},
			{Event: EventApply, From: received, To: FactApplied, Actions: []engine.Action[Fact]{noteDecision()}},
			{Event: EventPark, From: received, To: FactDesk, Actions: []engine.Action[Fact]{noteDecision()}},
		},
	})
}

func noteDecision() engine.Action[Fact] {
	return engine.Set("note_decision", func(c engine.Call[Fact, decision], _ *engine.Effects) error {
		f, d := c.Subject, c.Input
		f.PaymentID, f.OrderID = d.Payment, d.Order
		f.AppliedAmount, f.DeskAmount, f.DeskReason = d.Applied, d.Desk, d.Reason
		return nil
	})
}

// holdMoney lays what an order was paid in part on the desk, in the transaction that ends the order.
func (cfg Config) holdMoney() engine.Action[Order] {
	return engine.Exec("hold_money", func(ctx context.Context, tx *gorm.DB, c orderCall) error {
		o := c.Subject
		by := engine.Transition{Machine: MachineOrder, Subject: o.ID, Version: c.Version}
		_, err := engine.Create(ctx, engine.InTx(tx), &Fact{
			ID: cfg.NewID("fact"), Provider: providerShop, Kind: provider.Kind("order." + string(c.To)),
			TransactionID: o.ID, Reference: o.ID, Amount: o.PaidAmount, Currency: o.Currency, OrderID: o.ID,
			DeskAmount: o.PaidAmount, DeskReason: DeskHeld,
		}, engine.Request{
			Machine: MachineFact, Event: EventHold, Actor: c.Request.Actor, Reason: c.Request.Reason,
			Key: engine.CauseKey(by, MachineFact, "", EventHold),
		})
		return err
	})
}
