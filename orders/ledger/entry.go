package ledger

import (
	"context"
	"fmt"
	"time"

	"example.com/orderd/engine"
	"example.com/orderd/engine/keyset"
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

// latest is the order of entries: transfers sort by time.
var latest = keyset.List{keyset.ID("transfer_id", 64)}

// Entries lists an account's entries, newest first. limit is 1 to 200, 0 is 50; cursor is a page's
// NextCursor, "" begins. It matches engine.ErrNotFound if there is no such account; a wrong limit or
// cursor is an *engine.RequestError.
func (l *Ledger) Entries(ctx context.Context, account string, limit int, cursor string) (orders.Page[Entry], error) {
	part, err := latest.Next(cursor, limit, account)
	if err != nil {
		return orders.Page[Entry]{}, err
	}
	if _, err := l.Account(ctx, account); err != nil {
		return orders.Page[Entry]{}, err
	}
	page := orders.Page[Entry]{Data: []Entry{}}
	err = l.db.WithContext(ctx).Where("account_id = ?", account).Where(part.Where, part.Args...).
		Order(part.Order).Limit(part.Limit + 1).Find(&page.Data).Error
	if err != nil {
		return orders.Page[Entry]{}, fmt.Errorf("list the entries of %s: %w", account, err)
	}
	page.Data, page.NextCursor = keyset.Cut(part, page.Data, func(e Entry) []any { return []any{e.TransferID} })
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
