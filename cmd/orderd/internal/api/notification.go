package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine"
	"example.com/orderd/orders/notify"
)

// Notification is what somebody is told, as the API shows it.
type Notification struct {
	ID        string    `json:"id"`
	State     string    `json:"state" enum:"queued,sending,sent,failed,uncertain" doc:"uncertain: it may have been sent; nobody sends it again."`
	OrderID   string    `json:"order_id"`
	MessageID string    `json:"message_id" doc:"The message that caused it; one notification for each message and channel."`
	Type      string    `json:"type" doc:"Of the message, such as order.paid."`
	Channel   string    `json:"channel" doc:"How it is sent, such as email."`
	Title     string    `json:"title"`
	Tries     int       `json:"tries" doc:"How often a sender was called for it."`
	Problem   string    `json:"problem,omitempty" doc:"What the sender said last."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at" doc:"When it last moved."`
}

type notificationsInput struct {
	OrderID string `query:"order_id" maxLength:"64" doc:"Only about this order."`
	State   string `query:"state" enum:"queued,sending,sent,failed,uncertain" doc:"Only those in this state."`
	Page
}

type notificationsOutput struct {
	Body struct {
		Data       []Notification `json:"data" nullable:"false" doc:"Newest first. Recipients are not shown."`
		NextCursor string         `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

func (a *api) registerNotifications() {
	register(a, huma.Operation{
		OperationID: "list-notifications", Method: http.MethodGet, Path: "/v1/notifications",
		Tags: []string{"messages"}, Summary: "What people were told, and whether that is certain.",
	}, reading, a.notifications)
}

func (a *api) notifications(ctx context.Context, in *notificationsInput) (*notificationsOutput, error) {
	page, err := a.Notifier.List(ctx, notify.Filter{OrderID: in.OrderID, State: engine.State(in.State), Limit: in.Limit,
		Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	out := &notificationsOutput{}
	out.Body.Data, out.Body.NextCursor = []Notification{}, page.NextCursor
	for _, n := range page.Notifications {
		out.Body.Data = append(out.Body.Data, Notification{
			ID: n.ID, State: string(n.State), OrderID: n.OrderID, MessageID: n.Message, Type: n.Type, Channel: n.Channel, Title: n.Title,
			Tries: n.Tries, Problem: n.Problem, CreatedAt: n.CreatedAt.UTC(), UpdatedAt: n.UpdatedAt.UTC(),
		})
	}
	return out, nil
}
