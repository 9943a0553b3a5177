package ledger

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// Entry is one side of a transfer, on one account.
type Entry struct {
	AccountID  string    `json:"account_id"`
	TransferID string    `json:"transfer_id"`
	Amount     int64     `json:"amount"` // what the account got; below zero what it gave
	At         time.Time `json:"at"`
}

// TableName is for gorm.
func (Entry) TableName() string { return "account_entries" }

// Bounds of a page of entries.
const (
	limitDefault = 50
	limitMax     = 200
)

// Entries lists an account's entries, newest first. limit is 1 to 200, 0 is 50; cursor is a page's
// NextCursor, "" begins. It matches engine.ErrNotFound if there is no such account; a wrong limit or
// cursor is a *orders.BadInput.
func (l *Ledger) Entries(ctx context.Context, account string, limit int, cursor string) (orders.Page[Entry], error) {
	if limit == 0 {
		limit = limitDefault
	}
	if limit < 1 || limit > limitMax {
		return orders.Page[Entry]{}, &orders.BadInput{Field: "limit", Problem: fmt.Sprintf("want 1 to %d", limitMax)}
	}
	if _, err := l.Account(ctx, account); err != nil {
		return orders.Page[Entry]{}, err
	}
	q := l.db.WithContext(ctx).Where("account_id = ?", account)
	if cursor != "" {
		var known int64
		if err := q.Session(&gorm.Session{}).Model(&Entry{}).Where("transfer_id = ?", cursor).Count(&known).Error; err != nil {
			return orders.Page[Entry]{}, fmt.Errorf("list the entries of %s: %w", account, err)
		}
		if known == 0 { // entries stay for ever
			return orders.Page[Entry]{}, &orders.BadInput{Field: "cursor", Problem: "not one of ours"}
		}
		q = q.Where("transfer_id < ?", cursor)
	}
	page := orders.Page[Entry]{Data: []Entry{}}
	if err := q.Order("transfer_id DESC").Limit(limit + 1).Find(&page.Data).Error; err != nil {
		return orders.Page[Entry]{}, fmt.Errorf("list the entries of %s: %w", account, err)
	}
	if len(page.Data) > limit {
		page.Data = page.Data[:limit]
		page.NextCursor = page.Data[limit-1].TransferID
	}
	return page, nil
}

// Account reads one account. It matches engine.ErrNotFound if there is none.
func (l *Ledger) Account(ctx context.Context, id string) (Account, error) {
	return load[Account](ctx, l.engine, MachineAccount, id)
}

// Transfer reads one transfer. It matches engine.ErrNotFound if there is none.
func (l *Ledger) Transfer(ctx context.Context, id string) (Transfer, error) {
	return load[Transfer](ctx, l.engine, MachineTransfer, id)
}

func load[S any](ctx context.Context, e *engine.Engine, machine, id string) (S, error) {
	row, err := engine.Load[S](ctx, e, machine, id)
	if err != nil {
		var none S
		return none, err
	}
	return *row, nil
}
