package orders_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders"
)

// shopKit drives one of the shop's machines, beside those that its actions write second rows of.
func shopKit[S any](t *testing.T, n int, row func(n int) *S, input func(row S, edge engine.DescribedEdge) any) enginetest.Kit[S] {
	machines := orders.Machines()
	return enginetest.Kit[S]{
		Machine: machines[n].(*engine.Machine[S]), New: row, Input: input,
		Prepare: func(db *gorm.DB) error { return orders.Migrate(context.Background(), db) },
		Engine: func(db *gorm.DB) (*engine.Engine, engine.Applier, error) {
			e, err := engine.New(db, engine.Config{}, machines...)
			if err != nil {
				return nil, nil, err
			}
			return e, e, nil
		},
	}
}

// orderInput pays in halves, so that each way to be paid is open.
func orderInput(o orders.Order, edge engine.DescribedEdge) any {
	pay := orders.Pay{Amount: o.Rest(), Currency: o.Currency}
	if slices.Contains(edge.Guards, "captured") {
		pay.Payment = "pay_captured"
	}
	switch {
	case edge.Event == orders.EventPlace:
		return oneItem(1 << 40)
	case edge.Event == orders.EventPayPart && edge.To == orders.OrderPartlyPaid:
		pay.Amount /= 2
		return pay
	case edge.Event == orders.EventPay, edge.Event == orders.EventPayPart:
		return pay
	case edge.Event == orders.EventShip, edge.Event == orders.EventShipPart:
		return orders.Ship{Carrier: "post", Tracking: "1Z"}
	}
	return nil
}

func newOrderRow(n int) *orders.Order { return &orders.Order{ID: fmt.Sprintf("ord_%d", n)} }

func TestTheOrderMachineWalksEveryWay(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		enginetest.Walk(t, db, shopKit(t, 0, newOrderRow, orderInput))
	})
}

func TestTheOrderMachineInAStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("a storm takes its time")
	}
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		enginetest.Storm(t, db, shopKit(t, 0, newOrderRow, orderInput), enginetest.Storms{})
	})
}

func paymentInput(_ orders.Payment, edge engine.DescribedEdge) any {
	switch edge.Event {
	case orders.EventStart:
		return json.RawMessage(`{"order":"ord_1","provider":"acme"}`)
	case orders.EventCapture:
		return json.RawMessage(`{"transaction":"tx-1","amount":500,"currency":"EUR"}`)
	}
	return nil
}

func newPaymentRow(n int) *orders.Payment {
	return &orders.Payment{
		ID: fmt.Sprintf("pay_%d", n), OrderID: "ord_1", Provider: "acme", Reference: fmt.Sprintf("ref_%d", n), Amount: 500, Currency: "EUR",
	}
}

func factInput(_ orders.Fact, edge engine.DescribedEdge) any {
	switch edge.Event {
	case orders.EventReceive, orders.EventContradict:
		return json.RawMessage(`{"id":"tx-1","reference":"ref_1","amount":500,"currency":"EUR"}`)
	case orders.EventApply:
		return json.RawMessage(`{"payment":"pay_1","order":"ord_1","applied":500}`)
	case orders.EventPark:
		return json.RawMessage(`{"desk":500,"reason":"late"}`)
	}
	return nil
}

func newFactRow(n int) *orders.Fact {
	return &orders.Fact{ID: fmt.Sprintf("fact_%d", n), Provider: "acme", Reference: "ref_1", Amount: 500, Currency: "EUR"}
}

func TestPaymentsAndFactsWalkAndStormToo(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		payments := shopKit(t, 1, newPaymentRow, paymentInput)
		enginetest.Walk(t, db, payments)
		enginetest.Storm(t, db, payments, enginetest.Storms{})
	})
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		facts := shopKit(t, 2, newFactRow, factInput)
		enginetest.Walk(t, db, facts)
		enginetest.Storm(t, db, facts, enginetest.Storms{})
	})
}
