package orders

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/verify"
	"example.com/orderd/internal/sqldb"
)

// Checks are the shop's invariants about money, for verify.Options.Extra. Each holds in every
// committed state, so the daemon may go on working.
func Checks() []verify.Check {
	return []verify.Check{
		{Name: "an order's amount is the sum of its items", Run: inParts("orders", MachineOrder, `
			SELECT o.id, o.amount, COALESCE(SUM(i.quantity * i.unit_price), 0)
			FROM orders o LEFT JOIN order_items i ON i.order_id = o.id
			WHERE o.id > ? AND o.id <= ? GROUP BY o.id, o.amount
			HAVING o.amount <> COALESCE(SUM(i.quantity * i.unit_price), 0)`,
			"the amount is %d, its items make %d")},
		{Name: "an order is never overpaid, and never refunded more than it was paid", Run: inParts("orders", MachineOrder, `
			SELECT id, paid_amount, refunded_amount FROM orders WHERE id > ? AND id <= ?
			AND (paid_amount > amount OR refunded_amount > paid_amount OR refunded_amount < 0
				OR (paid_amount < amount AND status NOT IN ('placed', 'partly_paid', 'cancelled', 'expired'))
				OR (paid_amount = amount AND status IN ('placed', 'partly_paid', 'cancelled', 'expired')))`,
			"paid are %d, refunded %d, which does not go with amount and state")},
		{Name: "what an order was paid has come from somewhere", Run: inParts("orders", MachineOrder, `
			SELECT o.id, o.paid_amount, COALESCE(SUM(p.amount), 0)
			FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND p.status = 'captured'
			WHERE o.id > ? AND o.id <= ? GROUP BY o.id, o.paid_amount
			HAVING o.paid_amount > COALESCE(SUM(p.amount), 0)`,
			"paid are %d, its captured payments make %d")},
		{Name: "a decided fact has gone to an order or to the desk, whole", Run: inParts("payment_facts", MachineFact, `
			SELECT id, amount, applied_amount + desk_amount FROM payment_facts
			WHERE id > ? AND id <= ? AND status <> 'received' AND kind <> 'payment.failed'
			AND amount <> applied_amount + desk_amount`,
			"the amount is %d, decided are %d")},
	}
}

// checkPart is how many rows one statement of a check looks at.
const checkPart = 1000

// inParts is a check that walks a table by its id. The query is told the ids around one part and
// selects an id and two numbers of every row that is wrong.
func inParts(table, machine, query, text string) func(context.Context, *gorm.DB, func(verify.Finding)) error {
	return func(ctx context.Context, g *gorm.DB, found func(verify.Finding)) error {
		db, err := sqldb.Wrap(ctx, g)
		if err != nil {
			return err
		}
		for from := ""; ; {
			var to string
			next := fmt.Sprintf(`SELECT COALESCE(MAX(id), '') FROM (SELECT id FROM %s WHERE id > ? ORDER BY id LIMIT %d) part`, table, checkPart)
			err := db.Each(ctx, next, []any{from}, func(rows *sql.Rows) error { return rows.Scan(&to) })
			if err != nil || to == "" {
				return err
			}
			err = db.Each(ctx, query, []any{from, to}, func(rows *sql.Rows) error {
				var id string
				var a, b int64
				if err := rows.Scan(&id, &a, &b); err != nil {
					return err
				}
				found(verify.Finding{Invariant: verify.Money, Machine: machine, Subject: id, Text: fmt.Sprintf(text, a, b)})
				return nil
			})
			if err != nil {
				return err
			}
			from = to
		}
	}
}
