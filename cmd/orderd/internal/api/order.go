package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

type orderID struct {
	ID string `path:"id" doc:"The order's id."`
}

// Item is one line of an order.
type Item struct {
	SKU       string `json:"sku" minLength:"1" maxLength:"128" example:"BOOK-1" doc:"What is bought."`
	Name      string `json:"name" minLength:"1" maxLength:"255" example:"A book" doc:"What the customer reads."`
	Quantity  int64  `json:"quantity" minimum:"1" maximum:"1000000000" doc:"How many."`
	UnitPrice int64  `json:"unit_price" minimum:"0" maximum:"9007199254740991" doc:"Price of one, in minor units of the currency. Zero is legal, a total of zero is not."`
}

// Order is an order as the API shows it. Amounts are in minor units of its currency.
type Order struct {
	ID             string            `json:"id"`
	State          string            `json:"state" doc:"Where it is."`
	Version        int64             `json:"version" doc:"Grows by one with every transition."`
	Amount         int64             `json:"amount" doc:"What it costs."`
	Currency       string            `json:"currency" doc:"ISO 4217."`
	PaidAmount     int64             `json:"paid_amount" doc:"What has been paid towards it."`
	RefundedAmount int64             `json:"refunded_amount" doc:"What of that has gone back."`
	Items          []Item            `json:"items,omitempty" nullable:"false" doc:"Left out of lists."`
	CustomerRef    string            `json:"customer_ref" doc:"Your own name of the customer."`
	Metadata       map[string]string `json:"metadata" doc:"What you attached."`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at" doc:"When it last moved."`
	ExpiresAt      time.Time         `json:"expires_at" doc:"When it expires unless it is paid."`
}

func showOrder(o orders.Order) Order {
	shown := Order{
		ID: o.ID, State: string(o.State), Version: o.Version, Amount: o.Amount, Currency: o.Currency,
		PaidAmount: o.PaidAmount, RefundedAmount: o.RefundedAmount, CustomerRef: o.CustomerRef, Metadata: o.Metadata,
		CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(), ExpiresAt: o.ExpiresAt.UTC(),
	}
	if shown.Metadata == nil {
		shown.Metadata = map[string]string{}
	}
	for _, i := range o.Items {
		shown.Items = append(shown.Items, Item{SKU: i.SKU, Name: i.Name, Quantity: i.Quantity, UnitPrice: i.UnitPrice})
	}
	return shown
}

type placeInput struct {
	KeyOrToken
	Body struct {
		Currency    string            `json:"currency" pattern:"^[A-Z]{3}$" example:"EUR" doc:"ISO 4217."`
		Items       []Item            `json:"items" nullable:"false" minItems:"1" maxItems:"500"`
		CustomerRef string            `json:"customer_ref,omitempty" maxLength:"190" doc:"Your own name of the customer."`
		Metadata    map[string]string `json:"metadata,omitempty" doc:"What you want to find on the order again: up to 50 texts by name."`
	}
}

// Placed is an order with the outcome of placing it.
type Placed struct {
	Order
	Outcome string `json:"outcome" enum:"applied,already" doc:"applied: this call placed it. already: the key had."`
	Detail  string `json:"detail" doc:"replayed, or empty."`
}

type placeOutput struct {
	NextToken
	Status   int    `doc:"201, or 200 for a repeat."`
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true on a repeat."`
	Body     Placed
}

type orderInput struct {
	ID          string `path:"id" doc:"The order's id."`
	IfNoneMatch string `header:"If-None-Match" doc:"Answer 304 if this is still the version."`
}

type orderOutput struct {
	ETag string `header:"ETag" doc:"The version, strong."`
	Body Order
}

type ordersInput struct {
	State        string    `query:"state" maxLength:"512" doc:"Only orders in this state, or in one of several, separated by commas."`
	CustomerRef  string    `query:"customer_ref" maxLength:"190" doc:"Only this customer's."`
	Q            string    `query:"q" maxLength:"190" doc:"Only orders whose id begins with this, or whose customer_ref or an item's sku contains it. A page may then be short though next_cursor leads on."`
	CreatedAfter time.Time `query:"created_after" doc:"Only orders placed after this time, RFC 3339."`
	Page
}

