package orders

import (
	"context"

	"example.com/orderd/engine"
)

// PaymentFilter chooses payments; zero fields choose nothing away.
type PaymentFilter struct {
	OrderID  string
	Provider string
	State    []engine.State // any of them
	Limit    int            // 1 to 200; 0 is 50
	Cursor   string         // a page's NextCursor; "" begins
}

// Payments lists payments, newest first. A wrong filter, limit or cursor is an *engine.RequestError.
func (s *Shop) Payments(ctx context.Context, f PaymentFilter) (PaymentPage, error) {
	if err := s.checkStates(MachinePayment, f.State); err != nil {
		return PaymentPage{}, err
	}
	limit, cursor := f.Limit, f.Cursor
	f.Limit, f.Cursor = 0, ""
	part, err := newest.Next(cursor, limit, f)
	if err != nil {
		return PaymentPage{}, err
	}
	q := s.db.WithContext(ctx)
	if f.OrderID != "" {
		q = q.Where("order_id = ?", f.OrderID)
	}
	if f.Provider != "" {
		q = q.Where("provider = ?", f.Provider)
	}
	if len(f.State) > 0 {
		q = q.Where("status IN ?", f.State)
	}
	page, err := list[Payment](q, part)
	return page, shown(err, "list payments")
}

// DeskFilter chooses what lies on the money desk; zero fields choose nothing away.
type DeskFilter struct {
	OrderID  string
	Provider string
	Reason   DeskReason
	Limit    int    // 1 to 200; 0 is 50
	Cursor   string // a page's NextCursor; "" begins
}

var deskReasons = map[DeskReason]bool{
	"": true, DeskLate: true, DeskShort: true, DeskOver: true, DeskCurrency: true, DeskSecond: true,
	DeskMismatch: true, DeskUnknownReference: true, DeskRefund: true, DeskHeld: true,
}

// MoneyDesk lists the facts that wait for a person, newest first. A wrong filter, limit or cursor is
// an *engine.RequestError.
func (s *Shop) MoneyDesk(ctx context.Context, f DeskFilter) (FactPage, error) {
	if !deskReasons[f.Reason] {
		return FactPage{}, bad("reason", "there is no such reason")
	}
	limit, cursor := f.Limit, f.Cursor
	f.Limit, f.Cursor = 0, ""
	part, err := newest.Next(cursor, limit, f)
	if err != nil {
		return FactPage{}, err
	}
	q := s.db.WithContext(ctx).Where("status = ?", FactDesk)
	if f.OrderID != "" {
		q = q.Where("order_id = ?", f.OrderID)
	}
	if f.Provider != "" {
		q = q.Where("provider = ?", f.Provider)
	}
	if f.Reason != "" {
		q = q.Where("desk_reason = ?", f.Reason)
	}
	page, err := list[Fact](q, part)
	return page, shown(err, "list the money desk")
}
