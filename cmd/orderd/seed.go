package main

import (
	"context"
	"errors"
	"fmt"

	"example.com/orderd/cmd/orderd/internal/callback"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
	"example.com/orderd/orders/provider"
)

// demo is what development starts with. Every step is keyed, so that it happens once per database.
var demo = []struct {
	customer string
	item     orders.Item
	paid     bool // by the fake provider
	events   []engine.Event
}{
	{customer: "ada", item: orders.Item{SKU: "BOOK-1", Name: "Notes on the Analytical Engine", Quantity: 1, UnitPrice: 2900}},
	{customer: "grace", item: orders.Item{SKU: "MUG-7", Name: "Mug with a moth", Quantity: 2, UnitPrice: 1250}, paid: true},
	{customer: "edsger", item: orders.Item{SKU: "PEN-3", Name: "Fountain pen", Quantity: 1, UnitPrice: 4990}, paid: true,
		events: []engine.Event{orders.EventShip}},
	{customer: "barbara", item: orders.Item{SKU: "LAMP-2", Name: "Desk lamp", Quantity: 1, UnitPrice: 6900}, paid: true,
		events: []engine.Event{orders.EventShip, orders.EventDeliver}},
	{customer: "tony", item: orders.Item{SKU: "NULL-1", Name: "Empty box", Quantity: 3, UnitPrice: 100},
		events: []engine.Event{orders.EventCancel}},
	{customer: "leslie", item: orders.Item{SKU: "CLOCK-9", Name: "Wall clock", Quantity: 1, UnitPrice: 3500},
		events: []engine.Event{orders.EventCancel}, paid: true}, // cancelled first: its money waits at the desk
}

// seed puts the demo orders in.
func (d *daemon) seed(ctx context.Context) error {
	by := orders.Caller{Principal: "demo", Actor: "demo"}
	for i, want := range demo {
		name := fmt.Sprintf("demo-%d", i+1)
		o, _, err := d.shop.Place(ctx, by, name, orders.NewOrder{
			Currency: "EUR", Items: []orders.Item{want.item}, CustomerRef: want.customer,
		})
		if errors.Is(err, engine.ErrConflict) { // an older program had other demo orders
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if o.Version > 1 || o.State != orders.OrderPlaced { // there since an earlier start
			continue
		}
		if want.paid {
			if err := d.seedPayment(ctx, by, name, o.ID, len(want.events) > 0 && want.events[0] == orders.EventCancel); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		for _, event := range want.events {
			_, err := d.shop.Transition(ctx, by, o.ID, orders.TransitionRequest{Event: event, Seq: name + "-" + string(event)})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// seedPayment pays an order; late cancels it before the money comes.
func (d *daemon) seedPayment(ctx context.Context, by orders.Caller, name, order string, late bool) error {
	p, _, err := d.shop.StartPayment(ctx, by, name+"-payment", order, orders.NewPayment{Provider: callback.FakeName})
	if err != nil {
		return err
	}
	if late {
		_, err = d.shop.Transition(ctx, by, order, orders.TransitionRequest{
			Event: orders.EventCancel, Seq: name + "-" + string(orders.EventCancel),
		})
		if err != nil {
			return err
		}
	}
	_, err = d.shop.Accept(ctx, provider.Fact{
		Provider: callback.FakeName, Kind: provider.Captured, ID: "fake-" + p.ID, Reference: p.Reference,
		Amount: p.Amount, Currency: p.Currency,
	})
	return err
}
