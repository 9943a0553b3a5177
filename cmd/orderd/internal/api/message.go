package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine/outbox"
	"example.com/orderd/orders"
)

// Message is one thing that a transition says to the outside, as the API shows it.
type Message struct {
	ID      string          `json:"id" doc:"The same in every attempt, and the id of the CloudEvent."`
	Machine string          `json:"machine" doc:"Of the transition."`
	Subject string          `json:"subject" doc:"What moved; an order's id, for machine order."`
	Version int64           `json:"version" doc:"The version that the transition gave it."`
	Type    string          `json:"type" doc:"Such as order.paid."`
	Data    json.RawMessage `json:"data" doc:"Data of the CloudEvent."`
	At      time.Time       `json:"at" doc:"When the transition was decided."`
	Status  string          `json:"status" enum:"pending,retrying,sent,parked" doc:"parked: given up; retry tries again."`
	Tries   int             `json:"tries" doc:"How often it was tried since the last replay."`
	Replays int             `json:"replays" doc:"How often it was asked to be sent once more."`
	NextAt  time.Time       `json:"next_at" doc:"When it is tried next; of a message that is sent or parked: since when."`
	SentAt  *time.Time      `json:"sent_at,omitempty" doc:"When every sink had it."`
	Problem string          `json:"problem,omitempty" doc:"Why the last try failed."`
}

func showMessage(m outbox.Message) Message {
	return Message{
		ID: m.ID, Machine: m.Machine, Subject: m.Subject, Version: m.Version, Type: m.Type, Data: m.Data, At: m.At,
		Status: string(m.Status),
		Tries:  m.Tries, Replays: m.Replays, NextAt: m.NextAt, SentAt: m.SentAt, Problem: m.Problem,
	}
}

type messagesInput struct {
	OrderID string    `query:"order_id" maxLength:"128" doc:"Only messages of this order."`
	Status  string    `query:"status" enum:"pending,retrying,sent,parked" doc:"Only messages that have come so far."`
	Type    string    `query:"type" maxLength:"128" doc:"Only messages of this type."`
	From    time.Time `query:"from" doc:"Only of transitions at or after this time, RFC 3339."`
	To      time.Time `query:"to" doc:"Only of transitions before this time, RFC 3339."`
	Page
}

func (in *messagesInput) filter() outbox.Filter {
	f := outbox.Filter{Subject: in.OrderID, Status: outbox.Status(in.Status), Type: in.Type, From: in.From, To: in.To,
		Limit: in.Limit, Cursor: in.Cursor}
	if in.OrderID != "" {
		f.Machine = orders.MachineOrder
	}
	return f
}

type messagesOutput struct {
	Body struct {
		Data       []Message `json:"data" nullable:"false" doc:"By their place in the queue, the latest first."`
		NextCursor string    `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

type messageInput struct {
	ID string `path:"id" maxLength:"512" doc:"The message's id."`
}

type messageOutput struct{ Body Message }

// Asked is the answer to a wish that may have come true already.
type Asked struct {
	ID    string `json:"id"`
	Asked bool   `json:"asked" doc:"false: there was nothing to do, because it is on its way or done."`
}

type askedOutput struct{ Body Asked }

type replayInput struct {
	Body struct {
		OrderID string    `json:"order_id,omitempty" maxLength:"128" doc:"Messages of this order."`
		From    time.Time `json:"from,omitempty" doc:"Messages of transitions at or after this time."`
		To      time.Time `json:"to,omitempty" doc:"And before this one. An order, or both times, must be given, except for parked messages."`
		Status  string    `json:"status,omitempty" enum:"sent,parked" doc:"Those that were sent, unless it is parked: those that were given up."`
	}
}

type countOutput struct {
	Body struct {
		Count int `json:"count" doc:"How many will be sent."`
	}
}

// replayMax bounds one replay.
const replayMax = 100_000

func (a *api) registerMessages() {
	register(a, huma.Operation{
		OperationID: "list-messages", Method: http.MethodGet, Path: "/v1/messages",
		Tags: []string{"messages"}, Summary: "What transitions said to the outside, and whether it was sent.",
	}, reading, a.messages)
	register(a, huma.Operation{
		OperationID: "get-message", Method: http.MethodGet, Path: "/v1/messages/{id}",
		Tags: []string{"messages"}, Summary: "Read a message.",
	}, reading, a.message)
	register(a, huma.Operation{
		OperationID: "retry-message", Method: http.MethodPost, Path: "/v1/messages/{id}/retry",
		Tags: []string{"messages"}, Summary: "Try a message at once that is parked or waits.",
	}, writing, a.retryMessage)
	register(a, huma.Operation{
		OperationID: "replay-messages", Method: http.MethodPost, Path: "/v1/messages/replay",
		Tags: []string{"messages"}, Summary: "Send messages once more, under their own ids.",
		Description: "Every call sends them again. To repeat what one webhook endpoint has missed, recover that endpoint.",
	}, writing, a.replayMessages)
}

func (a *api) messages(ctx context.Context, in *messagesInput) (*messagesOutput, error) {
	page, err := a.Queue.List(ctx, in.filter())
	if err != nil {
		return nil, err
	}
	out := &messagesOutput{}
	out.Body.Data, out.Body.NextCursor = []Message{}, page.NextCursor
	for _, m := range page.Messages {
		out.Body.Data = append(out.Body.Data, showMessage(m))
	}
	return out, nil
}

func (a *api) message(ctx context.Context, in *messageInput) (*messageOutput, error) {
	m, err := a.Queue.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &messageOutput{showMessage(m)}, nil
}

func (a *api) retryMessage(ctx context.Context, in *messageInput) (*askedOutput, error) {
	asked, err := a.Queue.Retry(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &askedOutput{Asked{in.ID, asked}}, nil
}

func (a *api) replayMessages(ctx context.Context, in *replayInput) (*countOutput, error) {
	q := messagesInput{OrderID: in.Body.OrderID, From: in.Body.From, To: in.Body.To, Status: in.Body.Status}
	n, err := a.Queue.Replay(ctx, q.filter(), replayMax)
	if err != nil {
		return nil, err
	}
	out := &countOutput{}
	out.Body.Count = n
	return out, nil
}
