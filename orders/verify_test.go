package orders_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/enginetest"
	"example.com/orderd/engine/verify"
	"example.com/orderd/orders"
)

// reconcile is what does not agree: invariant, machine, and the row by its name in books.
func reconcile(r *rig, names map[string]string) []string {
	r.Helper()
	report, err := verify.Run(r.Context(), r.db, verify.Options{Machines: orders.Machines(), Extra: orders.Reconcile()})
	require.NoError(r, err)
	told := []string{}
	for _, f := range report.Findings {
		subject := f.Subject
		for name, id := range names {
			if id == subject {
				subject = name
			}
		}
		told = append(told, f.Invariant+" "+f.Machine+" "+subject)
	}
	return told
}

// books is a shop with money in every place: an order paid by a provider with too much, one paid in
// part by an operator, one that was cancelled with money in it, one paid late.
func books(r *rig) map[string]string {
	r.Helper()
	paid, part, ended, late := r.place(1000), r.place(2000), r.place(3000), r.place(4000)
	p := r.start(paid.ID, 0)
	over := captured("tx-over", p)
	over.Amount += 5
	credit := r.accept(over)
	r.keyed(part.ID, orders.EventPayPart, `{"amount":700,"currency":"EUR"}`)
	r.accept(captured("tx-part", r.start(ended.ID, 100)))
	require.Equal(r, engine.Applied, r.event(ended.ID, orders.EventCancel).Outcome)
	q := r.start(late.ID, 0)
	require.Equal(r, engine.Applied, r.event(late.ID, orders.EventCancel).Outcome)
	r.accept(captured("tx-late", q))
	var offline, held string
	require.NoError(r, r.db.Raw(`SELECT id FROM payments WHERE order_id = ?`, part.ID).Scan(&offline).Error)
	require.NoError(r, r.db.Raw(`SELECT id FROM payment_facts WHERE provider = 'shop' AND order_id = ?`, ended.ID).Scan(&held).Error)
	return map[string]string{
		"paid": paid.ID, "part": part.ID, "ended": ended.ID, "late": late.ID,
		"p": p.ID, "q": q.ID, "offline": offline, "credit": credit.ID, "held": held,
	}
}

func TestBooksThatDoNotAgreeAreFound(t *testing.T) {
	enginetest.Databases(t, func(t *testing.T, db *gorm.DB) {
		r := newRig(t, db, nil)
		ids := books(r)
		require.Empty(t, reconcile(r, ids))
		tables := []string{"orders", "payments", "payment_facts", "engine_transitions"}
		for _, table := range tables {
			require.NoError(t, r.db.Exec(`CREATE TABLE kept_`+table+` AS SELECT * FROM `+table).Error)
		}
		for _, c := range []struct {
			name, sql string
			id        string // of the row to damage
			want      []string
		}{
			{"a credit was lost", `UPDATE orders SET paid_amount = paid_amount - 1 WHERE id = ?`, "part", []string{"I6 order part", "I7 order part"}},
			{"a credit came from nowhere", `UPDATE orders SET paid_amount = paid_amount + 1 WHERE id = ?`, "part", []string{"I6 order part", "I7 order part"}},
			{"an offline payment was lost", `DELETE FROM payments WHERE id = ?`, "offline", []string{"I6 order part", "I8 payment offline"}},
			{"an unpaid order holds money", `UPDATE orders SET status = 'placed' WHERE id = ?`, "part", []string{"I1 order part", "I6 order part", "I7 order part"}},
			{"a partly paid order holds none", `UPDATE orders SET paid_amount = 0 WHERE id = ?`, "part",
				[]string{"I6 order part", "I6 order part", "I7 order part"}}, // not what was credited; not as the state says
			{"a refund was not noted", `UPDATE orders SET status = 'refunded' WHERE id = ?`, "paid", []string{"I1 order paid", "I6 order paid", "I7 order paid"}},
			{"held money was lost", `UPDATE payment_facts SET amount = amount - 1 WHERE provider = 'shop' AND order_id = ?`, "ended",
				[]string{"I6 order ended", "I7 payment_fact held"}},
			{"a payment is in another currency", `UPDATE payments SET currency = 'USD' WHERE id = ?`, "p",
				[]string{"I6 payment p", "I6 payment_fact credit", "I7 payment p"}}, // its order's; its fact's
			{"a late payment is in another currency", `UPDATE payments SET currency = 'USD' WHERE id = ?`, "q", []string{"I6 payment q", "I7 payment q"}},
			{"a payment is for no order", `UPDATE payments SET order_id = 'nobody' WHERE id = ?`, "q", []string{"I6 payment q", "I7 payment q"}},
			{"a capture came from nowhere", `UPDATE payments SET transaction_id = 'other' WHERE id = ?`, "q", []string{"I6 payment q", "I7 payment q"}},
			{"a credited payment was not captured", `UPDATE payments SET status = 'failed' WHERE id = ?`, "p",
				[]string{"I1 payment p", "I6 payment_fact credit", "I7 payment p"}},
			{"a fact credited more than its payment", `UPDATE payment_facts SET applied_amount = 1001 WHERE id = ?`, "credit",
				[]string{"I6 order paid", "I6 payment_fact credit", "I7 payment_fact credit"}}, // more than was paid; more than was captured
		} {
			t.Run(c.name, func(t *testing.T) {
				defer restore(t, r.db, tables)
				require.NoError(t, r.db.Exec(c.sql, ids[c.id]).Error)
				assert.ElementsMatch(t, c.want, reconcile(r, ids))
			})
		}
	})
}

// Money on its way is in one table before it is in the next. That is no disagreement.
func TestBooksAgreeAtAnyMoment(t *testing.T) {
	each(t, func(r *rig) {
		var stop atomic.Bool
		var writers sync.WaitGroup
		for w := range 3 {
			writers.Go(func() {
				for n := 0; !stop.Load(); n++ {
					o := r.place(1000)
					first, second := r.start(o.ID, 400), r.start(o.ID, 0)
					r.accept(captured(fmt.Sprintf("tx-%d-%d", w, n), first))
					if n%3 == 0 {
						r.event(o.ID, orders.EventCancel)
					}
					r.accept(captured(fmt.Sprintf("ty-%d-%d", w, n), second))
				}
			})
		}
		for began := time.Now(); time.Since(began) < time.Second; {
			assert.Empty(r, reconcile(r, nil))
		}
		stop.Store(true)
		writers.Wait()
	})
}

func restore(t *testing.T, db *gorm.DB, tables []string) {
	require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
		for _, table := range tables {
			require.NoError(t, tx.Exec(`DELETE FROM `+table).Error)
			require.NoError(t, tx.Exec(`INSERT INTO `+table+` SELECT * FROM kept_`+table).Error)
		}
		return nil
	}))
}
