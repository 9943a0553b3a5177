package orders_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders"
)

// shopKit drives one of the shop's machines, with the shop attached for what writes second rows.
func shopKit[S any](t *testing.T, n int, row func(n int) *S, input func(row S, edge engine.DescribedEdge) any) enginetest.Kit[S] {
	s, err := orders.New(orders.Config{})
	require.NoError(t, err)
	return enginetest.Kit[S]{
		Machine: s.Machines()[n].(*engine.Machine[S]), New: row, Input: input,
		Prepare: func(db *gorm.DB) error { return orders.Migrate(context.Background(), db) },
		Engine: func(db *gorm.DB) (*engine.Engine, engine.Applier, error) {
			e, err := engine.New(db, engine.Config{}, s.Machines()...)
			if err != nil {
				return nil, nil, err
			}
			return e, e, s.Attach(db, e, e)
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
