package orders

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"example.com/orderd/engine/txn"
	"example.com/orderd/engine/verify"
)

// itemsPart is how many orders one statement looks at.
const itemsPart = 200

// readItems reads what some orders were placed with, as history has it, each followed by its items. It
// is one statement, so that it sees both or neither of an order that is being placed.
const readItems = `SELECT subject AS id, 0 AS line, input, '' AS sku, '' AS name, 0 AS quantity, 0 AS unit_price FROM engine_transitions
		WHERE machine = '` + MachineOrder + `' AND version = 1 AND subject > ? AND subject <= ?
	UNION ALL SELECT order_id, line, NULL, sku, name, quantity, unit_price FROM order_items WHERE order_id > ? AND order_id <= ?
	ORDER BY id, line`

// checkItems compares the items of every order with those that it was placed with.
func checkItems(ctx context.Context, g *gorm.DB, found func(verify.Finding)) error {
	db := g.WithContext(ctx)
	for from := ""; ; {
		var to string
		err := txn.Each(db, fmt.Sprintf(`SELECT COALESCE(MAX(id), '') FROM (SELECT DISTINCT order_id AS id FROM order_items
			WHERE order_id > ? ORDER BY order_id LIMIT %d) part`, itemsPart), []any{from},
			func(rows *sql.Rows) error { return rows.Scan(&to) })
		if err != nil {
			return err
		}
		last := to == ""
		if last {
			to = "\x7f" // behind every id: orders that have no items
		}
		c := itemsCheck{found: found}
		if err := txn.Each(db, readItems, []any{from, to, from, to}, c.row); err != nil {
			return err
		}
		c.end()
		if last {
			return nil
		}
		from = to
	}
}

// itemsCheck follows the rows of readItems from order to order.
type itemsCheck struct {
	found  func(verify.Finding)
	order  string
	placed []Item // that are to come
	wrong  bool   // told already
}

func (c *itemsCheck) row(rows *sql.Rows) error {
	var id string
	var input sql.RawBytes
	var i Item
	if err := rows.Scan(&id, &i.Line, &input, &i.SKU, &i.Name, &i.Quantity, &i.UnitPrice); err != nil {
		return err
	}
	if id != c.order {
		c.end()
		*c = itemsCheck{found: c.found, order: id}
	}
	if i.Line == 0 && input != nil {
		var n NewOrder
		if err := json.Unmarshal(input, &n); err != nil {
			c.tell("what it was placed with cannot be read: %v", err)
		}
		c.placed = n.Items
		for line := range c.placed {
			c.placed[line].Line = line + 1
		}
		return nil
	}
	switch {
	case len(c.placed) == 0:
		c.tell("the item in line %d was not ordered", i.Line)
	case c.placed[0] != i:
		c.tell("the item in line %d is %d of %q (%s) for %d each, ordered were %d of %q (%s) for %d each in line %d", i.Line,
			i.Quantity, i.SKU, i.Name,
			i.UnitPrice, c.placed[0].Quantity, c.placed[0].SKU, c.placed[0].Name, c.placed[0].UnitPrice, c.placed[0].Line)
	default:
		c.placed = c.placed[1:]
	}
	return nil
}

// end is called when all items of an order have been seen.
func (c *itemsCheck) end() {
	if len(c.placed) > 0 {
		c.tell("the item in line %d is missing", c.placed[0].Line)
	}
}

// tell reports the first thing that is wrong with an order: the others follow from it.
func (c *itemsCheck) tell(format string, args ...any) {
	if !c.wrong {
		c.found(verify.Finding{Invariant: verify.Unchanged, Machine: MachineOrder, Subject: c.order,
			Text: fmt.Sprintf(format, args...)})
	}
	c.wrong = true
}
