package notify

import (
	"context"
	"fmt"
	"slices"

	"example.com/orderd/engine"
	"example.com/orderd/engine/keyset"
)

// Filter chooses notifications; zero fields choose nothing away.
type Filter struct {
	OrderID string
	State   engine.State
	Limit   int    // 1 to 200; 0 is 50
	Cursor  string // a page's NextCursor; "" begins
}

// Page is a part of a list.
type Page struct {
	Notifications []Notification
	NextCursor    string // "" at the end
}

// States lists all states.
var States = []engine.State{Queued, Sending, Sent, Failed, Uncertain}

// newest is the order of a list: ids are greater, the later they were made.
var newest = keyset.List{keyset.ID("id", 64)}

// List lists notifications, the newest first.
func (n *Notifier) List(ctx context.Context, f Filter) (Page, error) {
	if f.State != "" && !slices.Contains(States, f.State) {
		return Page{}, &engine.RequestError{Field: "state", Problem: fmt.Sprintf("there is no %q", f.State)}
	}
	part, err := newest.Next(f.Cursor, f.Limit, nil)
	if err != nil {
		return Page{}, err
	}
	q := n.db.WithContext(ctx)
	if f.OrderID != "" {
		q = q.Where("order_id = ?", f.OrderID)
	}
	if f.State != "" {
		q = q.Where("status = ?", f.State)
	}
	var p Page
	if err := q.Where(part.Where, part.Args...).Order(part.Order).Limit(part.Limit + 1).Find(&p.Notifications).Error; err != nil {
		return Page{}, fmt.Errorf("list notifications: %w", err)
	}
	p.Notifications, p.NextCursor = keyset.Cut(part, p.Notifications, func(n Notification) []any { return []any{n.ID} })
	return p, nil
}
