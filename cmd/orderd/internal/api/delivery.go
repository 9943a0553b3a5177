package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine/outbox/webhook"
	"example.com/orderd/orders"
)

// Delivery is one message for one endpoint, as the API shows it.
type Delivery struct {
	ID         string    `json:"id"`
	EndpointID string    `json:"endpoint_id"`
	MessageID  string    `json:"message_id" doc:"webhook-id of every post."`
	Subject    string    `json:"subject" doc:"What moved; an order's id, for messages order.*"`
	Version    int64     `json:"version" doc:"The version that the transition gave it."`
	Type       string    `json:"type"`
	Status     string    `json:"status" enum:"pending,retrying,delivered,failed,cancelled" doc:"failed: given up. cancelled: its endpoint is gone."`
	Tries      int       `json:"tries" doc:"Posts since it was last asked for."`
	NextAt     time.Time `json:"next_at" doc:"When it is posted next; once it has ended: since when."`
	Problem    string    `json:"problem,omitempty" doc:"Why the last post failed."`
	CreatedAt  time.Time `json:"created_at"`
}

func showDelivery(d webhook.Delivery) Delivery {
	return Delivery{
		ID: d.ID, EndpointID: d.Endpoint, MessageID: d.Message, Subject: d.Subject, Version: d.Version, Type: d.Type,
		Status: string(d.Status),
		Tries:  d.Tries, NextAt: d.NextAt, Problem: d.Problem, CreatedAt: d.CreatedAt,
	}
}

type deliveriesInput struct {
	EndpointID string `query:"endpoint_id" maxLength:"64" doc:"Only to this endpoint."`
	OrderID    string `query:"order_id" maxLength:"128" doc:"Only messages of this order."`
	Status     string `query:"status" enum:"pending,retrying,delivered,failed,cancelled" doc:"Only those that have come so far."`
	Page
}

type deliveriesOutput struct {
	Body struct {
		Data       []Delivery `json:"data" nullable:"false" doc:"By their place in the queue, the latest first."`
		NextCursor string     `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

type deliveryInput struct {
	ID string `path:"id" maxLength:"64" doc:"The delivery's id."`
}

type deliveryOutput struct {
	Body struct {
		Delivery
		Attempts []Post `json:"attempts" nullable:"false" doc:"The latest hundred posts, oldest first."`
	}
}

func (a *api) registerDeliveries() {
	register(a, huma.Operation{
		OperationID: "list-webhook-deliveries", Method: http.MethodGet, Path: "/v1/webhook-deliveries",
		Tags: []string{"webhooks"}, Summary: "What is, was or will be posted to endpoints.",
	}, reading, a.deliveries)
	register(a, huma.Operation{
		OperationID: "get-webhook-delivery", Method: http.MethodGet, Path: "/v1/webhook-deliveries/{id}",
		Tags: []string{"webhooks"}, Summary: "Read a delivery and its posts.",
	}, reading, a.delivery)
	register(a, huma.Operation{
		OperationID: "redeliver", Method: http.MethodPost, Path: "/v1/webhook-deliveries/{id}/redeliver",
		Tags: []string{"webhooks"}, Summary: "Post a delivery once more.",
	}, writing, a.redeliver)
}

func (a *api) deliveries(ctx context.Context, in *deliveriesInput) (*deliveriesOutput, error) {
	f := webhook.Filter{Endpoint: in.EndpointID, Subject: in.OrderID, Status: webhook.Status(in.Status), Limit: in.Limit,
		Cursor: in.Cursor}
	if in.OrderID != "" {
		f.Machine = orders.MachineOrder
	}
	page, err := a.Webhooks.Deliveries(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &deliveriesOutput{}
	out.Body.Data, out.Body.NextCursor = []Delivery{}, page.NextCursor
	for _, d := range page.Deliveries {
		out.Body.Data = append(out.Body.Data, showDelivery(d))
	}
	return out, nil
}

func (a *api) delivery(ctx context.Context, in *deliveryInput) (*deliveryOutput, error) {
	d, posts, err := a.Webhooks.Delivery(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &deliveryOutput{}
	out.Body.Delivery, out.Body.Attempts = showDelivery(d), []Post{}
	for _, p := range posts {
		out.Body.Attempts = append(out.Body.Attempts, showPost(p))
	}
	return out, nil
}

func (a *api) redeliver(ctx context.Context, in *deliveryInput) (*askedOutput, error) {
	asked, err := a.Webhooks.Redeliver(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &askedOutput{Asked{in.ID, asked}}, nil
}
