package orders_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/orders"
)

// consuming is an Applier that answers for one subject only when its caller's time is over.
type consuming struct {
	engine.Applier
	subject *string
	over    *context.CancelFunc // ends the caller's time
}

func (c consuming) Apply(ctx context.Context, r engine.Request) (engine.Result, error) {
	if r.ID != "" && r.ID == *c.subject {
		(*c.over)()
		return engine.Result{}, errDead
	}
	return c.Applier.Apply(ctx, r)
}

// A fact that takes all of a pass's time is not the first of the next pass again.
func TestAFactThatTakesAllTheTimeDoesNotHeadTheQueue(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		subject, over := "", context.CancelFunc(func() {})
		r := newRig(t, db, func(a engine.Applier) engine.Applier { return consuming{a, &subject, &over} })
		first := r.start(r.place(2500).ID, 0)
		subject = first.ID
		require.Equal(t, orders.FactReceived, r.accept(captured("tx-1", first)).State)
		second := r.start(r.place(2500).ID, 0)
		subject = second.ID
		require.Equal(t, orders.FactReceived, r.accept(captured("tx-2", second)).State)
		subject = first.ID
		total := 0
		for range 3 {
			var ctx context.Context
			ctx, over = context.WithCancel(t.Context())
			n, _ := r.Settle(ctx, 10)
			over()
			total += n
		}
		require.Equal(t, 1, total)
		require.Equal(t, orders.PaymentCaptured, r.payment(second.ID).State)
		subject = ""
		for range 2 { // round
			_, err := r.Settle(t.Context(), 10)
			require.NoError(t, err)
		}
		require.Equal(t, orders.PaymentCaptured, r.payment(first.ID).State)
	})
}
