package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"example.com/orderd/cmd/orderd/internal/auth"
	"example.com/orderd/cmd/orderd/internal/problem"
	"example.com/orderd/cmd/orderd/internal/words"
	"example.com/orderd/engine"
	"example.com/orderd/orders"
)

// Possibility is what a request for one event would meet now.
type Possibility struct {
	Event         string              `json:"event"`
	Allowed       bool                `json:"allowed" doc:"There is a step from here, all conditions that need no input are met, and the key may ask for it."`
	To            string              `json:"to,omitempty" doc:"Where it would lead."`
	NeedsInput    bool                `json:"needs_input" doc:"Conditions on the input were left out; a dry run with it tells."`
	NeedsIdentity bool                `json:"needs_identity" doc:"A request needs an Idempotency-Key or If-Match."`
	Outcome       string              `json:"outcome" doc:"What a request would be answered; applied if it is allowed, forbidden if only the key is in the way."`
	Detail        string              `json:"detail" doc:"Which kind of the outcome it is; empty where it has none."`
	Reason        string              `json:"reason,omitempty" doc:"Why not, in words."`
	Refused       []problem.Refused   `json:"refused,omitempty" doc:"All conditions that say no."`
	PossibleFrom  []string            `json:"possible_from,omitzero" required:"false" nullable:"false" doc:"On stale/passed: the states ahead of the order from which the event would be possible again; empty means never."`
	Transition    *problem.Transition `json:"transition,omitempty" doc:"The transition that proves it."`
}

type allowedOutput struct {
	Body struct {
		Data []Possibility `json:"data" nullable:"false" doc:"All events of the machine, by name."`
	}
}

func (a *api) registerAllowed() {
	register(a, huma.Operation{
		OperationID: "list-allowed-events", Method: http.MethodGet, Path: "/v1/orders/{id}/allowed-events",
		Tags: []string{"transitions"}, Summary: "What can happen to an order now, and why not.",
	}, reading, a.allowed)
}

func (a *api) allowed(ctx context.Context, in *orderID) (*allowedOutput, error) {
	found, err := a.Engine.Allowed(ctx, orders.MachineOrder, in.ID)
	if err != nil {
		return nil, err
	}
	caller := auth.From(ctx)
	out := &allowedOutput{}
	out.Body.Data = []Possibility{}
	for _, p := range found {
		shown := possibility(p)
		if roles := auth.Events[p.Event]; p.Allowed && !caller.May(roles) {
			shown.Allowed, shown.Outcome = false, string(problem.Forbidden)
			shown.Reason = auth.Forbidden(caller, fmt.Sprintf("the event %q", p.Event), roles).Detail
		}
		out.Body.Data = append(out.Body.Data, shown)
	}
	return out, nil
}

func possibility(p engine.Possibility) Possibility {
	shown := Possibility{
		Event: string(p.Event), Allowed: p.Allowed, To: string(p.To),
		NeedsInput: p.NeedsInput, NeedsIdentity: p.NeedsIdentity, Outcome: string(p.Outcome), Detail: string(p.Detail),
		PossibleFrom: problem.PossibleFrom(p.Detail, p.PossibleFrom),
	}
	if p.Proof != nil {
		shown.Transition = problem.Show(*p.Proof)
	}
	var reasons []string
	for _, no := range p.Refused {
		shown.Refused = append(shown.Refused, problem.Refused{Guard: no.Guard, Reason: no.Reason})
		reasons = append(reasons, no.Guard+": "+no.Reason)
	}
	switch {
	case p.Allowed:
	case len(reasons) > 0:
		shown.Reason = strings.Join(reasons, "; ")
	default:
		shown.Reason = words.WhyNot(orders.MachineOrder, p, nil)
	}
	return shown
}
