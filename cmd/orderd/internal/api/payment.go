package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// PayLinks says where a customer pays a payment; "" if there is no page for it.
type PayLinks func(orders.Payment) (payURL, qrSVGURL string)

// Payment is an attempt to pay as the API shows it.
type Payment struct {
	ID            string    `json:"id"`
	OrderID       string    `json:"order_id"`
	Provider      string    `json:"provider"`
	Reference     string    `json:"reference" doc:"What the provider is told, and repeats in its callback."`
	Amount        int64     `json:"amount" doc:"In minor units; never changes."`
	Currency      string    `json:"currency" doc:"ISO 4217."`
	State         string    `json:"state" doc:"Where the attempt is."`
	Version       int64     `json:"version"`
	TransactionID string    `json:"transaction_id" doc:"The provider's number of the capture; empty before it."`
	PayURL        string    `json:"pay_url" doc:"Where the customer pays; empty if the provider has no page here."`
	QRSVGURL      string    `json:"qr_svg_url" doc:"pay_url as a QR code. It needs no key, so that a shop can show it to its customer."`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

func (a *api) showPayment(p orders.Payment) Payment {
	shown := Payment{
		ID: p.ID, OrderID: p.OrderID, Provider: p.Provider, Reference: p.Reference, Amount: p.Amount, Currency: p.Currency,
		State: string(p.State), Version: p.Version, TransactionID: p.TransactionID,
		CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
	shown.PayURL, shown.QRSVGURL = a.Pay(p)
	return shown
}

type startPaymentInput struct {
	KeyOrToken
	ID   string `path:"id" doc:"The order's id."`
	Body struct {
		Provider string `json:"provider" minLength:"1" maxLength:"32" example:"standard" doc:"Who takes the money."`
		Amount   *int64 `json:"amount,omitempty" minimum:"1" maximum:"9007199254740991" doc:"In minor units of the order's currency; the rest due unless given."`
	}
}

// Started is a payment with the outcome of starting it.
type Started struct {
	Payment
	Outcome string `json:"outcome" enum:"applied,already" doc:"applied: this call started it. already: the key had."`
	Detail  string `json:"detail" doc:"replayed, or empty."`
}

type startPaymentOutput struct {
	NextToken
	Status   int    `doc:"201, or 200 for a repeat."`
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed" doc:"true on a repeat."`
	Body     Started
}

type paymentInput struct {
	ID string `path:"id" doc:"The payment's id."`
}

type paymentOutput struct{ Body Payment }

type paymentsInput struct {
	OrderID  string `query:"order_id" maxLength:"64" doc:"Only payments of this order."`
	State    string `query:"state" maxLength:"512" doc:"Only payments in this state, or in one of several, separated by commas."`
	Provider string `query:"provider" maxLength:"32" doc:"Only this provider's."`
	Page
}

type paymentsOutput struct {
	Body struct {
		Data       []Payment `json:"data" nullable:"false" doc:"Newest first."`
		NextCursor string    `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

func (a *api) registerPayments() {
	register(a, huma.Operation{
		OperationID: "start-payment", Method: http.MethodPost, Path: "/v1/orders/{id}/payments", DefaultStatus: http.StatusCreated,
		Tags: []string{"payments"}, Summary: "Start an attempt to pay an order.",
		Description: "Needs an Idempotency-Key or a Submit-Token; the same request with the same one starts one attempt and " +
			"answers 200 from then on.",
	}, submitting, a.startPayment)
	register(a, huma.Operation{
		OperationID: "get-payment", Method: http.MethodGet, Path: "/v1/payments/{id}",
		Tags: []string{"payments"}, Summary: "Read a payment.",
	}, reading, a.payment)
	register(a, huma.Operation{
		OperationID: "list-payments", Method: http.MethodGet, Path: "/v1/payments",
		Tags: []string{"payments"}, Summary: "List payments.",
	}, reading, a.payments)
}

func (a *api) startPayment(ctx context.Context, in *startPaymentInput) (*startPaymentOutput, error) {
	if in.none() {
		return nil, errNoKey()
	}
	var p orders.Payment
	var result engine.Result
	next, err := a.once(ctx, submitted{in.KeyOrToken, orders.ScopePayment, []any{in.ID, in.Body}},
		func(ctx context.Context, by orders.Caller, seq string) (err error) {
			p, result, err = a.Shop.StartPayment(ctx, by, seq, in.ID, orders.NewPayment{
				Provider: in.Body.Provider, Amount: in.Body.Amount,
			})
			return err
		})
	if err != nil {
		return nil, err
	}
	out := &startPaymentOutput{
		NextToken: next, Status: http.StatusCreated, Location: "/v1/payments/" + p.ID, Replayed: replayed(result),
		Body: Started{Payment: a.showPayment(p), Outcome: string(result.Outcome), Detail: string(result.Detail)},
	}
	if result.Outcome == engine.Already {
		out.Status = http.StatusOK
	}
	return out, nil
}

func (a *api) payment(ctx context.Context, in *paymentInput) (*paymentOutput, error) {
	p, err := a.Shop.Payment(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &paymentOutput{Body: a.showPayment(p)}, nil
}

func (a *api) payments(ctx context.Context, in *paymentsInput) (*paymentsOutput, error) {
	page, err := a.Shop.Payments(ctx, orders.PaymentFilter{
		OrderID: in.OrderID, Provider: in.Provider, State: states(in.State), Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	out := &paymentsOutput{}
	out.Body.Data, out.Body.NextCursor = []Payment{}, page.NextCursor
	for _, p := range page.Data {
		out.Body.Data = append(out.Body.Data, a.showPayment(p))
	}
	return out, nil
}
