package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

type transitionInput struct {
	KeyHeader
	IfMatchHeader
	ID     string `path:"id" doc:"The order's id."`
	DryRun bool   `query:"dry_run" doc:"true: only say what would happen. Nothing at all is written."`
	Body   struct {
		Event  string          `json:"event" minLength:"1" maxLength:"64" example:"ship" doc:"What is to happen."`
		Input  json.RawMessage `json:"input,omitempty" doc:"What the event takes; for pay and pay_part {\"amount\", \"currency\"}, in minor units."`
		Reason string          `json:"reason,omitempty" maxLength:"1000" doc:"Why, for history."`
	}
}

// Moved is the answer to an event that has its effect, now or before.
type Moved struct {
	Outcome    string              `json:"outcome" enum:"applied,already" doc:"applied: this call did it. already: it had happened."`
	Detail     string              `json:"detail" doc:"Of already: replayed, same_state or superseded; empty for applied."`
	ID         string              `json:"id" doc:"The order's id."`
	Event      string              `json:"event" doc:"What was asked for."`
	State      string              `json:"state" doc:"Where the order is now."`
	Version    int64               `json:"version" doc:"The order's version now."`
	DryRun     bool                `json:"dry_run,omitempty" doc:"Nothing was written; applied means: would be."`
	Transition *problem.Transition `json:"transition,omitempty" doc:"The transition that proves it."`
}

type transitionOutput struct {
	ETag     string `header:"ETag" doc:"The order's version now."`
	Replayed string `header:"Idempotency-Replayed" doc:"true if the key has had its effect before."`
	Body     Moved
}

func (a *api) registerTransitions() {
	register(a, huma.Operation{
		OperationID: "apply-event", Method: http.MethodPost, Path: "/v1/orders/{id}/transitions",
		Tags: []string{"transitions"}, Summary: "Let an event happen to an order.",
		Description: "Which roles are enough depends on the event. Events that can happen again or carry money need an " +
			"Idempotency-Key or If-Match (428 otherwise).",
	}, writing, a.transition)
}

func (a *api) transition(ctx context.Context, in *transitionInput) (*transitionOutput, error) {
	p := auth.From(ctx)
	event := engine.Event(in.Body.Event)
	// An event that the machine does not have is the engine's to refuse; one that it has is denied
	// unless the table grants it.
	if roles, known := auth.Events[event]; (known || a.events[event]) && !p.May(roles) {
		return nil, auth.Forbidden(p, fmt.Sprintf("the event %q", event), roles)
	}
	result, err := a.Shop.Transition(ctx, caller(ctx), in.ID, orders.TransitionRequest{
		Event: event, Input: in.Body.Input, Reason: in.Body.Reason, Seq: in.seq, IfVersion: in.version, DryRun: in.DryRun,
	})
	if err != nil {
		return nil, err
	}
	out := &transitionOutput{Body: moved(result), Replayed: replayed(result)}
	if !result.DryRun {
		out.ETag = etag(result.Version)
	}
	return out, nil
}

func moved(r engine.Result) Moved {
	m := Moved{
		Outcome: string(r.Outcome), Detail: string(r.Detail), ID: r.ID, Event: string(r.Event),
		State: string(r.State), Version: r.Version, DryRun: r.DryRun,
	}
	if r.Proof != nil {
		m.Transition = problem.Show(*r.Proof)
	}
	return m
}

// replayed is the header Idempotency-Replayed of an answer; "" leaves it out.
func replayed(r engine.Result) string {
	if r.Outcome == engine.Already && r.Detail == engine.Replayed {
		return "true"
	}
	return ""
}
