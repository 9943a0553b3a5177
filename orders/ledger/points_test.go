package ledger_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/orderd/engine/outbox"
	"example.com/orderd/orders"
	"example.com/orderd/orders/ledger"
)

func completed(id, customer, currency string, paid int64) outbox.Message {
	data, _ := json.Marshal(orders.OrderMessage{ID: "ord_" + id, CustomerRef: customer, Currency: currency, PaidAmount: paid, Amount: paid})
	return outbox.Message{ID: "msg_" + id, Machine: orders.MachineOrder, Subject: "ord_" + id, Type: "order.completed", Data: data}
}

// Messages of completed orders come many times, in any order, to many consumers: one points account, and
// the points of each order once.
func TestPointsAreCreditedOncePerOrder(t *testing.T) {
	each(t, func(r *rig) {
		long := completed(strings.Repeat("x", 300), "ada", "EUR", 150)
		ms := []outbox.Message{
			completed("1", "ada", "EUR", 1999), completed("2", "ada", "EUR", 500), completed("3", "ada", "JPY", 70), long,
			completed("4", "", "EUR", 1000), completed("5", "ada", "EUR", 99), completed("6", ledger.System, "EUR", 1000),
			{ID: "msg_7", Machine: orders.MachineOrder, Type: "order.paid", Subject: "ord_1", Data: []byte(`{"customer_ref":"ada","paid_amount":5000,"currency":"EUR"}`)},
			{ID: "msg_8", Machine: "other", Type: "order.completed", Subject: "ord_1", Data: []byte(`{"customer_ref":"ada","paid_amount":5000,"currency":"EUR"}`)},
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for i, err := range r.NewRewards().Send(t.Context(), append(ms, ms...)) {
					if err != nil {
						t.Errorf("%d: %v", i, err)
					}
				}
			})
		}
		all.Wait()
		mine, err := r.Accounts(r.Context(), "ada")
		require.NoError(r, err)
		got := map[string]string{}
		for _, a := range mine {
			got[a.Kind+" "+a.Currency] = fmt.Sprint(a.Balance, " in ", a.Entries)
		}
		require.Equal(r, map[string]string{"points EUR": "25 in 3", "points JPY": "70 in 1"}, got)
		for i, err := range r.NewRewards().Send(r.Context(), []outbox.Message{{ID: "m", Machine: orders.MachineOrder, Type: "order.completed", Data: []byte("{")}}) {
			require.Error(r, err, i)
		}
	})
}
