package orders

import "example.com/orderd/engine/verify"

// Checks are the shop's invariants about goods and money, for verify.Options.Extra. Each holds in every
// committed state, so the daemon may go on working.
func Checks() []verify.Check {
	return []verify.Check{
		{Name: "the items of an order are those that it was placed with", Run: checkItems},
		verify.Rows("an order's amount is the sum of its items", "orders", MachineOrder, `
			SELECT o.id, o.amount, COALESCE(SUM(i.quantity * i.unit_price), 0)
			FROM orders o LEFT JOIN order_items i ON i.order_id = o.id
			WHERE o.id > ? AND o.id <= ? GROUP BY o.id, o.amount
			HAVING o.amount <> COALESCE(SUM(i.quantity * i.unit_price), 0)`,
			"the amount is %d, its items make %d"),
		verify.Rows("an order is never overpaid, and never refunded more than it was paid", "orders", MachineOrder, `
			SELECT id, paid_amount, refunded_amount FROM orders WHERE id > ? AND id <= ?
			AND (paid_amount > amount OR refunded_amount > paid_amount OR refunded_amount < 0
				OR (paid_amount < amount AND status NOT IN ('placed', 'partly_paid', 'cancelled', 'expired'))
				OR (paid_amount = amount AND status IN ('placed', 'partly_paid', 'cancelled', 'expired')))`,
			"paid are %d, refunded %d, which does not go with amount and state"),
		verify.Rows("what an order was paid has come from somewhere", "orders", MachineOrder, `
			SELECT o.id, o.paid_amount, COALESCE(SUM(p.amount), 0)
			FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND p.status = 'captured'
			WHERE o.id > ? AND o.id <= ? GROUP BY o.id, o.paid_amount
			HAVING o.paid_amount > COALESCE(SUM(p.amount), 0)`,
			"paid are %d, its captured payments make %d"),
		verify.Rows("a decided fact has gone to an order or to the desk, whole", "payment_facts", MachineFact, `
			SELECT id, amount, applied_amount + desk_amount FROM payment_facts
			WHERE id > ? AND id <= ? AND status <> 'received' AND kind <> 'payment.failed'
			AND amount <> applied_amount + desk_amount`,
			"the amount is %d, decided are %d"),
	}
}
