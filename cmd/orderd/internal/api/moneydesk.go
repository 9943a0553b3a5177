package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/orders"
)

// Fact is what a provider said about money, as the API shows it.
type Fact struct {
	ID            string    `json:"id"`
	State         string    `json:"state" doc:"Where the fact is: at the desk it is parked."`
	Version       int64     `json:"version"`
	Provider      string    `json:"provider"`
	Type          string    `json:"type" doc:"payment.captured, payment.failed or refund.succeeded."`
	TransactionID string    `json:"transaction_id" doc:"The provider's own number."`
	Reference     string    `json:"reference" doc:"As the provider repeats it."`
	Amount        int64     `json:"amount" doc:"As the provider says, in minor units."`
	Currency      string    `json:"currency" doc:"As the provider says."`
	PaymentID     string    `json:"payment_id" doc:"The payment that the reference belongs to; empty if unknown."`
	OrderID       string    `json:"order_id" doc:"That payment's order; empty if unknown."`
	AppliedAmount int64     `json:"applied_amount" doc:"How much of it the order was credited with."`
	DeskAmount    int64     `json:"desk_amount" doc:"How much of it waits for a person."`
	DeskReason    string    `json:"desk_reason" doc:"Why: late, short, over, currency, second, mismatch, unknown_reference, refund or held."`
	CreatedAt     time.Time `json:"created_at" doc:"When it was received."`
	UpdatedAt     time.Time `json:"updated_at" doc:"When it was decided."`
}

func showFact(f orders.Fact) Fact {
	return Fact{
		ID: f.ID, State: string(f.State), Version: f.Version, Provider: f.Provider, Type: string(f.Kind),
		TransactionID: f.TransactionID, Reference: f.Reference, Amount: f.Amount, Currency: f.Currency,
		PaymentID: f.PaymentID, OrderID: f.OrderID, AppliedAmount: f.AppliedAmount, DeskAmount: f.DeskAmount,
		DeskReason: string(f.DeskReason), CreatedAt: f.CreatedAt.UTC(), UpdatedAt: f.UpdatedAt.UTC(),
	}
}

type deskInput struct {
	Reason   string `query:"reason" maxLength:"64" doc:"Only money that waits for this reason."`
	Provider string `query:"provider" maxLength:"32" doc:"Only this provider's."`
	OrderID  string `query:"order_id" maxLength:"64" doc:"Only money for this order."`
	Page
}

type deskOutput struct {
	Body struct {
		Data       []Fact `json:"data" nullable:"false" doc:"Newest first."`
		NextCursor string `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

func (a *api) registerMoneyDesk() {
	register(a, huma.Operation{
		OperationID: "list-money-desk", Method: http.MethodGet, Path: "/v1/money-desk",
		Tags: []string{"payments"}, Summary: "Money that no order could be credited with, and why.",
		Description: "Money that came late, short, twice, too much, in another currency or under an unknown reference.",
	}, reading, a.desk)
}

func (a *api) desk(ctx context.Context, in *deskInput) (*deskOutput, error) {
	page, err := a.Shop.MoneyDesk(ctx, orders.DeskFilter{
		OrderID: in.OrderID, Provider: in.Provider, Reason: orders.DeskReason(in.Reason), Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	out := &deskOutput{}
	out.Body.Data, out.Body.NextCursor = []Fact{}, page.NextCursor
	for _, f := range page.Data {
		out.Body.Data = append(out.Body.Data, showFact(f))
	}
	return out, nil
}
