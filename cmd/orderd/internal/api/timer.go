package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/engine/timer"
	"example.com/orderd/orders"
)

// Timer is an event that a transition wants at a later time, as the API shows it.
type Timer struct {
	ID      string    `json:"id"`
	Machine string    `json:"machine"`
	Subject string    `json:"subject" doc:"Whose event it is; an order's id, for machine order."`
	Entered int64     `json:"entered" doc:"The version with which the visit of a state began that it belongs to."`
	Name    string    `json:"name"`
	Event   string    `json:"event"`
	DueAt   time.Time `json:"due_at"`
	Status  string    `json:"status" enum:"armed,fired,stopped,parked" doc:"parked: its event was asked for in vain too often; retry asks again."`
	Tries   int       `json:"tries" doc:"How often its event was asked for in vain."`
	NextAt  time.Time `json:"next_at" doc:"When it is tried next; of a timer that ended or is parked: since when."`
	Problem string    `json:"problem,omitempty" doc:"Why the last try failed."`
	ArmedAt time.Time `json:"armed_at"`
}

type timersInput struct {
	OrderID string `query:"order_id" maxLength:"128" doc:"Only timers of this order."`
	Status  string `query:"status" enum:"armed,fired,stopped,parked" doc:"Only timers that have come so far."`
	Page
}

type timersOutput struct {
	Body struct {
		Data       []Timer `json:"data" nullable:"false" doc:"By their place in the queue, the latest first."`
		NextCursor string  `json:"next_cursor" doc:"Where the next page starts; empty on the last one."`
	}
}

type timerInput struct {
	ID string `path:"id" maxLength:"512" doc:"The timer's id."`
}

func (a *api) registerTimers() {
	register(a, huma.Operation{
		OperationID: "list-timers", Method: http.MethodGet, Path: "/v1/timers",
		Tags: []string{"messages"}, Summary: "What happens by itself at a later time, and what failed to.",
	}, reading, a.timers)
	register(a, huma.Operation{
		OperationID: "retry-timer", Method: http.MethodPost, Path: "/v1/timers/{id}/retry",
		Tags: []string{"messages"}, Summary: "Try a timer at once that is parked or waits after a try.",
	}, writing, a.retryTimer)
}

func (a *api) timers(ctx context.Context, in *timersInput) (*timersOutput, error) {
	f := timer.Filter{Subject: in.OrderID, Status: timer.Status(in.Status), Limit: in.Limit, Cursor: in.Cursor}
	if in.OrderID != "" {
		f.Machine = orders.MachineOrder
	}
	page, err := a.Timers.List(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &timersOutput{}
	out.Body.Data, out.Body.NextCursor = []Timer{}, page.NextCursor
	for _, t := range page.Timers {
		out.Body.Data = append(out.Body.Data, Timer{
			ID: t.ID, Machine: t.Machine, Subject: t.Subject, Entered: t.Entered, Name: t.Name, Event: string(t.Event), DueAt: t.DueAt,
			Status: string(t.Status), Tries: t.Tries, NextAt: t.NextAt, Problem: t.Problem, ArmedAt: t.ArmedAt,
		})
	}
	return out, nil
}

func (a *api) retryTimer(ctx context.Context, in *timerInput) (*askedOutput, error) {
	asked, err := a.Timers.Retry(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &askedOutput{Asked{in.ID, asked}}, nil
}
