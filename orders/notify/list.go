package notify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"example.com/orderd/engine"
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

// ErrBadFilter says which part of a filter is wrong.
var ErrBadFilter = errors.New("bad filter")

// States lists all states.
var States = []engine.State{Queued, Sending, Sent, Failed, Uncertain}

var ourID = regexp.MustCompile(`^[!-~]{1,64}$`)

// List lists notifications, the newest first.
func (n *Notifier) List(ctx context.Context, f Filter) (Page, error) {
	limit := f.Limit
	if limit == 0 {
		limit = 50
	}
	switch {
	case limit < 1 || limit > 200:
		return Page{}, fmt.Errorf("%w: limit: want 1 to 200", ErrBadFilter)
	case f.State != "" && !slices.Contains(States, f.State):
		return Page{}, fmt.Errorf("%w: state: there is no %q", ErrBadFilter, f.State)
	case f.Cursor != "" && !ourID.MatchString(f.Cursor):
		return Page{}, fmt.Errorf("%w: cursor: not one of ours", ErrBadFilter)
	}
	q := n.db.WithContext(ctx)
	if f.OrderID != "" {
		q = q.Where("order_id = ?", f.OrderID)
	}
	if f.State != "" {
		q = q.Where("status = ?", f.State)
	}
	if f.Cursor != "" {
		q = q.Where("id < ?", f.Cursor)
	}
	var p Page
	if err := q.Order("id DESC").Limit(limit + 1).Find(&p.Notifications).Error; err != nil {
		return Page{}, fmt.Errorf("list notifications: %w", err)
	}
	if len(p.Notifications) > limit {
		p.Notifications = p.Notifications[:limit]
		p.NextCursor = p.Notifications[limit-1].ID
	}
	return p, nil
}
