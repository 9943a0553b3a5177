package orders

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/engine/keyset"
)

// OrderFilter chooses orders; zero fields choose nothing away.
type OrderFilter struct {
	State        []engine.State // any of them
	CustomerRef  string         // exactly
	CreatedAfter time.Time

	// Query finds an id by its beginning, or a customer_ref or the SKU of an item by a part of it. For
	// the latter one page looks at the newest 10,000 orders that the rest of the filter and the cursor
	// leave; it may then be short, or empty, though NextCursor leads on.
	Query string

	Limit  int    // 1 to 200; 0 is 50
	Cursor string // a page's NextCursor; "" begins
}

// Bounds of a search.
const (
	queryMax  = 190 // bytes
	searchMax = 10_000
)

// Orders lists orders without their items, newest first. A wrong filter, limit or cursor is a
// *engine.RequestError.
func (s *Shop) Orders(ctx context.Context, f OrderFilter) (OrderPage, error) {
	limit, cursor := f.Limit, f.Cursor
	f.Limit, f.Cursor = 0, ""
	if err := f.validate(s); err != nil {
		return OrderPage{}, err
	}
	part, err := newest.Next(cursor, limit, f)
	if err != nil {
		return OrderPage{}, err
	}
	q := s.db.WithContext(ctx)
	if len(f.State) > 0 {
		q = q.Where("status IN ?", f.State)
	}
	if f.CustomerRef != "" {
		q = q.Where("customer_ref = ?", f.CustomerRef)
	}
	if !f.CreatedAfter.IsZero() {
		q = q.Where("created_at > ?", f.CreatedAfter)
	}
	var end *Order
	if f.Query != "" {
		if q, end, err = search(q, s.searchMax, part, f.Query); err != nil {
			return OrderPage{}, shown(err, "search orders")
		}
	}
	page, err := list[Order](q, part)
	if err == nil && page.NextCursor == "" && end != nil {
		page.NextCursor = part.Cursor(end.place()...)
	}
	return page, shown(err, "list orders")
}

func (f OrderFilter) validate(s *Shop) error {
	if err := s.checkStates(MachineOrder, f.State); err != nil {
		return err
	}
	if err := CheckText("customer_ref", f.CustomerRef, 0, customerRefMax); err != nil {
		return err
	}
	if !f.CreatedAfter.IsZero() {
		if err := checkTime("created_after", f.CreatedAfter); err != nil {
			return err
		}
	}
	return CheckText("q", f.Query, 0, queryMax)
}

func (s *Shop) checkStates(machine string, states []engine.State) error {
	if len(states) > len(s.states[machine]) {
		return bad("state", "more than there are")
	}
	for _, state := range states {
		if !s.states[machine][state] {
			return bad("state", "%s has no such state", machine)
		}
	}
	return nil
}

// search restricts a query to what matches the text of a filter among the first most orders. end is
// where it stops looking, nil if it looks at everything.
func search(q *gorm.DB, most int, part keyset.Part, text string) (found *gorm.DB, end *Order, err error) {
	if strings.HasPrefix(text, "ord_") {
		return q.Where("id >= ? AND id < ?", text, text+"~"), nil, nil // ids have nothing above the tilde
	}
	q = q.Session(&gorm.Session{}) // may be built upon twice
	var last []Order
	err = q.Where(part.Where, part.Args...).Select("created_at", "id").Order(part.Order).Offset(most - 1).Limit(1).Find(&last).Error
	if err != nil {
		return nil, nil, err
	}
	found = q.Where(`INSTR(customer_ref, ?) > 0 OR EXISTS (
		SELECT 1 FROM order_items WHERE order_items.order_id = orders.id AND INSTR(order_items.sku, ?) > 0)`, text, text)
	if len(last) == 0 {
		return found, nil, nil
	}
	stop := last[0]
	return found.Where("created_at >= ? AND (created_at > ? OR id >= ?)", stop.CreatedAt, stop.CreatedAt, stop.ID), &stop, nil
}

// shown says what failed, unless it is the caller's input that was wrong.
func shown(err error, what string) error {
	if err == nil || errors.Is(err, engine.ErrBadRequest) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}