// Page is the part of an input that chooses a page of a list.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items per page."`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before, with the same filters."`
}

type ordersOutput struct {
	Body struct {
		Data       []Order `json:"data" nullable:"false" doc:"Newest first."`
		NextCursor string  `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

func (a *api) registerOrders() {
	register(a, huma.Operation{
		OperationID: "place-order", Method: http.MethodPost, Path: "/v1/orders", DefaultStatus: http.StatusCreated,
		Tags: []string{"orders"}, Summary: "Place an order.",
		Description: "Needs an Idempotency-Key or a Submit-Token; the same request with the same one places one order and " +
			"answers 200 from then on.",
	}, submitting, a.place)
	register(a, huma.Operation{
		OperationID: "get-order", Method: http.MethodGet, Path: "/v1/orders/{id}",
		Tags: []string{"orders"}, Summary: "Read an order.",
	}, reading, a.order)
	register(a, huma.Operation{
		OperationID: "list-orders", Method: http.MethodGet, Path: "/v1/orders",
		Tags: []string{"orders"}, Summary: "List orders.",
	}, reading, a.orders)
}

// errNoKey is the answer where a call cannot do without a key.
func errNoKey() *problem.Problem {
	return problem.New(problem.BadRequest, "the header Idempotency-Key is missing").At("header.Idempotency-Key", "missing")
}

func (a *api) place(ctx context.Context, in *placeInput) (*placeOutput, error) {
	if in.none() {
		return nil, errNoKey()
	}
	draft := orders.NewOrder{Currency: in.Body.Currency, CustomerRef: in.Body.CustomerRef, Metadata: in.Body.Metadata}
	for _, i := range in.Body.Items {
		draft.Items = append(draft.Items, orders.Item{SKU: i.SKU, Name: i.Name, Quantity: i.Quantity, UnitPrice: i.UnitPrice})
	}
	var o orders.Order
	var result engine.Result
	next, err := a.once(ctx, submitted{in.KeyOrToken, orders.ScopeOrder, in.Body},
		func(ctx context.Context, by orders.Caller, seq string) (err error) {
			o, result, err = a.Shop.Place(ctx, by, seq, draft)
			return err
		})
	if err != nil {
		return nil, err
	}
	out := &placeOutput{
		NextToken: next, Status: http.StatusCreated, Location: "/v1/orders/" + o.ID, ETag: etag(o.Version), Replayed: replayed(result),
		Body: Placed{Order: showOrder(o), Outcome: string(result.Outcome), Detail: string(result.Detail)},
	}
	if result.Outcome == engine.Already {
		out.Status = http.StatusOK
	}
	return out, nil
}

func (a *api) order(ctx context.Context, in *orderInput) (*orderOutput, error) {
	o, err := a.Shop.Order(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.IfNoneMatch != "" && matches(in.IfNoneMatch, o.Version) {
		return nil, notModified{etag(o.Version)}
	}
	return &orderOutput{ETag: etag(o.Version), Body: showOrder(o)}, nil
}

// caller is the principal of a request as the shop wants it.
func caller(ctx context.Context) orders.Caller {
	p := auth.From(ctx)
	return orders.Caller{Principal: p.ID, Actor: p.ID}
}

func (a *api) orders(ctx context.Context, in *ordersInput) (*ordersOutput, error) {
	page, err := a.Shop.Orders(ctx, orders.OrderFilter{
		State: states(in.State), CustomerRef: in.CustomerRef, CreatedAfter: in.CreatedAfter, Query: in.Q,
		Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	out := &ordersOutput{}
	out.Body.Data, out.Body.NextCursor = []Order{}, page.NextCursor
	for _, o := range page.Data {
		out.Body.Data = append(out.Body.Data, showOrder(o))
	}
	return out, nil
}

// states reads a list of states, separated by commas.
func states(list string) []engine.State {
	if list == "" {
		return nil
	}
	var all []engine.State
	for state := range strings.SplitSeq(list, ",") {
		all = append(all, engine.State(state))
	}
	return all
}
