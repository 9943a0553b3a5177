package orders

import "example.com/orderd/engine/verify"

// Reconcile compares what orders, payments and facts say about the same money. Where Checks looks at
// each row, these look from one table into another. Money is captured, credited and noted in three
// transactions, so some of it may be on its way; everything else has to agree at any moment.
func Reconcile() []verify.Check {
	return []verify.Check{
		verify.Rows("what an order was paid is what its facts and its offline payments credited", "orders", MachineOrder,
			paidIsCredited, "paid are %d, facts and offline payments credited %d"),
		verify.Rows("an order's state goes with its money", "orders", MachineOrder,
			stateGoesWithMoney, "paid are %d and refunded %d, which does not go with the state"),
		verify.Rows("what an ended order was paid waits at the desk", "orders", MachineOrder,
			endedIsHeld, "the order has ended with %d paid, of which %d were held for the desk"),
		verify.Rows("a payment is for an order, in its currency", "payments", MachinePayment,
			paymentHasOrder, "the payment of %d is for no order in its currency (amount of the order: %d)"),
		verify.Rows("a captured payment has the fact that says so", "payments", MachinePayment,
			capturedHasFact, "%d are captured, %d facts of that transaction were received"),
		verify.Rows("a fact that credited an order has its captured payment", "payment_facts", MachineFact,
			creditHasPayment, "%d are credited, but no payment of the order was captured with that transaction (amount of the "+
				"payment: %d)"),
	}
}

// The queries get the ids around one part of their table and select an id and two amounts of every
// row that is wrong.
const (
	// A fact notes what it credited after the order was credited: until then the order may have more.
	paidIsCredited = `
		SELECT id, paid_amount, credited FROM (
			SELECT o.id, o.paid_amount,
				(SELECT COALESCE(SUM(f.applied_amount), 0) FROM payment_facts f WHERE f.order_id = o.id)
				+ (SELECT COALESCE(SUM(p.amount), 0) FROM payments p
					WHERE p.order_id = o.id AND p.provider = 'manual' AND p.status = 'captured') AS credited
			FROM orders o WHERE o.id > ? AND o.id <= ?) part
		WHERE credited > paid_amount OR credited < paid_amount AND NOT EXISTS (
			SELECT 1 FROM payments p JOIN payment_facts f ON f.reference = p.reference AND f.provider = p.provider
			WHERE p.order_id = part.id AND f.status = 'received' AND f.kind = 'payment.captured')`

	stateGoesWithMoney = `
		SELECT id, paid_amount, refunded_amount FROM orders WHERE id > ? AND id <= ?
		AND (status = 'placed' AND paid_amount <> 0 OR status = 'partly_paid' AND paid_amount <= 0
			OR status = 'refunded' AND refunded_amount <> paid_amount)`

	endedIsHeld = `
		SELECT id, paid_amount, held FROM (
			SELECT o.id, o.paid_amount, (SELECT COALESCE(SUM(f.amount), 0) FROM payment_facts f
				WHERE f.order_id = o.id AND f.provider = 'shop' AND f.currency = o.currency) AS held
			FROM orders o WHERE o.id > ? AND o.id <= ? AND o.status IN ('cancelled', 'expired')) part
		WHERE held <> paid_amount`

	paymentHasOrder = `
		SELECT p.id, p.amount, COALESCE(o.amount, 0) FROM payments p LEFT JOIN orders o ON o.id = p.order_id
		WHERE p.id > ? AND p.id <= ? AND (o.id IS NULL OR o.currency <> p.currency)`

	// A fact is found by the key of its reception, which the engine keeps unique and indexed.
	capturedHasFact = `
		SELECT p.id, p.amount, 0 FROM payments p LEFT JOIN engine_transitions k ON k.machine = 'payment_fact'
			AND k.source = CONCAT('provider:', p.provider) AND k.seq = CONCAT('payment.captured/', p.transaction_id)
		WHERE p.id > ? AND p.id <= ? AND p.status = 'captured' AND p.provider <> 'manual' AND k.subject IS NULL`

	creditHasPayment = `
		SELECT f.id, f.applied_amount, COALESCE(p.amount, 0) FROM payment_facts f LEFT JOIN payments p ON p.id = f.payment_id
		WHERE f.id > ? AND f.id <= ? AND f.applied_amount <> 0 AND (p.id IS NULL OR p.status <> 'captured'
			OR p.transaction_id <> f.transaction_id OR p.provider <> f.provider OR p.order_id <> f.order_id
			OR p.currency <> f.currency OR f.applied_amount > p.amount OR f.applied_amount < 0)`
)
